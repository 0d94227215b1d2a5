from __future__ import annotations

import asyncio
import inspect
import pickle
import re

import grpc
import pytest
from tests.sdk.fakes import Refusal, got

from stateward import errors
from stateward._reasons import BY_REASON, error_class
from stateward.errors import Code, StatewardError
from stateward.v1 import error_reason_pb2

CLASSES = [
    value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, StatewardError)
]


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        entry = re.match(r"([ │├└─]*)([A-Z]\w+)(?: |$)", line)
        if entry and line.startswith("    "):
            depth = len(entry[1]) // 4 - 1
            path[depth:] = [entry[2]]
            drawn[entry[2]] = path[depth - 1] if depth else ""
    real = {cls.__name__: cls.__bases__[0].__name__ for cls in CLASSES}
    assert drawn == {**real, "StatewardError": ""}


def test_every_class_says_what_it_means() -> None:
    assert all(cls.__doc__ for cls in CLASSES)


def test_every_reason_with_a_class_is_in_the_contract() -> None:
    values = error_reason_pb2.ErrorReason.DESCRIPTOR.values
    contract = {value.name.removeprefix("ERROR_REASON_") for value in values}
    assert BY_REASON.keys() <= contract


def test_a_known_reason_is_its_class() -> None:
    assert error_class(Code.NOT_FOUND, "INSTANCE_NOT_FOUND") is errors.InstanceNotFound


def test_an_unknown_reason_is_the_class_of_its_code() -> None:
    assert error_class(Code.NOT_FOUND, "PLANET_NOT_FOUND") is errors.NotFound


def test_a_reason_under_another_code_is_the_class_of_the_code() -> None:
    assert error_class(Code.INTERNAL, "INSTANCE_NOT_FOUND") is errors.Internal


def test_a_code_outside_the_contract_is_the_root() -> None:
    assert error_class(Code.DATA_LOSS, "") is StatewardError


@pytest.mark.parametrize("cls", CLASSES)
def test_errors_survive_pickling(cls: type[StatewardError]) -> None:
    error = cls("no", reason="R", metadata={"a": "b"}, retry_after=1.5, request_id="id")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert vars(copy) == vars(error)
    assert str(copy) == "no"


def test_a_timeout_is_a_timeout_error() -> None:
    assert issubclass(errors.DeadlineExceeded, TimeoutError)
    assert issubclass(errors.InvalidArgument, ValueError)


async def test_details_of_the_server_arrive_whole(server, instance) -> None:
    server.will(
        "GetInstance",
        Refusal(
            grpc.StatusCode.NOT_FOUND,
            "INSTANCE_NOT_FOUND",
            "machine 'toggle' has no instance 's1'",
            {"machine": "toggle", "instance": "s1"},
        ),
    )
    with pytest.raises(errors.InstanceNotFound, match="has no instance 's1'") as caught:
        await instance.get()
    error = caught.value
    assert error.code is Code.NOT_FOUND
    assert error.reason == "INSTANCE_NOT_FOUND"
    assert error.metadata == {"machine": "toggle", "instance": "s1"}
    assert error.retry_after is None
    assert error.request_id is None
    assert error.__cause__ is None
    assert error.__suppress_context__


async def test_a_failed_write_tells_its_request_id(server, instance) -> None:
    server.will("SendEvent", Refusal(grpc.StatusCode.ABORTED, "REVISION_MISMATCH"))
    with pytest.raises(errors.RevisionMismatch) as caught:
        await instance.send("go")
    assert caught.value.request_id == server.requests("SendEvent")[0].request_id


def test_an_error_shows_its_reason_where_it_is_printed() -> None:
    refused = errors.InvalidArgument("choose another type", reason="EVENT_RESERVED")

    assert repr(refused) == "InvalidArgument('choose another type', reason='EVENT_RESERVED')"
    assert repr(errors.Internal("what?")) == "Internal('what?')"


async def test_a_reason_of_somebody_else_is_ignored(server, instance) -> None:
    server.will("GetInstance", Refusal(grpc.StatusCode.NOT_FOUND, "INSTANCE_NOT_FOUND", domain="example.com"))
    with pytest.raises(errors.NotFound) as caught:
        await instance.get()
    assert type(caught.value) is errors.NotFound
    assert caught.value.reason == ""


async def test_an_error_without_details_is_the_class_of_its_code(server, instance) -> None:
    server.will("GetInstance", Refusal(grpc.StatusCode.PERMISSION_DENIED, message="not you"))
    with pytest.raises(errors.PermissionDenied, match="not you"):
        await instance.get()


async def test_what_grpc_itself_calls_internal_is_a_lost_connection(server, instance, sleeps) -> None:
    broken = Refusal(grpc.StatusCode.INTERNAL, message="Internal error from Core")
    server.will("GetInstance", broken, got(3))
    assert (await instance.get()).revision == 3
    server.will("GetInstance", Refusal(grpc.StatusCode.INTERNAL, "INTERNAL", "our own"))
    with pytest.raises(errors.Internal, match="our own"):
        await instance.get()
    assert len(sleeps.delays) == 1


async def test_a_code_outside_the_contract_keeps_its_name(server, instance) -> None:
    server.will("GetInstance", Refusal(grpc.StatusCode.DATA_LOSS, message=""))
    with pytest.raises(StatewardError, match="answered DATA_LOSS") as caught:
        await instance.get()
    assert caught.value.code is Code.DATA_LOSS


async def test_no_server_is_unavailable_and_named(server, instance, sleeps) -> None:
    await server.stop()
    with pytest.raises(errors.Unavailable, match=f"{server.target} is not available: nothing listens at "):
        await instance.get()
    assert len(sleeps.delays) == 3


@pytest.mark.parametrize("write", [True, False])
async def test_no_answer_in_time_says_what_is_known(server, instance, write) -> None:
    async def never(_: object) -> object:
        await asyncio.Event().wait()
        return got()

    server.will("SendEvent" if write else "GetInstance", never)
    with pytest.raises(errors.DeadlineExceeded) as caught:
        await (instance.send("go", timeout=0.05) if write else instance.get(timeout=0.05))
    assert ("whether the call took effect is unknown" in str(caught.value)) == write
    assert bool(caught.value.request_id) == write
