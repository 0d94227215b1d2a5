"""The streams that are being served, and what ends one from outside: time, and access that is taken back.

One sweep a second looks at all of them, so that an idle stream costs no timer. A stream ends when its
caller's token expires, and when its reader leaves a frame unread for too long. It is told why; what it holds
is given up at once, also where the reader never hears of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from stateward_server.api.caller import Context
from stateward_server.auth.revocations import Revocations
from stateward_server.model.errors import ResourceExhausted, StatewardError, Unauthenticated
from stateward_server.model.principal import NOBODY
from stateward_server.ports.clock import Clock

_SWEEP_MS = 1_000


class Stream:
    """One stream, as the task that serves it."""

    __slots__ = ("_clock", "_told", "ended", "principal", "sending_since", "task")

    def __init__(self, task: asyncio.Task[object], clock: Clock) -> None:
        self.task = task
        self.principal = NOBODY
        """Whom it is served to."""
        self.sending_since = 0
        """When the frame was handed over that the reader has yet to take; 0 if there is none."""
        self.ended: StatewardError | None = None
        """Why it was ended from outside."""
        self._told = False
        self._clock = clock

    async def send(self, context: Context, response: object) -> None:
        """Hand over one frame; returns once there is room for the next."""
        self.sending_since = self._clock.now_ms()
        try:
            await context.write(response)
        except grpc.aio.InternalError:
            # The connection has gone before gRPC could cancel this call, which is what it means.
            raise asyncio.CancelledError from None
        self.sending_since = 0

    def cause(self, error: BaseException) -> BaseException:
        """Return why the stream ends with this error; the first cancellation may stand for something else."""
        if self.ended is None or self._told or not isinstance(error, asyncio.CancelledError):
            return error
        self._told = True
        self.task.uncancel()
        return self.ended


class Streams:
    """All open streams of a server."""

    def __init__(self, clock: Clock, send_ms: int, revocations: Revocations) -> None:
        self._clock = clock
        self._send_ms = send_ms
        self._open: set[Stream] = set()
        revocations.listen(self._revoke)

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def serving(self) -> Iterator[Stream]:
        """Keep an eye on the current task while it serves a stream."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker: coroutines run in tasks
        stream = Stream(task, self._clock)
        self._open.add(stream)
        try:
            yield stream
        finally:
            self._open.discard(stream)

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + _SWEEP_MS)
            self._sweep(self._clock.now_ms())

    def _sweep(self, now: int) -> None:
        for stream in self._open:
            overdue = stream.sending_since and now - stream.sending_since >= self._send_ms
            if stream.ended is not None:
                # It could not even be told; so it goes without a word.
                stream.task.cancel()
            elif stream.principal.expires_ms <= now:
                self._end(stream, Unauthenticated("TOKEN_EXPIRED", "the token has expired: get a new one"))
            elif overdue:
                self._end(stream, _too_slow(self._send_ms))

    def _revoke(self, name: str) -> None:
        for stream in self._open:
            if stream.ended is None and name in stream.principal.rests_on:
                why = "what this token gave access to was taken back or changed"
                self._end(stream, Unauthenticated("ACCESS_REVOKED", why))

    def _end(self, stream: Stream, why: StatewardError) -> None:
        stream.ended = why
        stream.task.cancel()


def _too_slow(limit_ms: int) -> ResourceExhausted:
    return ResourceExhausted(
        "SUBSCRIBER_TOO_SLOW",
        f"the subscriber left a frame unread for {limit_ms} ms: resume from the last token",
        retry_after=0.1,
        limit_ms=limit_ms,
    )
