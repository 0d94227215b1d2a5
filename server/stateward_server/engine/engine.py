"""One door to every instance: create, send, read, delete. Everything else here is an inner door.

Timers and services use the same path as callers: deliver to the actor, one turn, one commit. After
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
from stateward_server.engine.actor import Actor
from stateward_server.engine.alarms import Alarms
from stateward_server.engine.committer import Committer, Publish
from stateward_server.engine.directory import Directory
from stateward_server.engine.envelope import Envelope, Farewell, Probe
from stateward_server.engine.limits import EngineLimits
from stateward_server.engine.plan import plan
from stateward_server.engine.room import Room
from stateward_server.engine.timers import TimerQueue
from stateward_server.model.errors import AlreadyExists, StatewardError
from stateward_server.model.ledger import (
    Cause,
    Committed,
    Instance,
    InstanceKey,
    Repeated,
    RequestTag,
    TimerRow,
    Transition,
)
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.model.step import Denied, EventInput, Failed, InboxInput, Resume, Step, TimerInput
from stateward_server.model.wait import Reply, Wait
from stateward_server.ports.clock import Clock
from stateward_server.ports.host import Address, HostLost, MachineHost
from stateward_server.ports.store import Loaded, Store, StoreFault

log = structlog.get_logger()

_RETRY_TIMER_MS = 30_000
_RETRY_TIMER_MAX_MS = 3_600_000


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
        self._committer = Committer(store, publish)
        self._alarms = Alarms(clock)
        self._timers = TimerQueue(store, clock, self._alarms, limits.timers_near, self._fire)
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
            undelivered=self._undelivered,
        )
        self._directory = Directory(self._room)
        self._tasks = asyncio.TaskGroup()
        self._loops: list[asyncio.Task[None]] = []
        self._turning: set[asyncio.Task[None]] = set()
        self._draining = False

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        for loop in (self._committer.run(), self._alarms.run(), self._timers.run()):
            self._loops.append(self._tasks.create_task(loop))
        self._spawn(self._recover())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain()
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
        existing = await self._directory.wake(key)
        if existing is not None:
            return await self._existing(key, existing, request, wait)
        uid = await self._store.allocate_uid()
        instance = Instance(uid, key, version, self._clock.now_ms())
        at = Address(version, uid)
        step = await self._start(at, key, context_json, auth_json)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        envelope = Envelope(
            EventInput(step.event_json, auth_json), Cause.CREATED, request, wait=wait, reply=reply
        )
        commit = plan(instance, 0, [(envelope, step)], {}, now_ms=instance.created_at, epoch=self._room.epoch)
        try:
            result = await asyncio.shield(self._committer.submit(commit))
        except StoreFault:
            self._host.abort(at, 0)
            raise refusals.no_store() from None
        if isinstance(result, Committed):
            actor = Actor(self._room, Loaded(instance, commit.transitions[0]), (), warm=True)
            self._directory.admit(actor)
            actor.adopt(commit, [(envelope, step)])
            return instance, await reply
        self._host.abort(at, 0)
        existing = await self._directory.wake(key)
        if existing is None or not isinstance(result, Repeated):
            raise _exists(key)
        return await self._existing(key, existing, request, wait)

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
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        actor.deliver(
            Envelope(EventInput(event_json, auth_json), Cause.EVENT, request, expected_revision, wait, reply)
        )
        return await reply

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
        try:
            answer = await self._host.allow_read(at, transition.revision, auth_json, None)
            if answer is None:
                resume = Resume(instance.key.name, transition.snapshot_json)
                answer = await self._host.allow_read(at, transition.revision, auth_json, resume)
        except HostLost:
            raise refusals.no_host() from None
        return bool(answer)

    async def delete(self, key: InstanceKey, request: RequestRecord | None = None) -> None:
        """Delete an instance after the turns that have begun. Raises NotFound."""
        self._refuse_when_draining()
        actor = await self._directory.wake(key)
        if actor is None:
            raise refusals.gone(key)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        actor.deliver(Farewell(done, request))
        await done
        self._directory.remove(actor)

    async def drain(self) -> None:
        """Take no more mail, finish the turns that have begun, end the waits."""
        self._draining = True
        while self._turning:
            await asyncio.wait(tuple(self._turning))
        for actor in self._directory:
            actor.waiters.refuse_all(refusals.draining())

    # ------------------------------------------------------------------ the inner doors

    def inbox(self, uid: InstanceUid) -> None:
        """A service of the instance has something to say (HostListener)."""
        actor = self._directory.find_uid(uid)
        if actor is not None and not actor.gone:
            actor.deliver(Envelope(InboxInput(), Cause.SERVICE))

    def lost(self, version: VersionId) -> None:
        """The process of a version died (HostListener)."""
        for actor in self._directory:
            if actor.instance.version == version and not actor.gone:
                actor.chill()

    def logged(self, version: VersionId, uid: InstanceUid | None, level: str, text: str) -> None:
        """User code wrote to its console (HostListener)."""
        actor = self._directory.find_uid(uid) if uid is not None else None
        where = {"machine": actor.instance.key.machine, "instance": actor.instance.key.name} if actor else {}
        log.info("machine_logged", version=version, level=level, text=text, **where)

    def _fire(self, row: TimerRow, attempt: int = 0) -> None:
        actor = self._directory.find_uid(row.uid)
        if actor is None:
            self._spawn(self._fire_at_sleeper(row, attempt))
        elif not actor.gone:
            timer = TimerInput(row.id, row.event_json, row.target)
            actor.deliver(Envelope(timer, Cause.TIMER, due_ms=row.due_ms, attempt=attempt))

    async def _fire_at_sleeper(self, row: TimerRow, attempt: int) -> None:
        try:
            actor = await self._directory.wake_uid(row.uid)
        except StoreFault as fault:
            log.error("timer_delayed", error=str(fault))
            self._timers.again(row, self._clock.now_ms() + self._room.limits.retry_ms, attempt)
            return
        if actor is not None:
            self._fire(row, attempt)

    def _undelivered(self, instance: Instance, envelope: Envelope, error: StatewardError) -> None:
        """The machine could not take internal mail: a timer is tried again, with growing pauses."""
        log.error(
            "internal_event_failed",
            machine=instance.key.machine,
            instance=instance.key.name,
            cause=envelope.cause.value,
            reason=error.reason,
            attempt=envelope.attempt,
        )
        actor = self._directory.find_uid(instance.uid)
        if isinstance(envelope.input, TimerInput) and actor is not None:
            row = actor.timers.get(envelope.input.id)
            if row is not None:
                pause = min(_RETRY_TIMER_MS << min(envelope.attempt, 10), _RETRY_TIMER_MAX_MS)
                self._timers.again(row, self._clock.now_ms() + pause, envelope.attempt + 1)

    async def _recover(self) -> None:
        """Wake the instances whose services ran when the server stopped: each gets its error event."""
        after = InstanceUid(0)
        while page := await self._store.unsettled(after, 256):
            for uid in page:
                actor = await self._directory.wake_uid(uid)
                if actor is not None:
                    actor.deliver(Probe())
            after = page[-1]

    # ------------------------------------------------------------------ helpers

    async def _start(self, at: Address, key: InstanceKey, context_json: str | None, auth_json: str) -> Step:
        for _ in range(2):
            try:
                outcome = await self._host.start(at, key.name, context_json, auth_json)
            except HostLost:
                continue
            match outcome:
                case Step():
                    return outcome
                case Denied():
                    raise refusals.denied(key)
                case Failed(reason, message):
                    raise refusals.failed(reason, message)
        raise refusals.no_host()

    async def _existing(
        self, key: InstanceKey, actor: Actor, request: RequestTag | None, wait: Wait
    ) -> tuple[Instance, Reply]:
        """Answer the creation of something that exists: a repeat gets its outcome, all else a refusal."""
        stored = await self._store.find_request(actor.instance.uid, request.id) if request else None
        if stored is None or stored.revision != 1 or request is None or stored.request is None:
            raise _exists(key)
        if stored.request.digest != request.digest:
            raise refusals.reused(request.id)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        envelope = Envelope(
            EventInput(stored.event_json, None), Cause.CREATED, request, wait=wait, reply=reply
        )
        actor.waiters.answer(envelope, stored, actor.last, replayed=True)
        return actor.instance, await reply

    def _refuse_when_draining(self) -> None:
        if self._draining:
            raise refusals.draining()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        # A fresh context: a turn must not log under the request id of the call that happened to start it.
        task = self._tasks.create_task(work, context=Context())
        self._turning.add(task)
        task.add_done_callback(self._turning.discard)


def _exists(key: InstanceKey) -> AlreadyExists:
    return AlreadyExists(
        "INSTANCE_EXISTS",
        f"machine {key.machine!r} already has an instance {key.name!r}: read it, or choose another name",
        machine=key.machine,
        instance=key.name,
    )
