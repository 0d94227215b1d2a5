from __future__ import annotations

import asyncio

import grpc
import pytest
from tests.sdk.fakes import UNAVAILABLE, Refusal, got, sent

from stateward import (
    Client,
    Internal,
    MailboxFull,
    ResourceExhausted,
    RetryPolicy,
    RevisionMismatch,
    StoreConflict,
    Unavailable,
)
from stateward._transport import CHANNEL_OPTIONS

FULL = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "MAILBOX_FULL", retry_after=0.25)
CONFLICT = Refusal(grpc.StatusCode.ABORTED, "STORE_CONFLICT")


async def test_a_write_is_repeated_as_the_very_same_request(server, instance) -> None:
    server.will("SendEvent", UNAVAILABLE, FULL, CONFLICT, sent())
    assert (await instance.send("go")).revision == 2
    first, *others = server.requests("SendEvent")
    assert len(others) == 3
    assert all(other == first for other in others)
    assert first.request_id


async def test_reads_are_repeated_too(server, instance, sleeps) -> None:
    server.will("GetInstance", UNAVAILABLE, got(5))
    assert (await instance.get()).revision == 5
    assert sleeps.delays == [1.0]


async def test_waits_double_up_to_a_limit_and_then_it_gives_up(server, instance, sleeps) -> None:
    server.will("GetInstance", *[UNAVAILABLE] * 4)
    with pytest.raises(Unavailable, match="shutting down"):
        await instance.get()
    assert sleeps.delays == [1.0, 2.0, 3.0]


async def test_the_servers_wish_comes_on_top(server, instance, sleeps) -> None:
    server.will("SendEvent", FULL, sent())
    await instance.send("go")
    assert sleeps.delays == [1.25]


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "MAILBOX_FULL"), MailboxFull),
        (Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE"), ResourceExhausted),
        (Refusal(grpc.StatusCode.ABORTED, "REVISION_MISMATCH"), RevisionMismatch),
        (Refusal(grpc.StatusCode.INTERNAL, "INTERNAL"), Internal),
    ],
)
async def test_other_failures_are_not_repeated(server, instance, sleeps, refusal, error) -> None:
    server.will("SendEvent", refusal)
    with pytest.raises(error):
        await instance.send("go")
    assert sleeps.delays == []


async def test_a_conflict_that_stays_surfaces(server, instance) -> None:
    server.will("SendEvent", *[CONFLICT] * 4)
    with pytest.raises(StoreConflict):
        await instance.send("go")


async def test_nobody_waits_past_the_deadline(server, instance, sleeps) -> None:
    server.will("SendEvent", Refusal(grpc.StatusCode.UNAVAILABLE, "DRAINING", retry_after=60.0))
    with pytest.raises(Unavailable):
        await instance.send("go", timeout=30.0)
    assert sleeps.delays == []


async def test_one_attempt_never_repeats(server) -> None:
    server.will("GetInstance", UNAVAILABLE)
    async with Client.connect(server.target, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(Unavailable):
            await client.machine("toggle").instance("s1").get()


async def test_a_cancelled_call_is_cancelled_at_the_server(server, instance) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def hang(_: object) -> object:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return got()

    server.will("GetInstance", hang)
    call = asyncio.create_task(instance.get())
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await ended.wait()


async def test_closing_the_client_ends_its_calls_with_a_reason(server, client, instance) -> None:
    started = asyncio.Event()

    async def hang(_: object) -> object:
        started.set()
        await asyncio.Event().wait()
        return got()

    server.will("GetInstance", hang)
    call = asyncio.create_task(instance.get())
    await started.wait()
    await client.aclose()
    with pytest.raises(RuntimeError, match="the client is closed"):
        await call
    with pytest.raises(RuntimeError, match="the client is closed"):
        await instance.get()


async def test_a_restarted_server_is_found_again(server, instance) -> None:
    server.will("GetInstance", got(1), got(2))
    assert (await instance.get()).revision == 1
    await server.stop()
    await server.start()
    channel = instance._caller.transport._channel
    await channel.channel_ready()
    assert (await instance.get()).revision == 2


def test_jitter_takes_up_to_half_of_a_wait() -> None:
    policy = RetryPolicy(first_delay=1.0, max_delay=8.0, random=lambda: 0.0)
    assert policy.delay(3) == 2.0
    assert policy.delay(3, 0.5) == 2.5
    assert RetryPolicy(random=lambda: 1.0).delay(1000) == 5.0


def test_a_call_is_tried_at_least_once() -> None:
    with pytest.raises(ValueError, match="at least once"):
        RetryPolicy(attempts=0)


def test_grpc_itself_does_not_retry_and_notices_dead_connections() -> None:
    options = dict(CHANNEL_OPTIONS)
    assert options["grpc.enable_retries"] == 0
    assert options["grpc.keepalive_time_ms"] == 30_000
    assert options["grpc.keepalive_permit_without_calls"] == 0
    assert options["grpc.max_receive_message_length"] == 16 * 1024 * 1024
