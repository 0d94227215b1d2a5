from __future__ import annotations

import asyncio
import gc
from typing import Any

import grpc
import pytest
from tests.sdk.fakes import (
    TOKEN_EXPIRED,
    UNAVAILABLE,
    Refusal,
    Watched,
    changes,
    draining,
    progress,
    snapshot,
)

from stateward import (
    Client,
    InstanceNotFound,
    Internal,
    Reconnect,
    RejectedByMachineAuthorizer,
    ResumeTokenDiverged,
    ResumeTokenExpired,
    RetryPolicy,
    Subscription,
    TokenExpired,
    Unavailable,
    _watch_calls,
)
from stateward.v1 import subscription_service_pb2

TOO_SLOW = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "SUBSCRIBER_TOO_SLOW")
EXPIRED = Refusal(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED")
DENIED = Refusal(grpc.StatusCode.PERMISSION_DENIED, "REJECTED_BY_MACHINE_AUTHORIZER")


async def revisions(updates: Subscription, count: int) -> list[int]:
    return [(await anext(updates)).state.revision for _ in range(count)]


def asked_from(server: Any) -> list[str]:
    return [request.resume_token for request in server.requests("WatchInstance")]


async def test_the_snapshot_comes_first_then_what_follows(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(3), progress(3), changes(4), changes(5, 6)]))
    async with instance.subscribe() as updates:
        assert await revisions(updates, 4) == [3, 4, 5, 6]
    (request,) = server.requests("WatchInstance")
    assert request.name == "machines/toggle/instances/s1"
    assert request.mode == subscription_service_pb2.WATCH_MODE_LATEST
    assert request.resume_token == ""


async def test_every_transition_and_a_token_are_asked_for(server, instance) -> None:
    server.will("WatchInstance", Watched([changes(8)]))
    async with instance.subscribe(mode="every_transition", resume_token="after-7") as updates:
        assert await revisions(updates, 1) == [8]
    (request,) = server.requests("WatchInstance")
    assert request.mode == subscription_service_pb2.WATCH_MODE_EVERY_TRANSITION
    assert request.resume_token == "after-7"


async def test_credentials_travel_with_a_watch(server, machine) -> None:
    server.will("WatchInstance", Watched([snapshot(1)]))
    async with machine.instance("s1", auth_context={"sid": "a"}).subscribe() as updates:
        await anext(updates)
    metadata = server.received[0].metadata
    assert metadata["authorization"] == "Bearer the-token"
    assert metadata["stateward-auth-context-bin"] == b'{"sid":"a"}'


async def test_it_ends_with_the_instance(server, instance) -> None:
    watched = Watched([snapshot(1), changes(2, 3, end_at=3)])
    server.will("WatchInstance", watched)
    assert [update.state.revision async for update in instance.subscribe()] == [1, 2, 3]
    await watched.closed.wait()


async def test_a_token_never_skips_a_state_of_its_frame(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1), changes(2, 3, 4)]))
    async with instance.subscribe(mode="every_transition") as updates:
        tokens = [(await anext(updates)).resume_token for _ in range(4)]
    assert tokens == ["after-1", "after-1", "after-1", "after-4"]


@pytest.mark.parametrize("mode", ["latest", "every_transition"])
async def test_a_lost_stream_goes_on_after_the_last_frame(server, instance, sleeps, mode) -> None:
    server.will(
        "WatchInstance",
        Watched([snapshot(1), changes(2), progress(2)], then=UNAVAILABLE),
        UNAVAILABLE,
        Watched([changes(2, 3)]),
    )
    async with instance.subscribe(mode=mode) as updates:
        assert await revisions(updates, 3) == [1, 2, 3]
    assert asked_from(server) == ["", "after-2", "after-2"]
    assert sleeps.delays == [1.0, 2.0]


async def test_waits_start_over_after_a_success(server, instance, sleeps) -> None:
    server.will(
        "WatchInstance",
        Watched([snapshot(1)], then=UNAVAILABLE),
        Watched([changes(2)], then=UNAVAILABLE),
        Watched([changes(3)]),
    )
    async with instance.subscribe() as updates:
        assert await revisions(updates, 3) == [1, 2, 3]
    assert sleeps.delays == [1.0, 1.0]


async def test_what_a_fresh_snapshot_repeats_is_dropped(server, instance) -> None:
    first = Watched(
        [subscription_service_pb2.WatchInstanceResponse(snapshot=snapshot(4).snapshot)], then=UNAVAILABLE
    )
    server.will("WatchInstance", first, Watched([snapshot(4), changes(5)]))
    async with instance.subscribe() as updates:
        assert await revisions(updates, 2) == [4, 5]


async def test_a_draining_server_is_left_and_come_back_to(server, instance, sleeps) -> None:
    first = Watched([snapshot(1), draining(1)])
    server.will("WatchInstance", first, Watched([draining(1)], ends=True), Watched([changes(2)]))
    async with instance.subscribe() as updates:
        assert await revisions(updates, 2) == [1, 2]
        await first.closed.wait()
    assert asked_from(server) == ["", "after-1", "after-1"]
    assert sleeps.delays == [1.0, 2.0]


async def test_a_stream_that_ends_without_a_word_has_told_everything(server, instance) -> None:
    """The instance had ended where the token stands: there is nothing to come, and nothing to wait for."""
    server.will("WatchInstance", Watched([], ends=True))
    async with instance.subscribe(resume_token="after-3") as updates:
        assert [update async for update in updates] == []


async def test_who_wants_to_know_is_told_of_a_lost_connection(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1)], then=UNAVAILABLE), UNAVAILABLE, Watched([changes(2)]))
    told: list[Reconnect] = []
    async with instance.subscribe(on_reconnect=told.append) as updates:
        assert await revisions(updates, 2) == [1, 2]
    assert [(each.attempt, each.delay, each.error is None) for each in told] == [
        (1, 1.0, False),
        (2, 2.0, False),
        (2, 0.0, True),
    ]
    assert isinstance(told[0].error, Unavailable)


async def test_a_fixed_token_that_has_expired_surfaces(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1)], then=TOKEN_EXPIRED))
    updates = instance.subscribe()
    assert await revisions(updates, 1) == [1]
    with pytest.raises(TokenExpired):
        await anext(updates)


async def test_a_slow_reader_resumes(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1)], then=TOO_SLOW), Watched([changes(2, 3)]))
    async with instance.subscribe(mode="every_transition") as updates:
        assert await revisions(updates, 3) == [1, 2, 3]


async def test_once_connected_it_never_gives_up(server, instance, sleeps) -> None:
    server.will(
        "WatchInstance", Watched([snapshot(1)], then=UNAVAILABLE), *[UNAVAILABLE] * 20, Watched([changes(2)])
    )
    async with instance.subscribe() as updates:
        assert await revisions(updates, 2) == [1, 2]
    assert len(sleeps.delays) == 21
    assert max(sleeps.delays) == 3.0


async def test_a_server_that_never_was_there_is_an_error(server, instance, sleeps) -> None:
    server.will("WatchInstance", *[UNAVAILABLE] * 4)
    updates = instance.subscribe()
    with pytest.raises(Unavailable):
        await anext(updates)
    assert sleeps.delays == [1.0, 2.0, 3.0]
    with pytest.raises(StopAsyncIteration):
        await anext(updates)


async def test_a_real_restart_is_survived(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1)]), Watched([changes(2)]))
    async with instance.subscribe(mode="every_transition") as updates:
        assert await revisions(updates, 1) == [1]
        waiting = asyncio.create_task(anext(updates))
        await server.stop()
        await server.start()
        assert (await waiting).state.revision == 2
    assert asked_from(server) == ["", "after-1"]


async def test_an_expired_token_surfaces_where_nothing_may_be_missed(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1)], then=UNAVAILABLE), EXPIRED)
    updates = instance.subscribe(mode="every_transition")
    assert await revisions(updates, 1) == [1]
    with pytest.raises(ResumeTokenExpired):
        await anext(updates)


async def test_an_expired_token_means_a_snapshot_where_only_the_newest_counts(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1)], then=UNAVAILABLE), EXPIRED, Watched([snapshot(9)]))
    async with instance.subscribe() as updates:
        assert await revisions(updates, 2) == [1, 9]
    assert asked_from(server) == ["", "after-1", ""]


@pytest.mark.parametrize("mode", ["latest", "every_transition"])
async def test_a_replaced_history_surfaces(server, instance, mode) -> None:
    server.will("WatchInstance", Refusal(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_DIVERGED"))
    with pytest.raises(ResumeTokenDiverged):
        await anext(instance.subscribe(mode=mode, resume_token="after-3"))


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (DENIED, RejectedByMachineAuthorizer),
        (Refusal(grpc.StatusCode.NOT_FOUND, "INSTANCE_NOT_FOUND"), InstanceNotFound),
    ],
)
async def test_a_refusal_in_midstream_surfaces(server, instance, sleeps, refusal, error) -> None:
    server.will("WatchInstance", Watched([snapshot(1)], then=refusal))
    updates = instance.subscribe()
    assert await revisions(updates, 1) == [1]
    with pytest.raises(error):
        await anext(updates)
    assert sleeps.delays == []


async def test_a_gap_is_an_error_where_nothing_may_be_missed(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1), changes(3)]))
    updates = instance.subscribe(mode="every_transition")
    assert await revisions(updates, 1) == [1]
    with pytest.raises(Internal, match="skipped from revision 1 to 3"):
        await anext(updates)


async def test_latest_may_skip(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1), changes(3)]))
    async with instance.subscribe() as updates:
        assert await revisions(updates, 2) == [1, 3]


async def test_breaking_out_of_the_loop_ends_the_stream(server, instance) -> None:
    watched = Watched([snapshot(1), changes(2)])
    server.will("WatchInstance", watched)
    async for update in instance.subscribe():
        assert update.state.revision == 1
        break
    await watched.closed.wait()


async def test_cancelling_the_reader_ends_the_stream(server, instance) -> None:
    watched = Watched([snapshot(1)])
    server.will("WatchInstance", watched)
    seen = asyncio.Event()

    async def read() -> None:
        async for _ in instance.subscribe():
            seen.set()

    reader = asyncio.create_task(read())
    await seen.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await watched.closed.wait()


async def test_a_timed_out_read_goes_on_where_it_was(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1)]), Watched([changes(2)]))
    async with instance.subscribe(mode="every_transition") as updates:
        assert await revisions(updates, 1) == [1]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(updates), 0.01)
        assert await revisions(updates, 1) == [2]
    assert asked_from(server) == ["", "after-1"]


async def test_closing_wakes_a_waiting_reader(server, instance) -> None:
    watched = Watched([snapshot(1)])
    server.will("WatchInstance", watched)
    updates = instance.subscribe()
    seen = asyncio.Event()

    async def read() -> list[int]:
        found = []
        async for update in updates:
            found.append(update.state.revision)
            seen.set()
        return found

    reader = asyncio.create_task(read())
    await seen.wait()
    await asyncio.sleep(0)
    await updates.aclose()
    assert await reader == [1]
    await watched.closed.wait()


async def test_closing_wakes_a_reader_that_pauses_before_it_reconnects(server) -> None:
    server.will("WatchInstance", UNAVAILABLE)
    pausing = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        pausing.set()
        await asyncio.Event().wait()

    async with Client.connect(server.target, token="t", retry=RetryPolicy(sleep=sleep)) as client:
        updates = client.machine("toggle").instance("s1").subscribe()
        waiting = asyncio.create_task(anext(updates))
        await pausing.wait()
        await updates.aclose()
        with pytest.raises(StopAsyncIteration):
            await waiting


async def test_closing_wakes_a_reader_that_waits_for_a_token(server) -> None:
    asked = asyncio.Event()

    async def provider() -> str:
        asked.set()
        await asyncio.Event().wait()
        return "never"

    async with Client.connect(server.target, token_provider=provider) as client:
        updates = client.machine("toggle").instance("s1").subscribe()
        waiting = asyncio.create_task(anext(updates))
        await asked.wait()
        await updates.aclose()
        with pytest.raises(StopAsyncIteration):
            await waiting
    assert asked_from(server) == []


async def test_closing_the_client_ends_a_subscription_with_a_reason(server, client, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1)]))
    updates = instance.subscribe()
    await anext(updates)
    waiting = asyncio.create_task(anext(updates))
    await asyncio.sleep(0)
    await client.aclose()
    with pytest.raises(RuntimeError, match="the client is closed"):
        await waiting


async def test_a_silent_connection_counts_as_dead(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1)]), Watched([changes(2)]))
    watch = _watch_calls.watch("toggle", "s1", "latest")
    updates = Subscription(instance._caller, watch, gapless=False, resume_token=None, quiet_limit=0.02)
    assert await revisions(updates, 2) == [1, 2]
    await updates.aclose()


async def test_nothing_is_sent_before_the_first_read(server, instance) -> None:
    instance.subscribe()
    await asyncio.sleep(0)
    assert not server.received


def test_an_unknown_mode_is_refused_at_once(instance) -> None:
    with pytest.raises(ValueError, match="one of latest, every_transition"):
        instance.subscribe(mode="all")


def test_a_subscription_may_outlive_its_loop() -> None:
    async def leave_open() -> Subscription:
        from tests.sdk.fakes import FakeServer

        server = FakeServer()
        await server.start()
        server.will("WatchInstance", Watched([snapshot(1)]))
        client = Client.connect(server.target, retry=RetryPolicy(attempts=1))
        updates = client.machine("toggle").instance("s1").subscribe()
        await anext(updates)
        await server.close()
        return updates

    updates = asyncio.run(leave_open())
    del updates
    gc.collect()
