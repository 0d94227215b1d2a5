"""A callback that is told of every update of a stream, until it is stopped."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Callback = Callable[[T], Awaitable[object] | object]
"""A function of one update; if it is async, the next update waits for it."""

log = logging.getLogger("stateward")


class Updates(Protocol[T_co]):
    """An async iterator that can be closed."""

    def __aiter__(self) -> Updates[T_co]: ...

    async def __anext__(self) -> T_co: ...

    async def aclose(self) -> None: ...


class Listener(Generic[T]):
    """A callback at work. `stop()` takes it off; `await wait()` tells how it ended.

    It ends by itself when the stream does. An error of the stream or of the callback ends it too: it is
    raised by `wait`, and logged if nobody waits.
    """

    def __init__(self, updates: Updates[T], callback: Callback[T]) -> None:
        self._updates = updates
        self._callback = callback
        self._awaited = False
        self._stopped = False
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(self._log_error)

    @property
    def active(self) -> bool:
        """Whether more may come."""
        return not self._task.done()

    def stop(self) -> None:
        """Take the callback off; it is not called again. Stopping twice does nothing."""
        self._stopped = True
        self._task.cancel()

    async def wait(self) -> None:
        """Return once it has ended. Raises what ended it, unless that was `stop` or the end of the stream."""
        self._awaited = True
        try:
            await asyncio.shield(self._task)
        except asyncio.CancelledError:
            if not self._stopped or not self._task.done():
                raise

    async def _run(self) -> None:
        try:
            async for update in self._updates:
                answer = self._callback(update)
                if inspect.isawaitable(answer):
                    await answer
        finally:
            await self._updates.aclose()

    def _log_error(self, task: asyncio.Future[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self._awaited:
            log.error("a listener ended: %s", error, exc_info=error)
