"""A queue between many writers and one reader, bounded in bytes: a writer waits while it is full.

First come, first served: nobody overtakes who waits. A single item always fits into an empty channel.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Items in the order in which their writers came."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._items: deque[tuple[T, int]] = deque()
        self._writers: deque[tuple[T, int, asyncio.Future[None]]] = deque()
        self._arrival = asyncio.Event()

    @property
    def empty(self) -> bool:
        """Nothing is in it, and nobody waits to be let in."""
        return not self._items and not self._writers

    async def put(self, item: T, size: int) -> None:
        """Add an item; returns when it is in. Cancelled before that, it never was."""
        if not self._writers and self._fits(size):
            self._enter(item, size)
            return
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = (item, size, entered)
        self._writers.append(waiting)
        try:
            await entered
        except asyncio.CancelledError:
            if entered.cancelled():
                self._writers.remove(waiting)
                self._admit()
            raise

    def push(self, item: T, size: int) -> None:
        """Add an item at once, full or not: for what must not wait, and cannot become many."""
        self._enter(item, size)

    async def get(self) -> T:
        """Return the oldest item, waiting for one."""
        while not self._items:
            self._arrival.clear()
            await self._arrival.wait()
        item, size = self._items.popleft()
        self._bytes -= size
        self._admit()
        return item

    def _fits(self, size: int) -> bool:
        return not self._items or self._bytes + size <= self._limit

    def _admit(self) -> None:
        """Let in those who wait, in their order, as far as there is room."""
        while self._writers and self._fits(self._writers[0][1]):
            item, size, entered = self._writers.popleft()
            if not entered.done():
                self._enter(item, size)
                entered.set_result(None)

    def _enter(self, item: T, size: int) -> None:
        self._items.append((item, size))
        self._bytes += size
        self._arrival.set()
