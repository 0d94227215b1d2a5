"""One awake instance: its mailbox, its turn loop, and the last committed state as a cache of the ledger.

Promises: one turn at a time; nothing runs before its transition is durable; every envelope is answered
or, for a service's, delivered once or kept. Called by the engine's doors; never touches a socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from stateward_server.engine import refusals
from stateward_server.engine.admission import addressed, obstacle, outdated
from stateward_server.engine.envelope import Envelope, Errand, Mail, Probe
from stateward_server.engine.hop import Hop, until_end
from stateward_server.engine.mailbox import Mailbox
from stateward_server.engine.plan import forward, keep, plan
from stateward_server.engine.resting import Resting, is_loss
from stateward_server.engine.room import Room
from stateward_server.engine.settling import Settling
from stateward_server.engine.waiters import Waiters
from stateward_server.model.errors import Internal, StatewardError
from stateward_server.model.ledger import Cause, Commit, Committed, Conflict, Repeated, TimerRow, Transition
from stateward_server.model.machine import RequestRecord
from stateward_server.model.step import (
    Denied,
    EventInput,
    Failed,
    InboxInput,
    LostChildren,
    LostInput,
    Outcome,
    Skipped,
    Status,
    Step,
    TimerInput,
)
from stateward_server.model.wait import Reply
from stateward_server.ports.host import Address
from stateward_server.ports.store import Loaded, StoreFault

log = structlog.get_logger()

T = TypeVar("T")

_EXTERNAL = frozenset({Cause.EVENT, Cause.MESSAGE, Cause.CHILD})
"""What comes from outside the instance, and so gives its services more time to settle."""


class Actor:
    """The only writer of one instance."""

    def __init__(self, room: Room, loaded: Loaded, timers: Sequence[TimerRow], *, warm: bool = False) -> None:
        """`warm` says that the host already holds the instance at its last revision."""
        self.instance = loaded.instance
        self.last = loaded.last
        self.at = Address(loaded.instance.version, loaded.instance.uid)
        self.gone = False
        self.timers = {row.id: row for row in timers}
        self.waiters = Waiters(room.alarms, room.clock)
        self._room = room
        self._mailbox = Mailbox(room.limits.mailbox, room.limits.batch)
        self._held: list[Envelope] = []
        """What services said while the instance was paused."""
        self._running = False
        self._resting = Resting(room.alarms, room.clock, room.limits, self._retry)
        self._hop = Hop(room.host, self.at, loaded.instance.key.name, warm=warm)
        self._settling = Settling(room.alarms, room.clock, room.limits.settle_ms, self._settle_limit_passed)
        self._conflicts = 0

    @property
    def idle(self) -> bool:
        """Nothing is waiting, running or owed: the actor can be put to sleep."""
        busy = self._running or self._mailbox or self._held or self._resting or self.waiters
        return not busy and self.last.view.settled

    def deliver(self, mail: Mail) -> None:
        """Queue one piece of mail. Raises ResourceExhausted (MAILBOX_FULL), NotFound when just deleted."""
        if self.gone:
            raise refusals.gone(self.instance.key)
        self._mailbox.put(mail)
        self._run()

    async def ask(self, envelope: Envelope) -> Reply:
        """Deliver an envelope and return its reply. Raises whatever it is refused with."""
        envelope.reply = asyncio.get_running_loop().create_future()
        self.deliver(envelope)
        return await envelope.reply

    async def between_turns(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work` when no turn is in progress, and return its result."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.deliver(Errand(work, done))
        return await done

    async def file(self, commit: Commit) -> None:
        """Commit a change that is no transition, between turns. Raises Aborted, StoreFault."""
        if not isinstance(await self._room.committer.submit(commit), Committed):
            await self._reload([])
            raise refusals.conflict()
        self._take_over(commit)

    def chill(self) -> None:
        """The host has lost the instance: wake it with its snapshot, at once if services were running."""
        self._hop.chill()
        if not self.last.view.settled:
            self.deliver(Probe())

    def resume(self) -> None:
        """Go on after a pause: what services said meanwhile comes first, then the timers that are due."""
        probes = [] if self.last.view.settled else [Probe()]
        self._mailbox.put_first([*probes, *self._held])
        self._held.clear()
        for row in self.timers.values():
            self._room.arm(row)
        self._run()

    def watch_settling(self) -> None:
        """Give running services until the settle limit, counted from now."""
        if self.last.view.settled:
            self._settling.end()
        else:
            self._settling.begin()

    def _settle_limit_passed(self) -> None:
        log.info("settle_limit_passed", machine=self.instance.key.machine, instance=self.instance.key.name)
        self._room.host.stop_children(self.at)
        if not self.gone:
            self.deliver(Probe())

    def _run(self) -> None:
        if not self._running and self._mailbox:
            self._room.spawn(self._drain())
            self._running = True

    async def _drain(self) -> None:
        try:
            while self._mailbox:
                await self._turn()
        finally:
            self._running = False

    async def _turn(self) -> None:
        first = self._mailbox.first
        if isinstance(first, Errand):
            self._mailbox.take()
            await first.perform()
            return
        if self._resting:
            self._mailbox.put_first(self._resting.take_losses())
            first = self._mailbox.first
        batch = self._mailbox.take_batch()
        try:
            batch = await self._admit(batch)
            if not batch and (self.instance.paused or not isinstance(first, Probe)):
                return
            if (row := addressed(batch, self.timers)) is not None:
                await self.file(forward(self.instance, self.last.revision, row))
                batch[0].resolve(Reply(self.last, self.last, met=True, replayed=False))
            else:
                await self._step(batch)
        except StatewardError as error:
            self._give_back(batch or [first], error)
        except StoreFault:
            self._give_back(batch or [first], refusals.no_store())
        except Exception:
            log.exception("turn_failed", machine=self.instance.key.machine, instance=self.instance.key.name)
            self._give_back(batch or [first], Internal("INTERNAL", "the server met an error of its own"))

    # ------------------------------------------------------------------ taking mail

    async def _admit(self, batch: list[Envelope]) -> list[Envelope]:
        """Leave out what must not reach the machine: abandoned, stale, too late, or while it is paused."""
        admitted = []
        for envelope in batch:
            if envelope.abandoned:
                continue
            if outdated(envelope, self.timers):
                self._nothing_to_do(envelope)
                continue
            why = obstacle(envelope, self.instance, self.last)
            if why is None:
                admitted.append(envelope)
            elif envelope.reply is not None:
                await self._refuse(envelope, why)
            elif self.last.view.status is Status.ACTIVE:
                # The instance is paused: it gets this when it goes on.
                self._held.append(envelope)
        return admitted

    # ------------------------------------------------------------------ one hop, one commit

    async def _step(self, batch: list[Envelope]) -> None:
        reply = await self._hop.ask(self.last, [envelope.input for envelope in batch])
        if isinstance(reply, LostChildren):
            errors = [Envelope(LostInput(child), Cause.LOST) for child in reply.children]
            self._mailbox.put_first([*errors, *batch])
            return
        outcomes = until_end(reply.items)
        base = self.last.revision
        self._mailbox.put_first(batch[len(outcomes) :])
        # Back in the mailbox, they are no business of this turn, whatever becomes of it.
        del batch[len(outcomes) :]
        pairs = list(zip(batch, outcomes, strict=False))
        steps = [(envelope, outcome) for envelope, outcome in pairs if isinstance(outcome, Step)]
        if len(outcomes) < len(reply.items):
            self._room.host.abort(self.at, base + len(steps))
        if steps:
            now = self._room.clock.now_ms()
            commit = plan(self.instance, base, steps, self.timers, now_ms=now, epoch=self._room.epoch)
            if not await self._commit(commit, steps, batch):
                return
        self._conflicts = 0
        self._resting.succeeded()
        for envelope, outcome in pairs:
            await self._explain(envelope, outcome)

    async def _commit(
        self, commit: Commit, steps: Sequence[tuple[Envelope, Step]], batch: Sequence[Envelope]
    ) -> bool:
        """Make the steps durable, then let them act; False when nothing was written.

        Then the whole batch has to be looked at again: what was refused was refused after these steps.
        """
        try:
            result = await self._room.committer.submit(commit)
        except StoreFault as fault:
            log.error("commit_failed", machine=self.instance.key.machine, error=str(fault))
            self._room.host.abort(self.at, commit.base_revision)
            self._give_back(batch, refusals.no_store())
            return False
        match result:
            case Committed():
                self.adopt(commit, steps)
                return True
            case Repeated(stored):
                self._room.host.abort(self.at, commit.base_revision)
                self._replay(batch, stored)
            case Conflict():
                self._room.host.abort(self.at, commit.base_revision)
                await self._reload(batch)
        return False

    def adopt(self, commit: Commit, steps: Sequence[tuple[Envelope, Step]]) -> None:
        """Take over what the ledger has just committed, and let everything that waited for it happen."""
        self.last = commit.transitions[-1]
        held = not any(step.effects for _, step in steps) or self._room.host.commit(
            self.at, self.last.revision
        )
        external = False
        for (envelope, _), transition in zip(steps, commit.transitions, strict=True):
            external = external or envelope.cause in _EXTERNAL
            self.waiters.offer(transition)
            self.waiters.answer(envelope, transition, transition, replayed=False)
            log.info(
                "turn_committed",
                machine=self.instance.key.machine,
                instance=self.instance.key.name,
                revision=transition.revision,
                cause=transition.cause.value,
            )
        self._take_over(commit)
        if external or self.last.view.settled or not self._settling:
            self.watch_settling()
        if not held:
            self.chill()

    def _take_over(self, commit: Commit) -> None:
        for timer in commit.timers_gone:
            self.timers.pop(timer, None)
        for row in commit.timers_set:
            self.timers[row.id] = row
            self._room.arm(row)
        if commit.extra is not None and commit.extra.outbox:
            self._room.owed()

    # ------------------------------------------------------------------ when it did not work

    def _replay(self, envelopes: Sequence[Envelope], stored: Transition, *, and_later: bool = True) -> None:
        """Answer the repeated request from history; the others of its batch take their turn again.

        `and_later` says whether its sender may see what has come after it.
        """
        latest = self.last if and_later else None
        again: list[Mail] = []
        for envelope in envelopes:
            if envelope.request is None or stored.request is None or envelope.request.id != stored.request.id:
                again.append(envelope)
            elif envelope.request.digest != stored.request.digest:
                envelope.refuse(refusals.reused(envelope.request.id))
            else:
                self.waiters.answer(envelope, stored, latest, replayed=True)
        self._mailbox.put_first(again)

    async def _reload(self, envelopes: Sequence[Envelope]) -> None:
        """The ledger is ahead of this memory: drop the memory, read again, retry a few times."""
        self._hop.chill()
        self._conflicts += 1
        loaded = await self._room.ledger.load_uid(self.instance.uid)
        if loaded is None:
            self.gone = True
            error: StatewardError = refusals.gone(self.instance.key)
        else:
            self.instance = loaded.instance
            self.last = loaded.last
            self.timers = {row.id: row for row in await self._room.timers.timers_of(self.instance.uid)}
            error = refusals.conflict()
        if self.gone or self._conflicts > 2:
            for envelope in envelopes:
                envelope.refuse(error)
        else:
            self._mailbox.put_first(envelopes)

    async def _explain(self, envelope: Envelope, outcome: Outcome) -> None:
        """Answer an envelope whose outcome wrote nothing."""
        match outcome:
            case Denied(detail):
                if detail:
                    log.info("authoriser_threw", machine=self.instance.key.machine, detail=detail[:500])
                await self._refuse(envelope, refusals.denied(self.instance.key))
            case Failed() if envelope.reply is None:
                await self._keep(envelope, outcome)
            case Failed(reason, message):
                await self._refuse(envelope, refusals.failed(reason, message))
            case Skipped():
                if isinstance(envelope.input, TimerInput):
                    await self.file(Commit(self.instance, self.last.revision, (), (), (envelope.input.id,)))
                self._nothing_to_do(envelope)
            case Step():
                pass

    async def _keep(self, envelope: Envelope, outcome: Failed) -> None:
        """The machine could not take what a service said: it is owed to it from now on."""
        where = {"machine": self.instance.key.machine, "instance": self.instance.key.name}
        log.error("service_event_failed", reason=outcome.reason, **where)
        now = self._room.clock.now_ms()
        extra = keep(self.instance, envelope.input, outcome, now_ms=now, limits=self._room.limits)
        try:
            await self.file(Commit(self.instance, self.last.revision, (), (), (), extra))
        except (StoreFault, StatewardError) as fault:
            if isinstance(envelope.input, InboxInput):
                if outcome.event_json is None:
                    log.error("service_event_dropped", error=str(fault), **where)
                    return
                # The host has let go of it: it is in nobody's hands but these.
                envelope = replace(envelope, input=EventInput(outcome.event_json, None))
            self._give_back([envelope], refusals.no_store())

    def _nothing_to_do(self, envelope: Envelope) -> None:
        envelope.resolve(Reply(self.last, self.last, met=True, replayed=False))

    async def _refuse(self, envelope: Envelope, error: StatewardError) -> None:
        """Say no, unless this is a repeat of something that was accepted before."""
        if envelope.request is not None:
            try:
                stored = await self._room.ledger.find_request(self.instance.uid, envelope.request.id)
                if stored is not None:
                    self._replay([envelope], stored, and_later=await self._hop.shows(self.last, envelope))
                    return
            except StoreFault:
                envelope.refuse(refusals.no_store())
                return
            except StatewardError as trouble:
                envelope.refuse(trouble)
                return
        envelope.refuse(error)

    def _give_back(self, mail: Sequence[Mail], error: StatewardError) -> None:
        """Tell whoever waits to try again; what nobody waits for is tried again from here after a pause."""
        self._hop.chill()
        again: list[Mail] = []
        if any(is_loss(each) for each in mail):
            # Nothing may overtake it, so whoever waits behind it would wait for as long as it does.
            mail = [*mail, *self._mailbox.take_all_but_errands()]
        for each in mail:
            if isinstance(each, Envelope) and each.reply is not None:
                each.refuse(error)
            else:
                again.append(each)
        if again:
            self._resting.put(again)

    def _retry(self, mail: Sequence[Mail]) -> None:
        if not self.gone:
            self._mailbox.put_first(mail)
            self._run()

    async def leave(self, request: RequestRecord | None) -> None:
        """Delete the instance, between turns, and answer everyone who still waits. Raises StoreFault."""
        position = await self._room.ledger.delete_instance(self.instance.uid, request)
        self.gone = True
        self._room.host.stop_children(self.at)
        self._room.host.evict(self.at)
        self._settling.end()
        error = refusals.gone(self.instance.key)
        self.waiters.refuse_all(error)
        while self._mailbox:
            mail = self._mailbox.take()
            if isinstance(mail, Envelope | Errand):
                mail.refuse(error)
        self._room.publish(self.instance, (), position)
