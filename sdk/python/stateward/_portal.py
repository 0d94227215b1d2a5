"""An event loop in a thread of its own, for code that does not await.

Promises that interrupting a wait (Ctrl-C) cancels the work behind it, that nothing runs after `close`, and
that a forgotten client does not keep a program from ending. Any thread but its own may use it.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")
Item = TypeVar("Item")


class Portal:
    """Runs coroutines in its thread while their callers wait."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._closed = False
        # Guards `_closed`: what is submitted before the end still comes before it in the loop's queue.
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="stateward", daemon=True)
        self._thread.start()
        # Later, the interpreter freezes this thread, and closing a forgotten generator would wait for ever.
        atexit.register(self.close)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what the coroutine returns, or raise what it raises."""
        future = self._submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(
        self, items: AsyncIterator[Item], *, close: Callable[[], Coroutine[Any, Any, None]] | None = None
    ) -> Generator[Item, None, None]:
        """Yield the items one by one; the generator runs `close` at its end, however it comes about."""
        try:
            while found := self.run(_next(items)):
                yield found[0]
        finally:
            if close is not None and not self._closed:
                self.run(close())

    def close(self, last: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Run one last coroutine, then end the thread and what still runs in it. Harmless when repeated."""
        if last is not None and not self._closed:
            self.run(last())
        if self._mark_closed():
            atexit.unregister(self.close)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _mark_closed(self) -> bool:
        """Tell whether this call was the first to do it."""
        with self._lock:
            was_closed, self._closed = self._closed, True
        return not was_closed

    def _submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        with self._lock:
            inside = threading.current_thread() is self._thread
            if not (self._closed or inside):
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        if inside:
            raise RuntimeError("a blocking client cannot wait in its own thread, as in a token function")
        raise RuntimeError("the client is closed")

    def _serve(self) -> None:
        try:
            self._loop.run_forever()
            while leftovers := asyncio.all_tasks(self._loop):
                for task in leftovers:
                    task.cancel()
                self._loop.run_until_complete(asyncio.gather(*leftovers, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()


async def _next(items: AsyncIterator[Item]) -> list[Item]:
    """Return one item, or none at the end."""
    async for item in items:
        return [item]
    return []
