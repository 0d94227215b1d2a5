"""Pauses, timers, dead letters and limits: what is sent, and what comes back."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import grpc
import pytest
from tests.sdk.fakes import Refusal, instance, timestamp

from stateward import (
    DeadLetter,
    DeadLetterKind,
    DeadLetterNotRetryable,
    InstancePaused,
    Limit,
    Timer,
    TimerNotFound,
)
from stateward.v1 import (
    dead_letter_pb2,
    dead_letter_service_pb2,
    instance_pb2,
    instance_service_pb2,
    limits_service_pb2,
)

PATH = "machines/toggle/instances/s1"
WHEN = datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC)


def letter(number: int = 17) -> dead_letter_pb2.DeadLetter:
    return dead_letter_pb2.DeadLetter(
        name=f"{PATH}/deadLetters/{number}",
        kind=dead_letter_pb2.DEAD_LETTER_KIND_SPAWN,
        target="machines/child/instances/c",
        id="kid",
        payload_json='{"n":1}',
        reason="MACHINE_THREW",
        message="it threw",
        attempts=5,
        create_time=timestamp(),
    )


LETTER = DeadLetter(
    machine="toggle",
    instance="s1",
    id=17,
    kind=DeadLetterKind.SPAWN,
    target="machines/child/instances/c",
    about="kid",
    payload={"n": 1},
    reason="MACHINE_THREW",
    message="it threw",
    attempts=5,
    create_time=WHEN,
)


@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_pause_and_resume(server, machine, verb: str) -> None:
    paused = instance(3)
    paused.paused = verb == "pause"
    kind = verb.capitalize() + "Instance"
    server.will(kind, getattr(instance_service_pb2, f"{kind}Response")(instance=paused))
    info = await getattr(machine.instance("s1"), verb)()
    assert (info.name, info.revision, info.paused) == ("s1", 3, verb == "pause")
    (request,) = server.requests(kind)
    assert request.name == PATH
    assert uuid.UUID(request.request_id).version == 4


async def test_a_paused_instance_has_an_error_of_its_own(server, machine) -> None:
    server.will("SendEvent", Refusal(grpc.StatusCode.FAILED_PRECONDITION, "INSTANCE_PAUSED"))
    with pytest.raises(InstancePaused):
        await machine.instance("s1").send("toggle")


async def test_timers_come_page_by_page(server, machine) -> None:
    def timer(id_: str) -> instance_pb2.Timer:
        return instance_pb2.Timer(
            name=f"{PATH}/timers/{id_}", due_time=timestamp(), event_json='{"type":"T"}', target="kid"
        )

    Response = instance_service_pb2.ListTimersResponse  # noqa: N806 - a class
    server.will(
        "ListTimers",
        Response(timers=[timer("a%2Fb")], next_page_token="more"),
        Response(timers=[timer("c")]),
    )
    found = [each async for each in machine.instance("s1").timers(page_size=1)]
    assert found == [Timer("a/b", WHEN, {"type": "T"}, "kid"), Timer("c", WHEN, {"type": "T"}, "kid")]
    first, second = server.requests("ListTimers")
    assert (first.parent, first.page_size, second.page_token) == (PATH, 1, "more")


async def test_a_timer_is_cancelled_by_id_or_as_it_was_listed(server, machine) -> None:
    done = instance_service_pb2.CancelTimerResponse()
    server.will("CancelTimer", done, done, Refusal(grpc.StatusCode.NOT_FOUND, "TIMER_NOT_FOUND"))
    handle = machine.instance("s1")
    await handle.cancel_timer("a/b")
    await handle.cancel_timer(Timer("c", WHEN, {}, ""))
    with pytest.raises(TimerNotFound):
        await handle.cancel_timer("gone")
    names = [request.name for request in server.requests("CancelTimer")]
    assert names == [f"{PATH}/timers/a%2Fb", f"{PATH}/timers/c", f"{PATH}/timers/gone"]


async def test_dead_letters_of_a_machine_and_of_an_instance(server, machine) -> None:
    response = dead_letter_service_pb2.ListDeadLettersResponse(dead_letters=[letter()])
    server.will("ListDeadLetters", response, response)
    assert [each async for each in machine.dead_letters()] == [LETTER]
    assert [each async for each in machine.instance("s1").dead_letters()] == [LETTER]
    assert [request.parent for request in server.requests("ListDeadLetters")] == ["machines/toggle", PATH]


async def test_dead_letters_are_retried_and_discarded(server, machine) -> None:
    retried = dead_letter_service_pb2.RetryDeadLetterResponse()
    discarded = dead_letter_service_pb2.DiscardDeadLetterResponse()
    refusal = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "DEAD_LETTER_NOT_RETRYABLE")
    server.will("RetryDeadLetter", retried, retried, refusal)
    server.will("DiscardDeadLetter", discarded, discarded)
    await machine.retry_dead_letter(LETTER)
    await machine.instance("s1").retry_dead_letter(18)
    with pytest.raises(DeadLetterNotRetryable):
        await machine.retry_dead_letter(LETTER)
    await machine.discard_dead_letter(LETTER)
    await machine.instance("s1").discard_dead_letter(18)
    for method in ("RetryDeadLetter", "DiscardDeadLetter"):
        names = [request.name for request in server.requests(method)]
        assert names[:2] == [f"{PATH}/deadLetters/17", f"{PATH}/deadLetters/18"]


async def test_limits_by_name(server, client) -> None:
    wire = limits_service_pb2.Limit(
        name="event_bytes",
        value=400_000,
        unit=limits_service_pb2.LIMIT_UNIT_BYTES,
        description="An event",
        reason="REQUEST_TOO_LARGE",
    )
    server.will("GetLimits", limits_service_pb2.GetLimitsResponse(limits=[wire]))
    assert await client.limits() == {
        "event_bytes": Limit("event_bytes", 400_000, "bytes", "An event", "REQUEST_TOO_LARGE")
    }
