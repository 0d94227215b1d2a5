"""Due timers on their way to their instances: few at once, in due order for each, tried again, never dropped.

After a long downtime any number of timers may be due. Memory holds some of some instances; the queue waits
for the rest. An instance with many of them gets its turn among others, and where a machine does not answer,
all instances of its version are put off, so that others get theirs. What an instance cannot take is tried a
few times, with growing pauses, and then becomes a dead letter in the commit that removes the timer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from stateward_server.engine.actor import Actor
from stateward_server.engine.alarms import Alarm
from stateward_server.engine.envelope import Envelope
from stateward_server.engine.pauses import PATIENCE_MS, Verdict, backoff, trouble_pause, verdict
from stateward_server.engine.refusals import no_store
from stateward_server.engine.room import Room
from stateward_server.model.errors import StatewardError
from stateward_server.model.ledger import Cause, Commit, DeadLetter, Extra, TimerRow
from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.model.step import TimerInput
from stateward_server.ports.store import StoreFault

log = structlog.get_logger()

_Timer = tuple[InstanceUid, str, int]
"""A timer that is set anew is another one, with attempts of its own."""

_PUT_OFF = 65_536
"""So many instances of machines that do not answer are remembered; beyond them all timers wait."""


class Ringer:
    """Delivers due timers; `wake` finds an instance, `go_on` tells the queue that there is room again."""

    def __init__(
        self,
        room: Room,
        wake: Callable[[InstanceUid], Awaitable[Actor | None]],
        go_on: Callable[[], None],
    ) -> None:
        self._room = room
        self._wake = wake
        self._go_on = go_on
        self._lanes: dict[InstanceUid, deque[TimerRow]] = {}
        self._more: set[InstanceUid] = set()
        """Instances with more due timers than their lane has taken."""
        self._slow: dict[VersionId, deque[InstanceUid]] = {}
        """Versions that do not answer, and their instances that were put off: one begins when one ends."""
        self._put_off: set[InstanceUid] = set()
        self._aside: dict[InstanceUid, VersionId] = {}
        """Lanes of slow versions, which do not count."""
        self._failed: dict[_Timer, int] = {}
        self._troubled: dict[_Timer, int] = {}
        self._stopped = False

    def ring(self, row: TimerRow) -> bool:
        """Take a due timer; False when too many instances are being woken already."""
        lane = self._lanes.get(row.uid)
        if lane is None:
            if row.uid in self._put_off:
                return True  # when its turn comes, all that is due is looked up
            if self._stopped or len(self._lanes) - len(self._aside) >= self._room.limits.ringing:
                return False
            self._lanes[row.uid] = deque([row])
            self._room.spawn(self._empty(row.uid))
        elif row.uid not in self._more and len(lane) < self._room.limits.ringing_each:
            lane.append(row)
        else:
            self._more.add(row.uid)
        return True

    def stop(self) -> None:
        """Begin nothing new: the rows are on disk."""
        self._stopped = True

    async def _empty(self, uid: InstanceUid) -> None:
        lane = self._lanes[uid]
        try:
            version = await self._version(uid)
            if version is not None and self._puts_off(uid, version, lane):
                return
            while not self._stopped and (lane or uid in self._more):
                impatient = self._lose_patience(uid, version)
                try:
                    if lane:
                        await self._deliver(lane.popleft())
                    else:
                        await self._refill(uid, lane)
                finally:
                    impatient.cancel()
        finally:
            del self._lanes[uid]
            self._more.discard(uid)
            if not self._stopped:
                self._let_next(self._aside.pop(uid, None))
                self._go_on()

    async def _version(self, uid: InstanceUid) -> VersionId | None:
        """Return the version of an instance; None where there is none, or it cannot be read now."""
        try:
            actor = await self._wake(uid)
        except StoreFault:
            return None
        return None if actor is None else actor.instance.version

    # ------------------------------------------------------------------ machines that do not answer

    def _lose_patience(self, uid: InstanceUid, version: VersionId | None) -> Alarm:
        """Set the lane aside if what it does now takes long."""

        def lost() -> None:
            if version is not None and not self._stopped:
                self._aside[uid] = version
                self._slow.setdefault(version, deque())
                self._go_on()

        return self._room.alarms.set(self._room.clock.now_ms() + PATIENCE_MS, lost)

    def _puts_off(self, uid: InstanceUid, version: VersionId, lane: deque[TimerRow]) -> bool:
        """Let a lane wait that has just begun, if its version is slow; its turn comes by `_let_next`."""
        waiting = self._slow.get(version)
        if waiting is None or uid in self._aside or len(self._put_off) >= _PUT_OFF:
            return False
        waiting.append(uid)
        self._put_off.add(uid)
        for row in lane:
            if self._rests(row):  # these are not looked up
                self._later(row, self._room.limits.retry_ms)
        return True

    def _let_next(self, version: VersionId | None) -> None:
        """A lane of a slow version has ended: begin one put off. With the last of them it is slow no more."""
        if version is None:
            return
        if waiting := self._slow.get(version):
            uid = waiting.popleft()
            self._put_off.discard(uid)
            self._lanes[uid] = deque()
            self._more.add(uid)
            self._aside[uid] = version
            self._room.spawn(self._empty(uid))
        elif version not in self._aside.values():
            self._slow.pop(version, None)

    # ------------------------------------------------------------------ delivery

    async def _refill(self, uid: InstanceUid, lane: deque[TimerRow]) -> None:
        """Take all due timers of an instance that has many, which its actor holds anyway.

        Those that wait for another try come by themselves.
        """
        now = self._room.clock.now_ms()
        try:
            actor = await self._wake(uid)
        except StoreFault as fault:
            log.error("timers_delayed", error=str(fault))
            await self._room.clock.sleep_until(now + self._room.limits.retry_ms)
            return
        self._more.discard(uid)
        if actor is None:
            return
        due = [row for row in actor.timers.values() if row.due_ms <= now and not self._rests(row)]
        lane.extend(sorted(due, key=lambda row: (row.due_ms, row.id)))

    def _rests(self, row: TimerRow) -> bool:
        return _timer(row) in self._failed or _timer(row) in self._troubled

    async def _deliver(self, row: TimerRow) -> None:
        timer = _timer(row)
        try:
            actor = await self._wake(row.uid)
        except StoreFault:
            self._again_after_trouble(row, no_store())
            return
        if actor is None or actor.gone:
            self._forget(timer)
            return
        try:
            await actor.ask(
                Envelope(TimerInput(row.id, row.event_json, row.target), Cause.TIMER, due_ms=row.due_ms)
            )
        except StatewardError as error:
            await self._judge(actor, row, error)
        else:
            self._forget(timer)

    async def _judge(self, actor: Actor, row: TimerRow, error: StatewardError) -> None:
        match verdict(error):
            case Verdict.PAUSED:
                # Whoever resumes the instance arms its timers again.
                self._forget(_timer(row))
            case Verdict.TROUBLE:
                self._again_after_trouble(row, error)
            case Verdict.AGAIN | Verdict.FINAL if actor.gone or row.id not in actor.timers:
                self._forget(_timer(row))
            case Verdict.AGAIN | Verdict.FINAL:
                await self._count(actor, row, error)

    def _again_after_trouble(self, row: TimerRow, error: StatewardError) -> None:
        timer = _timer(row)
        times = self._troubled.get(timer, 0) + 1
        self._troubled[timer] = times
        log.warning("timer_delayed", timer=row.id, reason=error.reason, times=times)
        self._later(row, trouble_pause(self._room.limits, times))

    async def _count(self, actor: Actor, row: TimerRow, error: StatewardError) -> None:
        timer = _timer(row)
        attempts = self._failed.get(timer, 0) + 1
        key = actor.instance.key
        log.error(
            "timer_failed",
            machine=key.machine,
            instance=key.name,
            timer=row.id,
            reason=error.reason,
            attempt=attempts,
        )
        if attempts < self._room.limits.attempts:
            self._failed[timer] = attempts
            self._later(row, backoff(self._room.limits, attempts))
            return
        try:
            awake = await self._wake(row.uid)  # it may have fallen asleep meanwhile
            if awake is not None:
                await awake.between_turns(lambda: self._bury(awake, row, error, attempts))
        except StoreFault:
            self._again_after_trouble(row, no_store())
        except StatewardError as trouble:
            self._again_after_trouble(row, trouble)
        else:
            self._forget(timer)

    async def _bury(self, actor: Actor, row: TimerRow, error: StatewardError, attempts: int) -> None:
        """Make a dead letter of the timer, unless it has been replaced or cancelled meanwhile."""
        if actor.timers.get(row.id) != row:
            return
        now = self._room.clock.now_ms()
        key = actor.instance.key
        letter = DeadLetter(0, row.uid, key, row, None, error.reason, error.message, attempts, now)
        extra = Extra(letters=(letter,))
        await actor.file(Commit(actor.instance, actor.last.revision, (), (), (row.id,), extra))
        log.error("dead_letter_written", machine=key.machine, instance=key.name, timer=row.id)

    def _later(self, row: TimerRow, pause_ms: int) -> None:
        self._room.alarms.set(self._room.clock.now_ms() + pause_ms, lambda: self._ring_again(row, pause_ms))

    def _ring_again(self, row: TimerRow, pause_ms: int) -> None:
        # A full lane would leave it to the refill, which passes over what waits for another try.
        full = len(self._lanes.get(row.uid, ())) >= self._room.limits.ringing_each
        if not self._stopped and (full or row.uid in self._put_off or not self.ring(row)):
            self._later(row, pause_ms)

    def _forget(self, timer: _Timer) -> None:
        self._failed.pop(timer, None)
        self._troubled.pop(timer, None)


def _timer(row: TimerRow) -> _Timer:
    return (row.uid, row.id, row.due_ms)
