"""Time and chance as arguments, so that tests own both."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall time in Unix milliseconds, and waiting for a moment of it."""

    def now_ms(self) -> int:
        """Return the current time in Unix milliseconds."""
        ...

    async def sleep_until(self, due_ms: int) -> None:
        """Return once `now_ms() >= due_ms`; at once for a moment already past."""
        ...


class Entropy(Protocol):
    """A source of unpredictable bytes."""

    def token_bytes(self, count: int) -> bytes:
        """Return `count` random bytes."""
        ...
