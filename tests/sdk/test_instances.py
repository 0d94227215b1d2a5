from __future__ import annotations

import uuid
from typing import Any

import grpc
import pytest
from tests.sdk.fakes import WHEN, Refusal, created, got, sent, state

from stateward import (
    Cause,
    InstanceExists,
    InstanceInfo,
    InstanceNotFound,
    MachineNotFound,
    MachineVersion,
    Status,
    Wait,
)
from stateward.v1 import instance_pb2, instance_service_pb2

NO_INSTANCE = Refusal(grpc.StatusCode.NOT_FOUND, "INSTANCE_NOT_FOUND")
EXISTS = Refusal(grpc.StatusCode.ALREADY_EXISTS, "INSTANCE_EXISTS")


async def test_create(server, instance) -> None:
    server.will("CreateInstance", created("on"))
    version = MachineVersion("toggle", "ver_1", 5, "", 1, WHEN)
    reply = await instance.create(context={"n": 1}, version=version, wait=Wait.COMMITTED)
    assert (reply.state.value, reply.revision, reply.condition_met, reply.replayed) == ("on", 1, True, False)
    (request,) = server.requests("CreateInstance")
    assert request.parent == "machines/toggle"
    assert request.instance_id == "s1"
    assert request.context_json == '{"n":1}'
    assert request.version == "machines/toggle/versions/ver_1"
    assert request.wait.point == instance_service_pb2.WAIT_POINT_COMMITTED
    assert uuid.UUID(request.request_id).version == 4


async def test_create_leaves_out_what_is_not_given(server, instance) -> None:
    server.will("CreateInstance", created())
    await instance.create()
    (request,) = server.requests("CreateInstance")
    assert (request.context_json, request.version) == ("", "")


async def test_send(server, instance) -> None:
    server.will("SendEvent", sent(4, "off", replayed=True))
    reply = await instance.send(
        {"type": "buy", "n": 1}, wait=Wait.state("paid", timeout=5), expected_revision=3, request_id="mine"
    )
    assert (reply.state.value, reply.state.revision) == ("off", 4)
    assert (reply.revision, reply.condition_met, reply.replayed) == (4, True, True)
    (request,) = server.requests("SendEvent")
    assert request.name == "machines/toggle/instances/s1"
    assert request.event_json == '{"type":"buy","n":1}'
    assert request.expected_revision == 3
    assert (request.wait.state, request.wait.timeout.seconds) == ("paid", 5)
    assert request.request_id == "mine"


async def test_every_send_has_an_id_of_its_own(server, instance) -> None:
    server.will("SendEvent", sent(2), sent(3))
    await instance.send("a")
    await instance.send("a")
    first, second = server.requests("SendEvent")
    assert first.request_id != second.request_id
    assert first.expected_revision == 0


async def test_get_and_info(server, instance) -> None:
    server.will("GetInstance", got(3, "off"), got(3, "off"))
    found = await instance.get()
    assert (found.revision, found.value) == (3, "off")
    assert await instance.info() == InstanceInfo("toggle", "s1", "ver_1", 3, Status.ACTIVE, True, WHEN)


async def test_delete(server, instance) -> None:
    server.will("DeleteInstance", instance_service_pb2.DeleteInstanceResponse())
    await instance.delete()
    (request,) = server.requests("DeleteInstance")
    assert request.name == "machines/toggle/instances/s1"
    assert request.request_id


async def test_transitions(server, instance) -> None:
    first = instance_pb2.Transition(
        event_json='{"type":"xstate.init"}',
        cause=instance_pb2.TRANSITION_CAUSE_CREATED,
        state=state(1),
        epoch=5,
    )
    second = instance_pb2.Transition(
        event_json='{"type":"go"}', cause=instance_pb2.TRANSITION_CAUSE_TIMER, state=state(2), epoch=6
    )
    server.will(
        "ListTransitions",
        instance_service_pb2.ListTransitionsResponse(transitions=[first], next_page_token="p2"),
        instance_service_pb2.ListTransitionsResponse(transitions=[second]),
    )
    found = [transition async for transition in instance.transitions(page_size=1)]
    assert [(t.revision, t.event["type"], t.cause, t.epoch) for t in found] == [
        (1, "xstate.init", Cause.CREATED, 5),
        (2, "go", Cause.TIMER, 6),
    ]


async def test_get_or_create_only_reads_what_exists(server, instance) -> None:
    server.will("GetInstance", got(7))
    assert (await instance.get_or_create()).revision == 7


async def test_get_or_create_creates_what_does_not(server, instance) -> None:
    server.will("GetInstance", NO_INSTANCE)
    server.will("CreateInstance", created())
    assert (await instance.get_or_create(context={"a": 1})).revision == 1
    assert server.requests("CreateInstance")[0].context_json == '{"a":1}'


async def test_get_or_create_reads_what_another_created_first(server, instance) -> None:
    server.will("GetInstance", NO_INSTANCE, got(2))
    server.will("CreateInstance", EXISTS)
    assert (await instance.get_or_create()).revision == 2


async def test_get_or_create_does_not_create_a_machine(server, instance) -> None:
    server.will("GetInstance", Refusal(grpc.StatusCode.NOT_FOUND, "MACHINE_NOT_FOUND"))
    with pytest.raises(MachineNotFound):
        await instance.get_or_create()


async def test_errors_are_what_they_are_about(server, instance) -> None:
    server.will("CreateInstance", EXISTS)
    server.will("GetInstance", NO_INSTANCE)
    with pytest.raises(InstanceExists):
        await instance.create()
    with pytest.raises(InstanceNotFound):
        await instance.get()


@pytest.mark.parametrize(
    ("event", "options", "error"),
    [
        ({"type": "a", "n": float("nan")}, {}, ValueError),
        ({"type": "a", "n": object()}, {}, TypeError),
        ({"n": 1}, {}, ValueError),
        ("a", {"expected_revision": 0}, ValueError),
        ("a", {"wait": "settled"}, TypeError),
    ],
)
async def test_a_wrong_send_is_refused_unsent(server, instance, event, options: Any, error) -> None:
    with pytest.raises(error):
        await instance.send(event, **options)
    assert not server.received


async def test_a_wrong_context_is_refused_unsent(server, instance) -> None:
    with pytest.raises(TypeError, match=r"context\.tags: set is not a JSON type"):
        await instance.create(context={"tags": {"a"}})
    assert not server.received


@pytest.mark.parametrize(
    ("wait", "timeout", "expected"),
    [
        (Wait.SETTLED, None, 120.0),
        (Wait.SETTLED.within(5), None, 120.0),
        (Wait.SETTLED.within(600), None, 630.0),
        (Wait.SETTLED.within(600), 3.0, 3.0),
    ],
)
async def test_a_call_outlives_its_wait(server, instance, wait, timeout, expected) -> None:
    server.will("SendEvent", sent())
    await instance.send("a", wait=wait, timeout=timeout)
    assert server.received[0].seconds == pytest.approx(expected, abs=2.5)
