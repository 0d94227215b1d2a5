"""Sends what instances owe to others, in the order of each sender and receiver, until it has arrived.

The outbox on disk is the truth; memory holds some of it. A parcel leaves the disk after it has been
delivered, so it may be delivered twice; the receiver knows its position and takes it once. A pair of sender
and receiver that has to wait, because an attempt failed or the receiver is paused, leaves memory and is read
again in its time, so that no number of them stands in the way of others. So do all pairs with a receiver
whose machine does not answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any

import structlog

from stateward_server.engine.alarms import Alarm, Alarms
from stateward_server.engine.pauses import PATIENCE_MS, Verdict, backoff, trouble_pause, verdict
from stateward_server.engine.plan import unborn
from stateward_server.engine.refusals import no_store
from stateward_server.model.errors import Internal, StatewardError
from stateward_server.model.ledger import DeadLetter, InstanceKey, Owed
from stateward_server.model.limits import EngineLimits
from stateward_server.model.names import InstanceName, InstanceUid, MachineName, OrgId
from stateward_server.model.outbox import ParcelKind
from stateward_server.ports.clock import Clock
from stateward_server.ports.store import Outbox, StoreFault

log = structlog.get_logger()

_PAGE = 256
_TURN = 16
"""Parcels of one lane before others have their turn."""
_ACK_AT_ONCE = 128
_ACK_AFTER_MS = 100
_PUT_OFF_MS = 2_000

_Lane = tuple[InstanceUid, str, str]
"""Sender and receiver: the receiver as the sender names it."""


_Machine = tuple[OrgId, str]


@dataclass(slots=True)
class _Waiting:
    """What is on disk only of a lane: from `position` on. Blocked lanes wait for an alarm, or a resume."""

    position: int
    blocked: bool = False


@dataclass(slots=True)
class RelayTools:
    """What the relay works with. `deliver` raises StatewardError or StoreFault."""

    outbox: Outbox
    deliver: Callable[[Owed], Awaitable[None]]
    clock: Clock
    alarms: Alarms
    limits: EngineLimits
    spawn: Callable[[Coroutine[Any, Any, None]], None]


class _Step(Enum):
    """What has become of the first parcel of a lane."""

    ARRIVED = "arrived"
    BURIED = "buried"
    WAITS = "waits"


class Relay:
    """One for the whole server. Delivers for a bounded number of lanes at once."""

    def __init__(self, tools: RelayTools) -> None:
        self._tools = tools
        self._lanes: dict[_Lane, deque[Owed]] = {}
        self._ready: deque[_Lane] = deque()
        self._waiting: dict[_Lane, _Waiting] = {}
        self._paused: dict[InstanceKey, set[_Lane]] = {}
        self._resumes = 0
        self._troubles: dict[_Lane, int] = {}
        self._known: set[int] = set()
        """Positions in memory: waiting, on their way, or arrived and not yet deleted."""
        self._arrived: list[int] = []
        self._flying = 0
        self._aside: dict[_Lane, _Machine] = {}
        """Lanes on their way to machines that do not answer: they do not count, and others wait for them."""
        self._cursor = 0
        self._more = True
        """There may be rows behind the cursor."""
        self._acknowledging = False
        self._stopped = False
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Hear that parcels were committed."""
        self._more = True
        self._wake.set()

    def revisit(self, position: int) -> None:
        """Hear that a parcel is back at an old place."""
        self._rewind(position)

    def resumed(self, key: InstanceKey) -> None:
        """Hear that an instance takes mail again."""
        self._resumes += 1
        for lane in self._paused.pop(key, ()):
            self._unblock(lane)

    def stop(self) -> None:
        """Begin nothing new: the rows are on disk."""
        self._stopped = True

    async def run(self) -> None:
        """Read and deliver until cancelled."""
        while True:
            self._wake.clear()
            if len(self._arrived) >= _ACK_AT_ONCE or self._acknowledging:
                await self._acknowledge()
            if self._more and not self._stopped and len(self._known) < self._tools.limits.owed_near:
                await self._read()
                self._wake.set()
            self._take_off()
            await self._wake.wait()

    async def _read(self) -> None:
        start = self._cursor
        self._more = False
        try:
            page = await self._tools.outbox.owed_after(start, _PAGE)
        except StoreFault as fault:
            log.error("outbox_unreadable", error=str(fault))
            self._tools.alarms.set(self._tools.clock.now_ms() + self._tools.limits.retry_ms, self.wake)
            return
        if self._cursor != start:  # something before this page is wanted first
            self._more = True
            return
        self._more = self._more or len(page) == _PAGE
        for owed in page:
            self._cursor = owed.position
            if owed.position not in self._known:
                self._sort(owed)

    def _sort(self, owed: Owed) -> None:
        lane = _lane(owed)
        if (waiting := self._waiting.get(lane)) is not None:
            # One that was put back is before what the lane waits with.
            waiting.position = min(waiting.position, owed.position)
            return
        rows = self._lanes.get(lane)
        if rows is None:
            self._lanes[lane] = rows = deque()
            self._ready.append(lane)
        elif len(rows) >= self._tools.limits.owed_each:
            self._waiting[lane] = _Waiting(owed.position)
            return
        rows.append(owed)
        self._known.add(owed.position)

    def _take_off(self) -> None:
        slow = set(self._aside.values())
        while self._ready and self._flying < self._tools.limits.relays and not self._stopped:
            lane = self._ready.popleft()
            if slow and self._machine(lane) in slow:
                self._put_off(lane)
            else:
                self._flying += 1
                self._tools.spawn(self._serve(lane))

    def _machine(self, lane: _Lane) -> _Machine:
        return (self._lanes[lane][0].sender.org, lane[1])

    def _put_off(self, lane: _Lane) -> None:
        rows = self._lanes.pop(lane)
        self._known.difference_update(owed.position for owed in rows)
        self._block(lane, rows[0], self._tools.clock.now_ms() + _PUT_OFF_MS)
        self._wake.set()

    def _lose_patience(self, lane: _Lane, machine: _Machine) -> Alarm:
        """Set the lane aside if its parcel takes long."""

        def lost() -> None:
            if lane not in self._aside:
                self._aside[lane] = machine
                self._flying -= 1
                self._wake.set()

        return self._tools.alarms.set(self._tools.clock.now_ms() + PATIENCE_MS, lost)

    async def _serve(self, lane: _Lane) -> None:
        rows, machine = self._lanes[lane], self._machine(lane)
        try:
            for _ in range(_TURN):
                if self._stopped or not rows:
                    break
                impatient = self._lose_patience(lane, machine)
                try:
                    step = await self._attempt(lane, rows[0])
                finally:
                    impatient.cancel()
                if step is _Step.WAITS:
                    break
                position = rows.popleft().position
                self._troubles.pop(lane, None)
                if step is _Step.ARRIVED:
                    self._arrived.append(position)
                else:
                    self._known.discard(position)
        finally:
            if self._aside.pop(lane, None) is None:
                self._flying -= 1
            self._land(lane, rows)
            self._wake.set()

    def _land(self, lane: _Lane, rows: deque[Owed]) -> None:
        if self._arrived and not self._acknowledging:
            self._tools.alarms.set(self._tools.clock.now_ms() + _ACK_AFTER_MS, self._time_to_acknowledge)
        waiting = self._waiting.get(lane)
        if rows and (waiting is None or not waiting.blocked):
            self._ready.append(lane)
            return
        del self._lanes[lane]
        for owed in rows:
            self._known.discard(owed.position)
        if waiting is not None and not waiting.blocked:
            del self._waiting[lane]
            self._rewind(waiting.position)

    async def _attempt(self, lane: _Lane, owed: Owed) -> _Step:
        """Deliver one parcel, or bury it, or make its lane wait."""
        if owed.parcel.not_before_ms > self._tools.clock.now_ms():
            self._block(lane, owed, owed.parcel.not_before_ms)
            return _Step.WAITS
        resumes = self._resumes
        try:
            await self._tools.deliver(owed)
        except StatewardError as error:
            refusal = error
        except StoreFault:
            refusal = no_store()
        except Exception:
            log.exception("delivery_failed", position=owed.position)
            refusal = Internal("INTERNAL", "the server met an error of its own")
        else:
            return _Step.ARRIVED
        judged = verdict(refusal)
        if judged is Verdict.PAUSED:
            self._wait_for_resume(lane, owed, missed=resumes != self._resumes)
        elif judged is Verdict.TROUBLE:
            self._block_for_trouble(lane, owed, refusal)
        else:
            try:
                return await self._count(lane, owed, refusal, final=judged is Verdict.FINAL)
            except StoreFault:
                self._block_for_trouble(lane, owed, no_store())
        return _Step.WAITS

    async def _count(self, lane: _Lane, owed: Owed, error: StatewardError, *, final: bool) -> _Step:
        attempts = owed.parcel.attempt + 1
        sender, to = owed.sender, owed.parcel.to
        final = final or attempts >= self._tools.limits.attempts
        log.error(
            "dead_letter_written" if final else "delivery_refused",
            machine=sender.machine,
            instance=sender.name,
            kind=owed.parcel.kind.value,
            to_machine=to.machine[:200],
            to_instance=to.instance[:200],
            reason=error.reason,
            attempt=attempts,
        )
        now = self._tools.clock.now_ms()
        if final:
            letter = DeadLetter(
                0, owed.uid, sender, owed.parcel, owed.position, error.reason, error.message, attempts, now
            )
            word = unborn(owed, error) if owed.parcel.kind is ParcelKind.SPAWN else None
            await self._tools.outbox.bury(letter, word)
            if word is not None:
                self.wake()
            return _Step.BURIED
        later = now + backoff(self._tools.limits, attempts)
        await self._tools.outbox.postpone(owed.position, attempts, later)
        self._block(lane, owed, later)
        return _Step.WAITS

    # ------------------------------------------------------------------ waiting

    def _wait_for_resume(self, lane: _Lane, owed: Owed, *, missed: bool) -> None:
        if missed:  # somebody was resumed while the refusal was on its way: ask again
            self._block(lane, owed, self._tools.clock.now_ms())
            return
        self._block(lane, owed, None)
        key = InstanceKey(owed.sender.org, MachineName(lane[1]), InstanceName(lane[2]))
        self._paused.setdefault(key, set()).add(lane)

    def _block_for_trouble(self, lane: _Lane, owed: Owed, error: StatewardError) -> None:
        times = self._troubles.get(lane, 0) + 1
        self._troubles[lane] = times
        log.warning("delivery_delayed", position=owed.position, reason=error.reason, times=times)
        self._block(lane, owed, self._tools.clock.now_ms() + trouble_pause(self._tools.limits, times))

    def _block(self, lane: _Lane, owed: Owed, until_ms: int | None) -> None:
        self._waiting[lane] = _Waiting(owed.position, blocked=True)
        if until_ms is not None:
            self._tools.alarms.set(until_ms, lambda: self._unblock(lane))

    def _unblock(self, lane: _Lane) -> None:
        waiting = self._waiting.pop(lane, None)
        if waiting is not None:
            self._rewind(waiting.position)

    def _rewind(self, position: int) -> None:
        self._cursor = min(self._cursor, position - 1)
        self.wake()

    # ------------------------------------------------------------------ what has arrived

    def _time_to_acknowledge(self) -> None:
        self._acknowledging = True
        self._wake.set()

    async def _acknowledge(self) -> None:
        self._acknowledging = False
        arrived, self._arrived = self._arrived, []
        if not arrived:
            return
        try:
            await self._tools.outbox.acknowledge(arrived)
        except StoreFault as fault:
            log.error("outbox_not_acknowledged", error=str(fault))
            self._arrived = arrived + self._arrived
            later = self._tools.clock.now_ms() + self._tools.limits.retry_ms
            self._tools.alarms.set(later, self._time_to_acknowledge)
            return
        self._known.difference_update(arrived)


def _lane(owed: Owed) -> _Lane:
    return (owed.uid, owed.parcel.to.machine, owed.parcel.to.instance)
