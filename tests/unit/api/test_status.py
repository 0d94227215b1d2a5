"""A refusal on the wire: its code, one ErrorInfo, and what helps a caller to go on."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from stateward_server.api.status import status_of
from stateward_server.model import errors
from stateward_server.model.errors import Code, InvalidArgument, StatewardError, Unavailable

CLASSES = [
    each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, StatewardError)
]


def details(error: StatewardError) -> status_pb2.Status:
    metadata = dict(status_of(error).trailing_metadata)
    status: status_pb2.Status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    return status


def unpacked(error: StatewardError, kind: type[Any]) -> list[Any]:
    found = []
    for each in details(error).details:
        message = kind()
        if each.Unpack(message):
            found.append(message)
    return found


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_has_grpcs_code_of_its_name(kind: type[StatewardError]):
    status = status_of(kind("REASON", "words"))
    assert status.code is grpc.StatusCode[kind.code.value]
    assert status.details == "words"


def test_there_is_exactly_one_error_info_with_the_reason_and_metadata():
    [info] = unpacked(StatewardError("REASON", "words", limit=3), error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain, dict(info.metadata)) == ("REASON", "stateward", {"limit": "3"})


def test_a_wrong_field_is_named_in_a_bad_request():
    error = InvalidArgument("INVALID_FIELD", "too small", field="page_size")
    [bad] = unpacked(error, error_details_pb2.BadRequest)
    [violation] = bad.field_violations
    assert (violation.field, violation.description) == ("page_size", "too small")
    assert violation.reason == "INVALID_FIELD"


def test_without_a_field_there_is_no_bad_request():
    assert not unpacked(InvalidArgument("REASON", "words"), error_details_pb2.BadRequest)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, (0, 0)),
        (0.1, (0, 100_000_000)),
        (0.29, (0, 290_000_000)),
        (1.0, (1, 0)),
        (1.001, (1, 1_000_000)),
        (0.999_999_999_9, (1, 0)),
        (90, (90, 0)),
    ],
)
def test_a_delay_is_rounded_to_the_nanosecond(seconds: float, expected: tuple[int, int]):
    [info] = unpacked(Unavailable("REASON", "words", retry_after=seconds), error_details_pb2.RetryInfo)
    assert (info.retry_delay.seconds, info.retry_delay.nanos) == expected


def test_without_a_delay_there_is_no_retry_info():
    assert not unpacked(Unavailable("REASON", "words"), error_details_pb2.RetryInfo)


@pytest.mark.parametrize("letter", ["x", "é", "漢", "😀", "\n"])
def test_a_long_message_is_cut_so_that_it_fits_the_trailers(letter: str):
    error = InvalidArgument("REASON", letter * 10_000, field="name")
    status = status_of(error)
    quoted = sum(1 if byte < 128 else 3 for byte in status.details.encode())
    assert status.details.startswith(letter * 50)
    assert status.details.endswith("…")
    assert quoted + details(error).ByteSize() * 4 / 3 < 7_000


def test_the_same_words_are_in_the_status_and_its_details():
    error = StatewardError("REASON", "x" * 5000)
    assert details(error).message == status_of(error).details
    assert {code.value for code in Code} == {each.code.value for each in CLASSES}
