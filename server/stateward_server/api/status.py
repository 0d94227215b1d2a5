"""Errors to google.rpc.Status: the only place that knows gRPC's codes."""

from __future__ import annotations

import math

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from stateward_server.model.errors import InvalidArgument, StatewardError

DOMAIN = "stateward"


def status_of(error: StatewardError) -> grpc.Status:
    """Return the status with one ErrorInfo, and BadRequest or RetryInfo where they fit."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    details = [_packed(info)]
    if isinstance(error, InvalidArgument) and "field" in error.metadata:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.metadata["field"], description=error.message, reason=error.reason
        )
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    if error.retry_after is not None:
        fraction, seconds = math.modf(error.retry_after)
        delay = Duration(seconds=int(seconds), nanos=int(fraction * 1e9))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    code = code_pb2.Code.Value(error.code.value)
    return rpc_status.to_status(status_pb2.Status(code=code, message=error.message, details=details))


def _packed(message: object) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)  # type: ignore[arg-type]  # every caller above passes a message
    return packed
