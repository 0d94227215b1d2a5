"""Every refusal a caller can meet, each with a code and a machine-readable reason.

    StatewardError
    ├── InvalidArgument      INVALID_ARGUMENT      fix the request
    ├── Unauthenticated      UNAUTHENTICATED       bring a valid token
    ├── PermissionDenied     PERMISSION_DENIED     stop
    ├── NotFound             NOT_FOUND             decide
    ├── AlreadyExists        ALREADY_EXISTS        decide
    ├── FailedPrecondition   FAILED_PRECONDITION   change the state first
    ├── Aborted              ABORTED               read again, then retry
    ├── OutOfRange           OUT_OF_RANGE          take a fresh snapshot
    ├── ResourceExhausted    RESOURCE_EXHAUSTED    back off
    ├── Unavailable          UNAVAILABLE           retry with the same request id
    └── Internal             INTERNAL              report

Raised near the cause, translated to gRPC in `api/status.py` only. Reasons are the values of the
proto enum `ErrorReason` without its prefix; metadata repeats every name and number of the message.
"""

from __future__ import annotations

from enum import Enum


class Code(Enum):
    """The canonical code of a refusal, by the name google.rpc gives it."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


class StatewardError(Exception):
    """A refusal: `reason` for programs, `message` for people, `metadata` for both."""

    code: Code = Code.INTERNAL

    def __init__(
        self, reason: str, message: str, *, retry_after: float | None = None, **metadata: object
    ) -> None:
        """`retry_after` is in seconds; metadata values are shown as text."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.metadata = {key: str(value) for key, value in metadata.items()}


class InvalidArgument(StatewardError):
    code = Code.INVALID_ARGUMENT


class Unauthenticated(StatewardError):
    code = Code.UNAUTHENTICATED


class PermissionDenied(StatewardError):
    code = Code.PERMISSION_DENIED


class NotFound(StatewardError):
    code = Code.NOT_FOUND


class AlreadyExists(StatewardError):
    code = Code.ALREADY_EXISTS


class FailedPrecondition(StatewardError):
    code = Code.FAILED_PRECONDITION


class Aborted(StatewardError):
    code = Code.ABORTED


class OutOfRange(StatewardError):
    code = Code.OUT_OF_RANGE


class ResourceExhausted(StatewardError):
    code = Code.RESOURCE_EXHAUSTED


class Unavailable(StatewardError):
    code = Code.UNAVAILABLE


class Internal(StatewardError):
    code = Code.INTERNAL


def no_machine(name: str) -> NotFound:
    """Another organisation's machine is indistinguishable from an absent one."""
    return NotFound("MACHINE_NOT_FOUND", f"there is no machine {name!r}: create it first", machine=name)


def no_instance(machine: str, name: str) -> NotFound:
    return NotFound(
        "INSTANCE_NOT_FOUND", f"machine {machine!r} has no instance {name!r}", machine=machine, instance=name
    )


def no_version(machine: str, version: str) -> NotFound:
    return NotFound(
        "VERSION_NOT_FOUND",
        f"machine {machine!r} has no version {version!r}",
        machine=machine,
        version=version,
    )
