"""Knowing when nothing is on its way: counts the calls through ports that take real time.

Wrap each port once; `landed` returns when no call is in flight. What is not a coroutine passes through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Traffic:
    """Calls begun so far, and calls that have not returned."""

    def __init__(self) -> None:
        self.begun = 0
        self.flying = 0
        self._landed = asyncio.Event()

    def watch(self, port: T) -> T:
        """Return the port with its calls counted, as the port it stands for."""
        return cast("T", _Watched(port, self))

    async def landed(self) -> None:
        """Wait until every call has returned."""
        while self.flying:
            self._landed.clear()
            await self._landed.wait()

    async def _counted(self, call: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        self.begun += 1
        self.flying += 1
        try:
            return await call(*args, **options)
        finally:
            self.flying -= 1
            if not self.flying:
                self._landed.set()

    def counted(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return a function that does the same and is counted."""

        async def counting(*args: Any, **options: Any) -> Any:
            return await self._counted(call, *args, **options)

        return counting


class _Watched:
    def __init__(self, port: object, traffic: Traffic) -> None:
        self._port = port
        self._traffic = traffic

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if asyncio.iscoroutinefunction(found):
            found = self._traffic.counted(found)
        setattr(self, name, found)
        return found
