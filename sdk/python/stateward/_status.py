"""From a failed gRPC call to one of our exceptions.

Reads google.rpc.Status from the trailing metadata; failures that never reached the server have none, and get
a message that names the target instead.
"""

from __future__ import annotations

import grpc
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from ._reasons import error_class
from ._unreachable import words
from .errors import Code, StatewardError

DOMAIN = "stateward"
_DETAILS = "grpc-status-details-bin"
_BROKEN = ("Internal error from Core", "Received RST_STREAM")


def error_from(rpc: grpc.aio.AioRpcError, *, target: str, request_id: str | None = None) -> StatewardError:
    """Rebuild the exception that the server meant."""
    info, retry_after = _details(rpc)
    code = Code[rpc.code().name]
    if info is None:
        return _without_details(code, rpc.details() or "", target, retry_after, request_id)
    return error_class(code, info.reason)(
        rpc.details() or info.reason,
        code=code,
        reason=info.reason,
        metadata=info.metadata,
        retry_after=retry_after,
        request_id=request_id,
    )


def error_of(status: Status) -> StatewardError:
    """Rebuild the exception that a status inside a message means."""
    info, retry_after = _unpacked(status)
    name = code_pb2.Code.Name(status.code) if status.code in code_pb2.Code.values() else Code.UNKNOWN.value
    code = Code(name)
    reason = info.reason if info else ""
    return error_class(code, reason)(
        status.message or reason or name,
        code=code,
        reason=reason,
        metadata=info.metadata if info else None,
        retry_after=retry_after,
    )


def _without_details(
    code: Code, details: str, target: str, retry_after: float | None, request_id: str | None
) -> StatewardError:
    match code:
        # We report our own cancellations as such, so this one is a connection that a server dropped.
        case Code.UNAVAILABLE | Code.CANCELLED:
            code, message = Code.UNAVAILABLE, f"{target} is not available: {words(details)}"
        # What gRPC itself calls internal is a connection that broke under its hands; ours come with details.
        case Code.INTERNAL if details.startswith(_BROKEN):
            code, message = Code.UNAVAILABLE, f"{target} is not available: the connection broke ({details})"
        case Code.DEADLINE_EXCEEDED if request_id is not None:
            message = f"{target} did not answer in time; whether the call took effect is unknown"
        case Code.DEADLINE_EXCEEDED:
            message = f"{target} did not answer in time"
        case _:
            message = details or f"{target} answered {code.value}"
    return error_class(code, "")(message, code=code, retry_after=retry_after, request_id=request_id)


def _details(rpc: grpc.aio.AioRpcError) -> tuple[ErrorInfo | None, float | None]:
    trailers = rpc.trailing_metadata()
    packed = trailers.get(_DETAILS) if trailers is not None else None
    if not isinstance(packed, bytes):
        return None, None
    return _unpacked(Status.FromString(packed))


def _unpacked(status: Status) -> tuple[ErrorInfo | None, float | None]:
    info, retry_after = None, None
    for detail in status.details:
        if detail.Is(ErrorInfo.DESCRIPTOR):
            candidate = ErrorInfo()
            detail.Unpack(candidate)
            info = candidate if candidate.domain == DOMAIN else info
        elif detail.Is(RetryInfo.DESCRIPTOR):
            delay = RetryInfo()
            detail.Unpack(delay)
            retry_after = delay.retry_delay.ToTimedelta().total_seconds()
    return info, retry_after
