"""What all streams share: an async iterator that reopens its stream where it was, and says so.

Promises: a lost connection is reopened with growing, random pauses, for as long as it takes once it has been
there; what cannot be cured is raised, once. Breaking out of the loop, cancelling it or `aclose` ends the
stream at once. Never runs ahead of its reader: nothing is fetched while nobody asks.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from ._retry import repeatable
from ._transport import Caller
from ._watch_calls import Stream
from .errors import StatewardError, SubscriberTooSlow, Unauthenticated, Unavailable
from .state import Reconnect

FrameT = TypeVar("FrameT")
Item = TypeVar("Item")
T = TypeVar("T")

OnReconnect = Callable[[Reconnect], object]

log = logging.getLogger("stateward")

QUIET_LIMIT = 90.0
"""Seconds without any frame, progress included, after which a connection counts as dead."""


class Feed(Generic[FrameT, Item]):
    """An async iterator; as an async context manager it closes itself.

    It survives a cancelled `anext`, as by a timeout: the next one goes on where it stopped. After it raised
    an error, it is over.
    """

    def __init__(
        self, caller: Caller, *, on_reconnect: OnReconnect | None, quiet_limit: float = QUIET_LIMIT
    ) -> None:
        self._caller = caller
        self._on_reconnect = on_reconnect
        self._quiet_limit = quiet_limit
        self._stream: Stream[FrameT] | None = None
        self._pending: asyncio.Future[Any] | None = None
        """What is awaited while there is no stream to read from."""
        self._ready: deque[Item] = deque()
        self._failures = 0
        self._was_connected = False
        self._token_renewed = False
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        while not self._ready:
            if self._over:
                raise StopAsyncIteration
            await self._advance()
        return self._ready.popleft()

    async def aclose(self) -> None:
        """End the stream; the iterator stops, in whichever task it waits."""
        self._over = True
        self._ready.clear()
        if self._pending is not None:
            self._pending.cancel()
        self._disconnect()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # `break` drops the iterator without closing it: the server must not go on sending to nobody.
        self._disconnect()

    # ------------------------------------------------------------------ what each kind of stream does its way

    def _patience(self) -> float | None:
        """Return how many seconds without a frame are too many."""
        return self._quiet_limit

    async def _open(self) -> Stream[FrameT]:
        """Open the stream, to go on where this has come to."""
        raise NotImplementedError

    def _accept(self, frame: FrameT) -> None:
        """Queue what is new in a frame. Raises StatewardError where it says that the stream is over."""
        raise NotImplementedError

    def _ended(self) -> None:
        """The server has ended the stream without an error: by default as if it had been lost."""
        raise Unavailable(f"{self._caller.transport.target} ended the stream")

    def _curable(self, _error: StatewardError) -> bool:
        """Tell whether the stream can be reopened after an error of its own kind."""
        return False

    # ------------------------------------------------------------------ one step

    async def _advance(self) -> None:
        """Take in one frame, or recover from the lack of one."""
        try:
            try:
                frame = await self._next_frame()
                if frame is None:
                    self._ended()
                else:
                    self._accept(frame)
                    self._alive()
            except StatewardError as error:
                self._disconnect()
                await self._recover(error)
        except asyncio.CancelledError:
            self._disconnect()
            if not self._was_closed_elsewhere():
                raise
        except BaseException:
            self._disconnect()
            raise

    async def _next_frame(self) -> FrameT | None:
        """Read one frame. Raises StatewardError for what a reconnect may cure, and for what is refused."""
        target = self._caller.transport.target
        if self._stream is None:
            self._stream = await self._until_closed(self._open())
            if self._over:
                raise asyncio.CancelledError  # `aclose` came at the very moment it was open
        try:
            async with asyncio.timeout(self._patience()):
                return await self._stream.read()
        except TimeoutError:
            raise Unavailable(f"{target} fell silent: no frame for {self._quiet_limit:g} s") from None

    def _alive(self) -> None:
        """Note that the connection works."""
        failures, self._failures = self._failures, 0
        self._was_connected = True
        self._token_renewed = False
        if failures:
            self._tell(Reconnect(failures, None, 0.0))

    async def _recover(self, error: StatewardError) -> None:
        """Wait before the next attempt to connect, or raise what cannot be cured."""
        transport = self._caller.transport
        refused = isinstance(error, Unauthenticated) and transport.renews_tokens and not self._token_renewed
        if not (refused or repeatable(error) or isinstance(error, SubscriberTooSlow) or self._curable(error)):
            self._over = True
            raise error
        self._token_renewed |= refused
        self._failures += 1
        if not self._was_connected and self._failures >= transport.retry.attempts:
            self._over = True
            raise error
        delay = transport.retry.delay(self._failures, error.retry_after)
        log.info("a stream reconnects in %.1f s: %s", delay, error)
        self._tell(Reconnect(self._failures, error, delay))
        await self._until_closed(transport.retry.sleep(delay))

    async def _until_closed(self, work: Awaitable[T]) -> T:
        """Wait for something that takes its time: `aclose` ends that, too."""
        self._pending = pending = asyncio.ensure_future(work)
        try:
            return await pending
        finally:
            self._pending = None

    def _tell(self, event: Reconnect) -> None:
        if self._on_reconnect is not None:
            self._on_reconnect(event)

    def _was_closed_elsewhere(self) -> bool:
        """Tell whether `aclose` in another task ended a read. Raises RuntimeError if it was the client's."""
        task = asyncio.current_task()
        if task is None or task.cancelling():
            return False
        if not self._over:
            self._caller.transport.raise_if_closed()
        return self._over

    def _disconnect(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None
