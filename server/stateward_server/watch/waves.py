"""When readers are woken: at once while that is cheap, and in waves while there is too much news for that.

Telling a reader costs about the same for one change as for ten. So when many readers have just been woken,
what is published next waits until they can have been served, and comes to them in one frame. One timer for
the whole server, and none while little happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Protocol

from stateward_server.watch.buffer import Buffer

COST_S = 80e-6
"""About what it takes to serve one reader, with something left over for whoever makes the news."""


class Waker(Protocol):
    """Decides when the readers of buffers that have news are woken."""

    def wake(self, buffers: Collection[Buffer[Any]]) -> None: ...


class AtOnce:
    """Wakes everyone immediately."""

    def wake(self, buffers: Collection[Buffer[Any]]) -> None:
        for buffer in buffers:
            buffer.wake()


class Waves:
    """Wakes at most as many readers in a time as can be served in it."""

    def __init__(
        self,
        now: Callable[[], float],
        call_at: Callable[[float, Callable[[], None]], object],
        cost_s: float = COST_S,
    ) -> None:
        """`now` and `call_at` are those of the event loop."""
        self._now = now
        self._call_at = call_at
        self._cost_s = cost_s
        self._waiting: set[Buffer[Any]] = set()
        self._free_at = 0.0

    @classmethod
    def on_loop(cls) -> Waves:
        """Waves on the running event loop."""
        loop = asyncio.get_running_loop()
        return cls(loop.time, loop.call_at)

    def wake(self, buffers: Collection[Buffer[Any]]) -> None:
        """Wake these readers now, or with the next wave."""
        now = self._now()
        if self._waiting:
            self._waiting.update(buffers)
        elif now >= self._free_at:
            self._begin(buffers, now)
        else:
            self._waiting.update(buffers)
            self._call_at(self._free_at, self._next)

    def _next(self) -> None:
        waiting, self._waiting = self._waiting, set()
        self._begin(waiting, self._now())

    def _begin(self, buffers: Collection[Buffer[Any]], now: float) -> None:
        self._free_at = now + len(buffers) * self._cost_s
        for buffer in buffers:
            buffer.wake()
