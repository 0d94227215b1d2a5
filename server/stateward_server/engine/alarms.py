"""Call a function at a moment of the injected clock: one heap and one task for the whole engine.

Used for settle limits, waits and the next due timer. Nothing here survives the process.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from stateward_server.ports.clock import Clock


class Alarm:
    """A pending call; `cancel` makes it never happen."""

    __slots__ = ("_action", "_cancelled", "due_ms")

    def __init__(self, due_ms: int, action: Callable[[], None], cancelled: Callable[[], None]) -> None:
        self.due_ms = due_ms
        self._action: Callable[[], None] | None = action
        self._cancelled = cancelled

    def cancel(self) -> None:
        if self._action is not None:
            self._action = None
            self._cancelled()

    @property
    def live(self) -> bool:
        return self._action is not None

    def ring(self) -> None:
        action, self._action = self._action, None
        if action is not None:
            action()


_FEW = 64
"""So many cancelled alarms may wait for their time whatever the number of others."""


class Alarms:
    """Rings alarms in the order of their due times."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[int, int, Alarm]] = []
        self._order = count()
        self._dead = 0
        """Cancelled alarms in the heap."""
        self._earlier = asyncio.Event()

    def __len__(self) -> int:
        """How many alarms take room."""
        return len(self._heap)

    def set(self, due_ms: int, action: Callable[[], None]) -> Alarm:
        """Call `action` once the clock reads `due_ms` or later. It must not block or raise."""
        alarm = Alarm(due_ms, action, self._forget)
        if not self._heap or due_ms < self._heap[0][0]:
            self._earlier.set()
        heapq.heappush(self._heap, (due_ms, next(self._order), alarm))
        return alarm

    async def run(self) -> None:
        """Ring alarms until cancelled."""
        while True:
            self._earlier.clear()
            self.ring_due()
            if not self._heap:
                await self._earlier.wait()
                continue
            sleep = asyncio.ensure_future(self._clock.sleep_until(self._heap[0][0]))
            earlier = asyncio.ensure_future(self._earlier.wait())
            try:
                await asyncio.wait((sleep, earlier), return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleep.cancel()
                earlier.cancel()

    def ring_due(self) -> None:
        """Ring every alarm whose time has come, and forget cancelled ones at the front."""
        now = self._clock.now_ms()
        while self._heap and (self._heap[0][0] <= now or not self._heap[0][2].live):
            alarm = heapq.heappop(self._heap)[2]
            if alarm.live:
                alarm.ring()
            else:
                self._dead -= 1

    def _forget(self) -> None:
        """Sweep out cancelled alarms once they are the most: some would lie here for years."""
        self._dead += 1
        if self._dead > max(_FEW, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if entry[2].live]
            heapq.heapify(self._heap)
            self._dead = 0
