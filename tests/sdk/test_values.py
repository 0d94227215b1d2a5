from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import UTC
from typing import Any

import pytest
from tests.sdk.fakes import WHEN, instance, machine, machine_version, state

from stateward import Cause, State, Status, Wait, _convert
from stateward.v1 import instance_pb2, instance_service_pb2


def full_state() -> State:
    return _convert.state(
        state(
            7,
            value_json='{"checkout":{"paying":{}}}',
            states=["checkout", "checkout.paying"],
            tags=["busy", "money"],
            public_context_json='{"count":9007199254740993}',
            settled=False,
        )
    )


def test_a_state_arrives_whole() -> None:
    assert full_state() == State(
        revision=7,
        value={"checkout": {"paying": {}}},
        states=("checkout", "checkout.paying"),
        tags=frozenset({"busy", "money"}),
        public_context={"count": 2**53 + 1},
        done=False,
        status=Status.ACTIVE,
        settled=False,
        update_time=WHEN,
    )
    assert full_state().update_time.tzinfo is UTC


def test_matching_is_by_whole_path() -> None:
    assert full_state().matches("checkout.paying")
    assert full_state().matches("checkout")
    assert not full_state().matches("paying")
    assert full_state().has_tag("busy")
    assert not full_state().has_tag("bus")


def test_a_state_is_a_value() -> None:
    assert hash(full_state()) == hash(full_state())
    with pytest.raises(FrozenInstanceError):
        full_state().revision = 8  # type: ignore[misc]


@pytest.mark.parametrize(
    ("status", "ended"), [(Status.ACTIVE, False), (Status.DONE, True), (Status.FAILED, True)]
)
def test_an_ended_state(status: Status, ended: bool) -> None:
    assert replace(full_state(), status=status).ended is ended


def test_no_public_context_is_none_and_an_empty_one_is_empty() -> None:
    assert _convert.state(state(1)).public_context is None
    assert _convert.state(state(1, public_context_json="{}")).public_context == {}


def test_what_a_newer_server_says_is_unknown() -> None:
    message = state(1)
    message.status = 99  # type: ignore[assignment]
    assert _convert.state(message).status is Status.UNKNOWN
    transition = instance_pb2.Transition(event_json="{}", cause=98, state=message)  # type: ignore[arg-type]
    assert _convert.transition(transition).cause is Cause.UNKNOWN


@pytest.mark.parametrize(
    ("enum", "known"),
    [(instance_pb2.MachineStatus, _convert._STATUS), (instance_pb2.TransitionCause, _convert._CAUSE)],
)
def test_every_value_of_the_contract_is_known(enum: Any, known: dict[int, object]) -> None:
    assert set(enum.values()) - {0} == set(known)


def test_machines_versions_and_instances_have_plain_names() -> None:
    assert _convert.machine(machine("toggle")).current_version is None
    assert _convert.machine(machine("toggle", "ver_1")).current_version == "ver_1"
    version = _convert.machine_version(machine_version())
    assert (version.machine, version.id, version.xstate_version) == ("toggle", "ver_1", 5)
    info = _convert.instance_info(instance(4))
    assert (info.machine, info.name, info.version, info.revision) == ("toggle", "s1", "ver_1", 4)


def proto(wait: Wait) -> instance_service_pb2.Wait:
    return _convert.wait_message(wait)


def test_waits_are_written() -> None:
    assert proto(Wait.SETTLED).point == instance_service_pb2.WAIT_POINT_SETTLED
    assert not proto(Wait.SETTLED).HasField("timeout")
    assert proto(Wait.COMMITTED).point == instance_service_pb2.WAIT_POINT_COMMITTED
    assert proto(Wait.DONE.within(1.5)).timeout.ToMilliseconds() == 1500
    assert proto(Wait.state("a.b", timeout=5)).state == "a.b"
    assert proto(Wait.state("a.b", timeout=5)).timeout.seconds == 5
    assert proto(Wait.tag("busy")).tag == "busy"


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_wait_has_a_positive_limit(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout above 0"):
        Wait.SETTLED.within(timeout)


@pytest.mark.parametrize("make", [Wait.state, Wait.tag])
def test_a_wait_is_for_something(make: Any) -> None:
    with pytest.raises(ValueError, match="got an empty string"):
        make("")
