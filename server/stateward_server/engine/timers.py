"""Due timers: the row is the truth, memory holds only the nearest ones.

Firing is a delivery like any other; the commit that acts on a timer deletes its row, so each acts once.
A copy in memory may be stale: the actor checks it against its own rows. Late ones fire in due order.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

import structlog

from stateward_server.engine.alarms import Alarm, Alarms
from stateward_server.model.ledger import TimerRow
from stateward_server.model.names import InstanceUid
from stateward_server.ports.clock import Clock
from stateward_server.ports.store import StoreFault, Timers

log = structlog.get_logger()

_START = (-1, InstanceUid(0), "")
_Key = tuple[int, InstanceUid, str]

_PAGE = 256
"""Rows read at once: the loop is busy for milliseconds with a page, and what is due then is late by that."""


class TimerQueue:
    """Feeds timers to `fire` when they come due; False from it means: not now, I call `go_on`."""

    def __init__(
        self, rows: Timers, clock: Clock, alarms: Alarms, near: int, fire: Callable[[TimerRow], bool]
    ) -> None:
        self._rows = rows
        self._clock = clock
        self._alarms = alarms
        self._near = near
        self._page = max(1, min(_PAGE, near // 2))
        self._fire = fire
        self._heap: list[tuple[_Key, int, TimerRow]] = []
        self._order = count()
        """Tells a timer from one that has replaced it for the same moment."""
        self._horizon: _Key | None = _START
        """Every row up to here is in the heap; None means every row there is."""
        self._reading = False
        self._alarm: Alarm | None = None
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """How many timers, or copies of such as are no more, are in memory."""
        return len(self._heap)

    def arm(self, row: TimerRow) -> None:
        """Hear of a committed timer."""
        key = (row.due_ms, row.uid, row.id)
        # While a page is being read its new horizon is unknown; a copy too many is harmless.
        if self._horizon is None or self._reading or key <= self._horizon:
            self._push(key, row)
            if self._heap[0][0] == key:
                self._look_ahead()
            if not self._reading:
                self._trim()

    def go_on(self) -> None:
        """Fire what is due: there is room again."""
        if self._alarm is None or not self._alarm.live:
            self._fire_due()

    async def run(self) -> None:
        """Refill from disk whenever memory runs low, until cancelled."""
        while True:
            if self._horizon is not None and len(self._heap) <= self._near - self._page:
                await self._refill(self._horizon)
                self._look_ahead()
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _refill(self, horizon: _Key) -> None:
        self._reading = True
        try:
            page = await self._rows.due_after(horizon, self._page)
        except StoreFault as fault:
            log.error("timers_unreadable", error=str(fault))
            await self._clock.sleep_until(self._clock.now_ms() + 1_000)
            return
        finally:
            self._reading = False
        for row in page:
            self._push((row.due_ms, row.uid, row.id), row)
        last = page[-1] if len(page) == self._page else None
        self._horizon = None if last is None else (last.due_ms, last.uid, last.id)
        self._trim()

    def _push(self, key: _Key, row: TimerRow) -> None:
        heapq.heappush(self._heap, (key, next(self._order), row))

    def _trim(self) -> None:
        """Leave the farther ones on disk when there are too many: the cancelled have copies here, too."""
        if len(self._heap) <= 2 * self._near:
            return
        self._heap.sort()
        end = self._near
        while end < len(self._heap) and self._heap[end][0] == self._heap[end - 1][0]:
            end += 1
        del self._heap[end:]
        self._horizon = self._heap[-1][0]

    def _look_ahead(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._heap:
            self._alarm = self._alarms.set(self._heap[0][0][0], self._fire_due)

    def _fire_due(self) -> None:
        now = self._clock.now_ms()
        while self._heap and self._heap[0][0][0] <= now:
            if not self._fire(self._heap[0][2]):
                return
            heapq.heappop(self._heap)
        self._look_ahead()
        self._wake.set()
