"""One door to every instance: create, send, read, delete; and those of administrators, see `doors.py`.

Timers, services and messages use the same path as callers: deliver to the actor, one turn, one commit. After
`drain` no new mail is taken; what was taken is finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from types import TracebackType
from typing import Any, Self

import structlog

from stateward_server.engine import refusals
from stateward_server.engine.alarms import Alarms
from stateward_server.engine.committer import Committer, Publish
from stateward_server.engine.creation import Creation
from stateward_server.engine.delivery import Delivery
from stateward_server.engine.directory import Directory
from stateward_server.engine.doors import Letters, Pauses, PendingTimers
from stateward_server.engine.envelope import Envelope, Probe
from stateward_server.engine.examiner import Examiner
from stateward_server.engine.hop import may_read
from stateward_server.engine.relay import Relay, RelayTools
from stateward_server.engine.ringing import Ringer
from stateward_server.engine.room import Room
from stateward_server.engine.timers import TimerQueue
from stateward_server.model.ledger import (
    Cause,
    Instance,
    InstanceKey,
    Owed,
    RequestTag,
    TimerRow,
    Transition,
)
from stateward_server.model.limits import EngineLimits
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.model.step import EventInput, InboxInput
from stateward_server.model.wait import Reply, Wait
from stateward_server.ports.clock import Clock
from stateward_server.ports.host import Address, MachineHost
from stateward_server.ports.store import Loaded, Store, StoreFault

log = structlog.get_logger()

_NOBODY = InstanceUid(0)


class Engine:
    """Use as an async context manager: it runs its loops while it is entered, and drains on the way out."""

    def __init__(
        self,
        store: Store,
        host: MachineHost,
        clock: Clock,
        publish: Publish,
        limits: EngineLimits | None = None,
    ) -> None:
        limits = limits or EngineLimits()
        self._store = store
        self._host = host
        self._clock = clock
        self._committer = Committer(store, publish, limits.flush_pace_ms)
        self._alarms = Alarms(clock)
        self._timers = TimerQueue(store, clock, self._alarms, limits.timers_near, self._fire)
        self._relay = Relay(RelayTools(store, self._deliver, clock, self._alarms, limits, self._spawn))
        self._room = Room(
            host=host,
            ledger=store,
            timers=store,
            committer=self._committer,
            clock=clock,
            alarms=self._alarms,
            limits=limits,
            epoch=store.identity.epoch,
            spawn=self._spawn,
            publish=publish,
            arm=self._timers.arm,
            owed=self._relay.wake,
        )
        self._directory = Directory(self._room)
        self._creation = Creation(self._room, self._directory)
        self._delivery = Delivery(self._directory, self._creation, store, store)
        self._ringer = Ringer(self._room, self._directory.wake_uid, self._timers.go_on)
        self.pauses = Pauses(self._room, self._directory, self._relay)
        self.timers = PendingTimers(self._directory)
        self.letters = Letters(self._room, self._directory, self._relay, store)
        self.examiner = Examiner(self._room, self._directory)
        self._tasks = asyncio.TaskGroup()
        self._loops: list[asyncio.Task[None]] = []
        self._turning: set[asyncio.Task[None]] = set()
        self._draining = False
        self._over = False

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        for loop in (self._committer.run(), self._alarms.run(), self._timers.run(), self._relay.run()):
            self._loops.append(self._tasks.create_task(loop))
        self._spawn(self._recover())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain()
        self._over = True
        for task in self._loops:
            task.cancel()
        await self._tasks.__aexit__(kind, error, trace)

    # ------------------------------------------------------------------ the door

    async def create(
        self,
        key: InstanceKey,
        version: VersionId,
        context_json: str | None,
        auth_json: str,
        *,
        request: RequestTag | None,
        wait: Wait,
    ) -> tuple[Instance, Reply]:
        """Create an instance and reply when its first state is durable and `wait` is over.

        Raises AlreadyExists, PermissionDenied, FailedPrecondition (the machine failed), Unavailable.
        """
        self._refuse_when_draining()
        return await self._creation.create(key, version, context_json, auth_json, request=request, wait=wait)

    async def send(
        self,
        key: InstanceKey,
        event_json: str,
        auth_json: str,
        *,
        request: RequestTag | None,
        expected_revision: int,
        wait: Wait,
    ) -> Reply:
        """Deliver one event and reply when its transition is durable and `wait` is over.

        Raises NotFound, PermissionDenied, Aborted (REVISION_MISMATCH), FailedPrecondition (the machine
        failed or has ended), ResourceExhausted (MAILBOX_FULL), Unavailable.
        """
        self._refuse_when_draining()
        actor = self._directory.find(key) or await self._directory.wake(key)
        if actor is None:
            raise refusals.gone(key)
        self._refuse_when_draining()  # the drain may have begun meanwhile
        return await actor.ask(
            Envelope(EventInput(event_json, auth_json), Cause.EVENT, request, expected_revision, wait)
        )

    async def read(self, key: InstanceKey, auth_json: str) -> Loaded:
        """Return the last committed state if the machine lets this caller read it. Waits for no turn."""
        actor = self._directory.find(key)
        loaded = Loaded(actor.instance, actor.last) if actor else await self._store.load(key)
        if loaded is None:
            raise refusals.gone(key)
        if not await self.may_read(loaded.instance, loaded.last, auth_json):
            raise refusals.denied(key)
        return loaded

    async def may_read(self, instance: Instance, transition: Transition, auth_json: str) -> bool:
        """Ask `allowRead` about one committed state of an instance."""
        at = Address(transition.version, instance.uid)
        return await may_read(self._host, at, instance.key.name, transition, auth_json)

    async def delete(self, key: InstanceKey, request: RequestRecord | None = None) -> None:
        """Delete an instance after the turns that have begun. Raises NotFound."""
        self._refuse_when_draining()
        actor = await self._directory.wake(key)
        if actor is None:
            raise refusals.gone(key)

        async def work() -> None:
            await actor.leave(request)
            self._directory.remove(actor)
            self._relay.resumed(key)  # what waited for the end of a pause waits no more

        await actor.between_turns(work)

    async def drain(self) -> None:
        """Take no more mail, finish the turns that have begun, end the waits."""
        self._draining = True
        self._ringer.stop()
        self._relay.stop()
        while self._turning:
            await asyncio.wait(tuple(self._turning))
        for actor in self._directory:
            actor.waiters.refuse_all(refusals.draining())

    # ------------------------------------------------------------------ the inner doors

    def inbox(self, uid: InstanceUid) -> None:
        """A service of the instance has something to say (HostListener)."""
        if self._draining:  # it is lost with its process, and some never fall silent
            return
        actor = self._directory.find_uid(uid)
        if actor is not None and not actor.gone:
            actor.deliver(Envelope(InboxInput(), Cause.SERVICE))

    def lost(self, version: VersionId) -> None:
        """The process of a version died (HostListener)."""
        if self._draining:  # the next start finds out
            return
        for actor in self._directory:
            if actor.instance.version == version and not actor.gone:
                actor.chill()

    def logged(self, version: VersionId, uid: InstanceUid | None, level: str, text: str) -> None:
        """User code wrote to its console (HostListener)."""
        actor = self._directory.find_uid(uid) if uid is not None else None
        where = {"machine": actor.instance.key.machine, "instance": actor.instance.key.name} if actor else {}
        log.info("machine_logged", version=version, level=level, text=text, **where)

    def _fire(self, row: TimerRow) -> bool:
        return self._ringer.ring(row)

    async def _deliver(self, owed: Owed) -> None:
        await self._delivery.deliver(owed)

    async def _recover(self, after: InstanceUid = _NOBODY) -> None:
        """Wake the instances whose services ran when the server stopped: each gets its error event."""
        try:
            while page := await self._store.unsettled(after, 256):
                for uid in page:
                    actor = await self._directory.wake_uid(uid)
                    if actor is not None:
                        actor.deliver(Probe())
                    after = uid
        except StoreFault as fault:
            log.error("recovery_delayed", error=str(fault))
            later = self._clock.now_ms() + self._room.limits.retry_ms
            self._alarms.set(later, lambda: self._spawn(self._recover(after)))

    # ------------------------------------------------------------------ helpers

    def _refuse_when_draining(self) -> None:
        if self._draining:
            raise refusals.draining()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._over:
            work.close()
            raise refusals.draining()
        # A fresh context: a turn must not log under the request id of the call that happened to start it.
        task = self._tasks.create_task(_contained(work), context=Context())
        self._turning.add(task)
        task.add_done_callback(self._turning.discard)


async def _contained(work: Coroutine[Any, Any, None]) -> None:
    """One instance's trouble must not end the engine: what no turn has expected ends here, in the log."""
    try:
        await work
    except Exception:
        log.exception("task_failed")
