"""What ends a stream from outside: an expired token, and a reader that does not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, cast

import grpc
import pytest

from stateward_server.api.streams import Stream, Streams
from stateward_server.auth.revocations import Revocations, place
from stateward_server.model.errors import ResourceExhausted, StatewardError, Unauthenticated
from stateward_server.model.names import OrgId
from stateward_server.model.principal import NOBODY, Principal
from stateward_server.testing.clock import ManualClock, settle

NOW = 1_700_000_000_000


class Wire:
    """A context whose reader reads when it is told to."""

    def __init__(self) -> None:
        self.reading = asyncio.Event()
        self.reading.set()
        self.told: StatewardError | None = None
        self.taken = 0
        self.broken = False

    async def write(self, response: object) -> None:
        await self.reading.wait()
        if self.broken:
            raise grpc.aio.InternalError("Failed 'execute_batch'")
        self.taken += 1

    async def abort(self, error: StatewardError) -> None:
        await self.reading.wait()
        self.told = error


class Serving:
    """One stream, served as the edge does it."""

    def __init__(self, streams: Streams, **whose: Any) -> None:
        self.wire = Wire()
        self.freed = False
        self.news: asyncio.Queue[int] = asyncio.Queue()
        self.task = asyncio.ensure_future(self._serve(streams, replace(NOBODY, **whose)))

    async def _serve(self, streams: Streams, principal: Principal) -> None:
        with streams.serving() as stream:
            try:
                stream.principal = principal
                await self._send(stream)
            except BaseException as error:
                cause = stream.cause(error)
                if not isinstance(cause, StatewardError):
                    raise
                await self.wire.abort(cause)

    async def _send(self, stream: Stream) -> None:
        try:
            while True:
                await stream.send(cast(Any, self.wire), await self.news.get())
        finally:
            self.freed = True


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def revocations() -> Revocations:
    return Revocations()


@pytest.fixture
async def streams(clock: ManualClock, revocations: Revocations) -> AsyncIterator[Streams]:
    streams = Streams(clock, 20_000, revocations)
    running = asyncio.ensure_future(streams.run())
    yield streams
    running.cancel()
    assert len(streams) == 0


@pytest.fixture
async def serve(streams: Streams) -> AsyncIterator[Callable[..., Serving]]:
    begun: list[Serving] = []

    def begin(**how: object) -> Serving:
        begun.append(Serving(streams, **how))
        return begun[-1]

    yield begin
    for each in begun:
        each.task.cancel()
    await asyncio.gather(*(each.task for each in begun), return_exceptions=True)


async def test_a_stream_ends_with_what_it_rests_on(
    clock: ManualClock, serve: Callable[..., Serving], revocations: Revocations
):
    rests_on = frozenset({"sat_1", place(OrgId("org_1"), "usr_1")})
    mine, other = serve(rests_on=rests_on), serve(rests_on=frozenset({"sat_2"}))
    await clock.advance(1)
    revocations.revoke("usr_1")
    await clock.advance(1)
    assert not mine.task.done()
    revocations.revoke("org_1/usr_1")
    await clock.advance(1)
    assert mine.task.done()
    assert isinstance(mine.wire.told, Unauthenticated)
    assert mine.wire.told.reason == "ACCESS_REVOKED"
    assert mine.freed
    assert not other.task.done()


async def test_a_stream_whose_connection_breaks_during_a_write_is_cancelled(
    clock: ManualClock, serve: Callable[..., Serving]
):
    stream = serve()
    stream.wire.broken = True
    stream.news.put_nowait(1)
    await clock.advance(1)
    assert stream.task.cancelled()
    assert stream.freed
    assert stream.wire.told is None


async def test_a_stream_ends_when_its_token_does(clock: ManualClock, serve: Callable[..., Serving]):
    short, long, endless = serve(expires_ms=NOW + 60_000), serve(expires_ms=NOW + 90_000), serve()
    await clock.advance(59_000)
    assert not short.task.done()
    await clock.advance(2_000)
    assert short.task.done()
    assert isinstance(short.wire.told, Unauthenticated)
    assert short.wire.told.reason == "TOKEN_EXPIRED"
    assert short.freed
    assert not long.task.done()
    await clock.advance(30_000)
    assert long.task.done()
    assert not endless.task.done()


async def test_a_token_that_has_expired_ends_a_stream_that_is_not_read_either(
    clock: ManualClock, serve: Callable[..., Serving]
):
    serving = serve(expires_ms=NOW + 5_000)
    serving.wire.reading.clear()
    serving.news.put_nowait(1)
    await clock.advance(6_000)
    assert serving.freed
    serving.wire.reading.set()
    await settle()
    assert serving.wire.told is None or serving.wire.told.reason == "TOKEN_EXPIRED"
    assert serving.task.done()


async def test_a_reader_that_leaves_a_frame_unread_is_ended(
    clock: ManualClock, serve: Callable[..., Serving]
):
    serving = serve()
    serving.news.put_nowait(1)
    await settle()
    serving.wire.reading.clear()
    await clock.advance(60_000)  # it owes nothing
    assert not serving.freed
    serving.news.put_nowait(2)
    await clock.advance(19_000)
    assert not serving.freed
    await clock.advance(2_000)
    assert serving.freed


async def test_it_is_told_why_as_soon_as_it_reads(clock: ManualClock, serve: Callable[..., Serving]):
    serving = serve()
    serving.wire.reading.clear()
    serving.news.put_nowait(1)
    await clock.advance(20_000)
    assert serving.freed
    assert not serving.task.done()
    serving.wire.reading.set()
    await settle()
    assert isinstance(serving.wire.told, ResourceExhausted)
    assert serving.wire.told.reason == "SUBSCRIBER_TOO_SLOW"
    assert serving.wire.told.retry_after is not None


async def test_one_that_never_reads_again_is_given_up_without_a_word(
    clock: ManualClock, serve: Callable[..., Serving]
):
    serving = serve()
    serving.wire.reading.clear()
    serving.news.put_nowait(1)
    await clock.advance(22_000)
    assert serving.task.done()
    assert serving.wire.told is None


async def test_a_slow_but_steady_reader_is_left_alone(clock: ManualClock, serve: Callable[..., Serving]):
    serving = serve()
    for number in range(10):
        serving.wire.reading.clear()
        serving.news.put_nowait(number)
        await clock.advance(15_000)
        serving.wire.reading.set()
        await settle()
    assert serving.wire.taken == 10
    assert not serving.freed


async def test_a_client_that_leaves_is_not_told_anything(clock: ManualClock, serve: Callable[..., Serving]):
    serving = serve(expires_ms=NOW + 60_000)
    await settle()
    serving.task.cancel()
    await settle()
    assert serving.task.cancelled()
    assert serving.wire.told is None
