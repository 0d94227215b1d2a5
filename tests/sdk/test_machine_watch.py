"""The watch of a machine: what it tells adds up, whatever happens to the connection."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from tests.sdk.fakes import UNAVAILABLE, MachineResponse, Refusal, Watched, listed, stirred

from stateward import (
    Changed,
    Entered,
    Left,
    MachineEvent,
    MachineNotFound,
    MachineWatch,
    ResumeTokenDiverged,
    ResumeTokenExpired,
    Synced,
)
from stateward.v1 import subscription_service_pb2

EXPIRED = Refusal(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED")
DIVERGED = Refusal(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_DIVERGED")


def told(event: MachineEvent) -> str:
    match event:
        case Entered(instance, state):
            return f"+{instance}{state.revision}"
        case Changed(instance, state):
            return f"~{instance}{state.revision}"
        case Left(instance, revision):
            return f"-{instance}{revision}"
        case Synced():
            return "synced"


async def read(events: MachineWatch, count: int) -> list[str]:
    return [told(await anext(events)) for _ in range(count)]


def asked_from(server: Any) -> list[str]:
    return [request.resume_token for request in server.requests("WatchMachine")]


async def test_what_matches_comes_first_then_what_happens(server, machine) -> None:
    server.will(
        "WatchMachine",
        Watched(
            [
                listed(("a", 3), complete=False),
                listed(("b", 1)),
                stirred("~a4", "+c1"),
                stirred("-b2", "-a0"),
            ]
        ),
    )
    async with machine.watch(states=["on", "off"], tags={"hot"}) as events:
        assert await read(events, 7) == ["+a3", "+b1", "synced", "~a4", "+c1", "-b2", "-aNone"]
    (request,) = server.requests("WatchMachine")
    assert request.parent == "machines/toggle"
    assert (list(request.filter.states), list(request.filter.tags)) == (["on", "off"], ["hot"])


async def test_a_lost_stream_goes_on_after_the_last_frame_and_repeats_nothing(
    server, machine, sleeps
) -> None:
    server.will(
        "WatchMachine",
        Watched([listed(("a", 1)), stirred("~a2", "+b1", token="t1")], then=UNAVAILABLE),
        UNAVAILABLE,
        Watched([stirred("~a2", "+b1", "~b2", "-a3")]),
    )
    async with machine.watch() as events:
        assert await read(events, 6) == ["+a1", "synced", "~a2", "+b1", "~b2", "-a3"]
    assert asked_from(server) == ["", "t1", "t1"]
    assert sleeps.delays == [1.0, 2.0]


async def test_where_the_server_cannot_go_on_the_difference_is_told(server, machine) -> None:
    server.will(
        "WatchMachine",
        Watched([listed(("a", 5), ("b", 5), ("c", 5), ("d", 5))], then=UNAVAILABLE),
        EXPIRED,
        Watched([listed(("a", 5), ("b", 7), ("d", 2), ("e", 1)), stirred("~e2")]),
    )
    async with machine.watch() as events:
        assert await read(events, 5) == ["+a5", "+b5", "+c5", "+d5", "synced"]
        assert await read(events, 7) == ["~b7", "-dNone", "+d2", "+e1", "-cNone", "synced", "~e2"]
    assert asked_from(server) == ["", "listed", ""]


async def test_a_snapshot_that_was_cut_off_begins_anew_and_repeats_nothing(server, machine) -> None:
    server.will(
        "WatchMachine",
        Watched([listed(("a", 1), ("b", 1), token="start", complete=False)], then=UNAVAILABLE),
        Watched([listed(("a", 1), token="start", complete=False), listed(("b", 2), ("c", 1))]),
    )
    async with machine.watch() as events:
        assert await read(events, 5) == ["+a1", "+b1", "~b2", "+c1", "synced"]


async def test_a_draining_server_is_left_and_come_back_to(server, machine) -> None:
    draining = MachineResponse(resume_token="t9", draining=subscription_service_pb2.WatchDraining())
    server.will("WatchMachine", Watched([listed(("a", 1)), draining]), Watched([stirred("~a2")]))
    async with machine.watch() as events:
        assert await read(events, 3) == ["+a1", "synced", "~a2"]
    assert asked_from(server) == ["", "t9"]


async def test_every_event_has_a_token_that_misses_nothing_after_it(server, machine) -> None:
    server.will(
        "WatchMachine",
        Watched([listed(("a", 1), ("b", 1), token="t1"), stirred("~a2", "~b2", token="t2")]),
    )
    async with machine.watch() as events:
        tokens = [(await anext(events)).resume_token for _ in range(5)]
    assert tokens == ["", "", "t1", "t1", "t2"]


async def test_a_program_can_go_on_where_another_one_was(server, machine) -> None:
    server.will("WatchMachine", Watched([stirred("~a7", "-b3", "-c0", "~a7")], then=UNAVAILABLE), EXPIRED)
    events = machine.watch(resume_token="theirs")
    assert await read(events, 3) == ["~a7", "-b3", "-cNone"]
    with pytest.raises(ResumeTokenExpired):
        await anext(events)
    assert asked_from(server)[0] == "theirs"


async def test_what_was_never_told_is_not_told_to_have_left(server, machine) -> None:
    server.will("WatchMachine", Watched([listed(("a", 1)), stirred("-z0", "-y4", "~a2")]))
    async with machine.watch() as events:
        assert await read(events, 3) == ["+a1", "synced", "~a2"]


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (DIVERGED, ResumeTokenDiverged),
        (Refusal(grpc.StatusCode.NOT_FOUND, "MACHINE_NOT_FOUND"), MachineNotFound),
    ],
)
async def test_what_cannot_be_cured_surfaces(server, machine, refusal, error) -> None:
    server.will("WatchMachine", Watched([listed(("a", 1))], then=UNAVAILABLE), refusal)
    events = machine.watch()
    assert await read(events, 2) == ["+a1", "synced"]
    with pytest.raises(error):
        await anext(events)
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_leaving_ends_the_stream(server, machine) -> None:
    watched = Watched([listed(("a", 1))])
    server.will("WatchMachine", watched)
    async for _ in machine.watch():
        break
    await watched.closed.wait()


def test_a_single_text_is_no_list_of_states(machine) -> None:
    with pytest.raises(TypeError, match="states is a list"):
        machine.watch(states="on")
