"""A clock that moves only when told, and randomness that repeats: the ports `Clock` and `Entropy` for tests.

Sleepers wake in the order of their due times. Nothing here waits for real time.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
from collections.abc import Awaitable, Callable
from itertools import count


class ManualClock:
    """Wall time in the test's hands (Clock)."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    def now_ms(self) -> int:
        return self._now_ms

    async def sleep_until(self, due_ms: int) -> None:
        if due_ms > self._now_ms:
            awake = asyncio.get_running_loop().create_future()
            heapq.heappush(self._sleepers, (due_ms, next(self._order), awake))
            await awake

    def set(self, now_ms: int) -> None:
        """Set the time, also backwards, and wake everyone who is due. Woken tasks run at the next await."""
        self._now_ms = now_ms
        while self._sleepers and self._sleepers[0][0] <= now_ms:
            _, _, awake = heapq.heappop(self._sleepers)
            if not awake.done():
                awake.set_result(None)

    async def advance(self, ms: int, rest: Callable[[], Awaitable[None]] | None = None) -> None:
        """Let time pass in steps: stop at each due time on the way and let everything run until it rests.

        `rest` returns when nothing moves any more; it is needed where work leaves the event loop.
        """
        rest = rest or settle
        end = self._now_ms + ms
        await rest()
        while (due := self._next()) is not None and due <= end:
            self.set(max(self._now_ms, due))
            await rest()
        self.set(end)
        await rest()

    def _next(self) -> int | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    @property
    def sleeping(self) -> int:
        """How many are asleep."""
        return sum(not awake.done() for _, _, awake in self._sleepers)


class SeededEntropy:
    """Bytes that look random and are the same in every run (Entropy)."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._drawn = 0

    def token_bytes(self, count: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"{self._seed}:{self._drawn}".encode()).digest(count)


async def settle(rounds: int = 50) -> None:
    """Let every task that can run, run: enough turns of the loop for chains of awaits without I/O."""
    for _ in range(rounds):
        await asyncio.sleep(0)  # noqa: TID251 - no time passes: this yields to the loop
