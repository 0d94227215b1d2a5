"""Many instances on one stream: each as if it were alone, added and removed while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import pytest
from tests.sdk.fakes import (
    UNAVAILABLE,
    ManyResponse,
    Refusal,
    Watched,
    about,
    changes,
    draining,
    over,
    snapshot,
)

from stateward import (
    Client,
    InstanceFinished,
    InstanceNotFound,
    InstanceUpdate,
    ResumeTokenExpired,
    Watches,
    WatchEvent,
)

DENIED = Refusal(grpc.StatusCode.PERMISSION_DENIED, "REJECTED_BY_MACHINE_AUTHORIZER")
GONE = Refusal(grpc.StatusCode.NOT_FOUND, "INSTANCE_NOT_FOUND")
EXPIRED = Refusal(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED")
SLOW = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "SUBSCRIBER_TOO_SLOW", retry_after=0.0)
PAUSED = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "SUBSCRIBER_TOO_SLOW", retry_after=3600.0)

Script = dict[str, Sequence[ManyResponse]]


def by_name(script: Script) -> Callable[[Any], Sequence[ManyResponse]]:
    """Answer an add with the frames of its name, each time the next of them, and a remove with an end."""
    rest = {name: list(frames) for name, frames in script.items()}

    def reply(request: Any) -> Sequence[ManyResponse]:
        if request.WhichOneof("action") == "remove":
            return [over(request.remove.name.rpartition("/")[2])]
        name = request.add.name.rpartition("/")[2]
        frames, rest[name] = rest[name], []
        return frames

    return reply


def told(event: WatchEvent) -> str:
    match event:
        case InstanceUpdate(_, instance, state):
            return f"{instance}{state.revision}"
        case InstanceFinished(_, instance, error):
            return f"{instance}:{error.reason if error else 'OK'}"


async def read(events: Watches, count: int) -> list[str]:
    return [told(await anext(events)) for _ in range(count)]


def asked(server: Any) -> list[tuple[str, str]]:
    """What the server was told: a name, and the token or `-` for a removal."""
    found = []
    for request in server.requests("told"):
        what = request.add if request.WhichOneof("action") == "add" else request.remove
        found.append((what.name.rpartition("/")[2], getattr(what, "resume_token", "-")))
    return found


async def test_each_instance_has_its_updates(server, client, machine) -> None:
    script: Script = {
        "a": [about("a", snapshot(1)), about("a", changes(2, 3))],
        "b": [about("b", snapshot(7))],
    }
    server.will("WatchInstances", Watched([], reply=by_name(script)))
    async with client.watch_many() as events:
        events.add(machine.instance("a"), machine.instance("b"))
        assert await read(events, 4) == ["a1", "a2", "a3", "b7"]
        assert len(events) == 2


async def test_instances_come_and_go_while_it_runs(server, client, machine) -> None:
    script: Script = {"a": [about("a", snapshot(1))], "b": [about("b", snapshot(1))]}
    server.will("WatchInstances", Watched([], reply=by_name(script)))
    async with client.watch_many() as events:
        events.add(machine.instance("a"))
        assert await read(events, 1) == ["a1"]
        waiting = asyncio.create_task(read(events, 1))
        await asyncio.sleep(0)
        events.remove(machine.instance("a"))
        events.remove(machine.instance("a"))
        events.add(machine.instance("b"), mode="every_transition")
        assert await waiting == ["b1"]
    assert asked(server) == [("a", ""), ("a", "-"), ("b", "")]


async def test_a_reader_may_wait_before_anything_is_added(server, client, machine) -> None:
    server.will("WatchInstances", Watched([], reply=by_name({"a": [about("a", snapshot(1))]})))
    async with client.watch_many() as events:
        waiting = asyncio.create_task(read(events, 1))
        await asyncio.sleep(0)
        events.add(machine.instance("a"))
        assert await waiting == ["a1"]


async def test_what_is_added_again_is_not_mixed_up_with_what_was_removed(server, client, machine) -> None:
    answers = [[about("a", snapshot(4))], [about("a", changes(5)), over("a")], [about("a", snapshot(9))]]
    server.will("WatchInstances", Watched([], reply=lambda _: answers.pop(0)))
    async with client.watch_many() as events:
        events.add(machine.instance("a"))
        assert await read(events, 1) == ["a4"]
        events.remove(machine.instance("a"))
        events.add(machine.instance("a"))
        assert await read(events, 1) == ["a9"]


async def test_one_that_was_removed_while_it_paused_can_be_added_again(server, client, machine) -> None:
    answers = {"a": [[about("a", snapshot(1)), over("a", PAUSED)], [about("a", snapshot(9))]]}
    answers["b"] = [[about("b", snapshot(1))]]

    def reply(request: Any) -> Sequence[ManyResponse]:
        # Where nothing is being watched there is nothing to take off, and no end to tell of.
        return answers[request.add.name.rpartition("/")[2]].pop(0) if request.HasField("add") else []

    server.will("WatchInstances", Watched([], reply=reply))
    async with client.watch_many() as events:
        events.add(machine.instance("a"), machine.instance("b"))
        assert await read(events, 2) == ["a1", "b1"]
        events.remove(machine.instance("a"))
        events.add(machine.instance("a"))
        assert await read(events, 1) == ["a9"]


async def test_what_is_added_while_the_stream_is_being_opened_is_watched(server, retry) -> None:
    script: Script = {"a": [about("a", snapshot(1))], "b": [about("b", snapshot(1))]}
    server.will("WatchInstances", Watched([], reply=by_name(script)))
    asked_for, given = asyncio.Event(), asyncio.Event()

    async def provider() -> str:
        asked_for.set()
        await given.wait()
        return "token"

    async with Client.connect(server.target, token_provider=provider, retry=retry) as client:
        machine = client.machine("toggle")
        async with client.watch_many() as events:
            events.add(machine.instance("a"))
            waiting = asyncio.create_task(read(events, 2))
            await asked_for.wait()
            events.add(machine.instance("b"))
            given.set()
            assert await waiting == ["a1", "b1"]


async def test_a_lost_stream_goes_on_where_each_was(server, client, machine, sleeps) -> None:
    first = [about("a", snapshot(1)), about("a", changes(2)), about("b", snapshot(5))]
    second: Script = {"a": [about("a", changes(2, 3))], "b": [about("b", changes(6))]}
    heard = asyncio.Event()
    server.will(
        "WatchInstances",
        Watched(first, then=UNAVAILABLE, until=heard),
        UNAVAILABLE,
        Watched([], reply=by_name(second)),
    )
    async with client.watch_many() as events:
        events.add(machine.instance("a"), machine.instance("b"))
        assert await read(events, 3) == ["a1", "a2", "b5"]
        heard.set()
        assert await read(events, 2) == ["a3", "b6"]
    assert asked(server)[-2:] == [("a", "after-2"), ("b", "after-5")]
    assert sleeps.delays == [1.0, 2.0]


async def test_a_draining_server_is_left_and_come_back_to(server, client, machine) -> None:
    heard = asyncio.Event()
    server.will(
        "WatchInstances",
        Watched([about("a", snapshot(1)), about("a", draining(1))], ends=True, until=heard),
        Watched([], reply=by_name({"a": [about("a", changes(2))]})),
    )
    async with client.watch_many() as events:
        events.add(machine.instance("a"))
        assert await read(events, 1) == ["a1"]
        heard.set()
        assert await read(events, 1) == ["a2"]


async def test_what_ends_one_is_told_and_ends_nothing_else(server, client, machine) -> None:
    script: Script = {
        "a": [about("a", snapshot(1)), over("a", DENIED)],
        "b": [over("b", GONE)],
        "c": [about("c", snapshot(1)), about("c", changes(2, end_at=2)), over("c")],
        "d": [about("d", snapshot(1))],
    }
    server.will("WatchInstances", Watched([], reply=by_name(script)))
    async with client.watch_many() as events:
        events.add(*(machine.instance(name) for name in "abcd"))
        seen = [await anext(events) for _ in range(7)]
    assert list(map(told, seen)) == [
        "a1",
        "a:REJECTED_BY_MACHINE_AUTHORIZER",
        "b:INSTANCE_NOT_FOUND",
        "c1",
        "c2",
        "c:OK",
        "d1",
    ]
    assert isinstance(seen[2], InstanceFinished)
    assert isinstance(seen[2].error, InstanceNotFound)
    assert len(events) == 1


async def test_one_that_was_too_slow_resumes(server, client, machine) -> None:
    answers = [[about("a", snapshot(1)), over("a", SLOW)], [about("a", changes(2))]]
    server.will("WatchInstances", Watched([], reply=lambda _: answers.pop(0)))
    async with client.watch_many() as events:
        events.add(machine.instance("a"), mode="every_transition")
        assert await read(events, 2) == ["a1", "a2"]
    assert asked(server) == [("a", ""), ("a", "after-1")]


@pytest.mark.parametrize("mode", ["latest", "every_transition"])
async def test_an_expired_token_matters_where_nothing_may_be_missed(server, client, machine, mode) -> None:
    answers = [[over("a", EXPIRED)], [about("a", snapshot(9))]]
    server.will("WatchInstances", Watched([], reply=lambda _: answers.pop(0)))
    async with client.watch_many() as events:
        events.add(machine.instance("a"), mode=mode, resume_token="old")
        event = await anext(events)
    if mode == "latest":
        assert told(event) == "a9"
    else:
        assert isinstance(event, InstanceFinished)
        assert isinstance(event.error, ResumeTokenExpired)


async def test_misuse_is_refused_at_once(client, machine) -> None:
    events = client.watch_many()
    events.add(machine.instance("a"))
    with pytest.raises(ValueError, match="being watched already"):
        events.add(machine.instance("a"))
    with pytest.raises(ValueError, match="somebody else"):
        events.add(machine.instance("b", auth_context={"sub": "x"}))
    with pytest.raises(ValueError, match="one instance"):
        events.add(machine.instance("b"), machine.instance("c"), resume_token="t")
    with pytest.raises(ValueError, match="one of latest"):
        events.add(machine.instance("b"), mode="all")
    assert len(events) == 1


async def test_closing_wakes_a_waiting_reader(server, client, machine) -> None:
    watched = Watched([], reply=by_name({"a": [about("a", snapshot(1))]}))
    server.will("WatchInstances", watched)
    events = client.watch_many()
    events.add(machine.instance("a"))
    assert await read(events, 1) == ["a1"]
    waiting = asyncio.create_task(read(events, 1))
    await asyncio.sleep(0)
    await events.aclose()
    with pytest.raises(StopAsyncIteration):
        await waiting
    await watched.closed.wait()
