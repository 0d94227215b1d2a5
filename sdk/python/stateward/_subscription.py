"""A subscription: one instance's states, in order, across lost connections and server restarts.

Promises: no revision is delivered twice or out of order; with `every_transition` none is left out. A lost
connection is reopened right after the last frame. Breaking out of the loop, cancelling it or `aclose` ends
the stream at once. Never runs ahead of its reader: nothing is fetched while nobody asks.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from types import TracebackType
from typing import Self

import grpc

from ._calls import Stream, Watch
from ._convert import Frame
from ._retry import repeatable
from ._status import error_from
from ._transport import Caller
from .errors import Internal, ResumeTokenExpired, StatewardError, SubscriberTooSlow, Unavailable
from .state import State, Update

log = logging.getLogger("stateward")

QUIET_LIMIT = 90.0
"""Seconds without any frame, progress included, after which a connection counts as dead."""


class Subscription:
    """An async iterator of `Update`s; as an async context manager it closes itself.

    It ends after the state in which the instance has ended (done, failed or stopped). It survives a cancelled
    `anext`, as by a timeout: the next one goes on where it stopped. After it raised an error, it is over.
    """

    def __init__(
        self,
        caller: Caller,
        watch: Watch,
        *,
        gapless: bool,
        resume_token: str | None,
        quiet_limit: float = QUIET_LIMIT,
    ) -> None:
        self._caller = caller
        self._watch = watch
        self._gapless = gapless
        self._resume_token = resume_token or ""
        self._quiet_limit = quiet_limit
        self._stream: Stream | None = None
        self._ready: deque[Update] = deque()
        self._last_revision = 0
        self._failures = 0
        self._was_connected = False
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Update:
        while not self._ready:
            if self._over:
                raise StopAsyncIteration
            await self._advance()
        update = self._ready.popleft()
        if update.state.ended:
            await self.aclose()
        return update

    async def aclose(self) -> None:
        """End the stream; the iterator stops, in whichever task it waits."""
        self._over = True
        self._ready.clear()
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

    async def _advance(self) -> None:
        """Take in one frame, or recover from the lack of one."""
        try:
            self._accept(await self._next_frame())
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

    async def _next_frame(self) -> Frame:
        """Read one frame. Raises StatewardError for what a reconnect may cure, and for what is refused."""
        target = self._caller.transport.target
        stream = await self._connected()
        try:
            async with asyncio.timeout(self._quiet_limit):
                frame = await stream.read()
        except grpc.aio.AioRpcError as error:
            raise error_from(error, target=target) from None
        except TimeoutError:
            raise Unavailable(f"{target} fell silent: no frame for {self._quiet_limit:g} s") from None
        if frame is None:
            raise Unavailable(f"{target} ended the stream")
        return frame

    async def _connected(self) -> Stream:
        if self._stream is None:
            self._stream = await self._caller.transport.watch(
                self._watch, resume_token=self._resume_token, auth_context=self._caller.auth_context
            )
        return self._stream

    def _accept(self, frame: Frame) -> None:
        """Queue what is new. Until its last state, a frame can only be resumed from the frame before it."""
        before, self._resume_token = self._resume_token, frame.resume_token
        for state in frame.states:
            if state.revision <= self._last_revision:
                continue
            self._refuse_gap(state)
            self._last_revision = state.revision
            last = state is frame.states[-1]
            self._ready.append(Update(state, frame.resume_token if last else before))
        if frame.draining:
            raise Unavailable(f"{self._caller.transport.target} is shutting down", reason="DRAINING")
        self._was_connected = True
        self._failures = 0

    def _refuse_gap(self, state: State) -> None:
        expected = self._last_revision + 1
        if self._gapless and self._last_revision and state.revision != expected:
            self._over = True
            raise Internal(f"the server skipped from revision {self._last_revision} to {state.revision}")

    async def _recover(self, error: StatewardError) -> None:
        """Wait before the next attempt to connect, or raise what cannot be cured."""
        if isinstance(error, ResumeTokenExpired) and not self._gapless:
            # Only the newest state counts, and a fresh snapshot has it.
            self._resume_token = ""
        elif not (repeatable(error) or isinstance(error, SubscriberTooSlow)):
            self._over = True
            raise error
        self._failures += 1
        policy = self._caller.transport.retry
        if not self._was_connected and self._failures >= policy.attempts:
            self._over = True
            raise error
        log.info("a subscription reconnects: %s", error)
        await policy.sleep(policy.delay(self._failures, error.retry_after))

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
