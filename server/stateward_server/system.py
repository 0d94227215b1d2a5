"""The real clock and the real randomness: the only place that asks the operating system for either."""

from __future__ import annotations

import asyncio
import os
import time

_CHUNK_MS = 60_000


class SystemClock:
    """Wall time (Clock)."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep_until(self, due_ms: int) -> None:
        # In chunks, so that a wall clock that is set forward is noticed within a minute.
        while (left := due_ms - self.now_ms()) > 0:  # noqa: ASYNC110 - time itself is the event
            await asyncio.sleep(min(left, _CHUNK_MS) / 1000)


class SystemEntropy:
    """The operating system's random bytes (Entropy)."""

    def token_bytes(self, count: int) -> bytes:
        return os.urandom(count)
