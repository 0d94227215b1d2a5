"""Errors to google.rpc.Status: the only place that knows gRPC's codes."""

from __future__ import annotations

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from stateward_server.model.errors import InvalidArgument, StatewardError

DOMAIN = "stateward"

_MAX_MESSAGE = 1000
"""In bytes. A client takes 8 KiB of trailers, and the message is in them three times, partly escaped."""


def status_of(error: StatewardError) -> grpc.Status:
    """Return the status that ends a call with this error."""
    return rpc_status.to_status(message_of(error))


def message_of(error: StatewardError) -> status_pb2.Status:
    """Return the status with one ErrorInfo, and BadRequest or RetryInfo where they fit."""
    message = _cut(error.message)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    details = [_packed(info)]
    if isinstance(error, InvalidArgument) and "field" in error.metadata:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.metadata["field"], description=message, reason=error.reason
        )
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_after * 1e9))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    code = code_pb2.Code.Value(error.code.value)
    return status_pb2.Status(code=code, message=message, details=details)


def _cut(message: str) -> str:
    raw = message.encode()
    return message if len(raw) <= _MAX_MESSAGE else raw[:_MAX_MESSAGE].decode(errors="ignore") + "…"


def _packed(message: object) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)  # type: ignore[arg-type]  # every caller above passes a message
    return packed
