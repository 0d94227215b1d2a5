"""The refusals of the engine, each with its words: what happened and what to do."""

from __future__ import annotations

from stateward_server.model.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    StatewardError,
    Unavailable,
    no_instance,
)
from stateward_server.model.ledger import InstanceKey
from stateward_server.model.step import Status

_CALLER_FAULTS = frozenset({"EVENT_RESERVED"})


def denied(key: InstanceKey) -> PermissionDenied:
    """The machine's allowRead or allowWrite refused."""
    return PermissionDenied(
        "REJECTED_BY_MACHINE_AUTHORIZER",
        f"machine {key.machine!r} does not allow this for instance {key.name!r}",
        machine=key.machine,
        instance=key.name,
    )


def failed(reason: str, message: str) -> StatewardError:
    """The transition could not be computed; nothing changed."""
    if reason in _CALLER_FAULTS:
        return InvalidArgument(reason, message)
    return FailedPrecondition(reason, message)


def ended(status: Status) -> FailedPrecondition:
    return FailedPrecondition(
        "INSTANCE_ENDED",
        f"the instance has ended ({status.value}) and takes no more events: create another one",
        status=status.value,
    )


def stale(expected: int, actual: int) -> Aborted:
    return Aborted(
        "REVISION_MISMATCH",
        f"the instance is at revision {actual}, not {expected}: read it again, then decide",
        expected_revision=expected,
        revision=actual,
    )


def reused(request_id: str) -> InvalidArgument:
    return InvalidArgument(
        "REQUEST_ID_REUSED",
        f"request id {request_id!r} was used for another request: mint a new one",
        request_id=request_id,
    )


def no_host() -> Unavailable:
    return Unavailable(
        "HOST_UNAVAILABLE", "the machine's process was lost; nothing changed: retry", retry_after=0.2
    )


def no_store() -> Unavailable:
    return Unavailable(
        "STORE_UNAVAILABLE", "the store could not write; nothing changed: retry", retry_after=1.0
    )


def draining() -> Unavailable:
    return Unavailable(
        "DRAINING", "the server is shutting down: retry with the same request id", retry_after=0.5
    )


def gone(key: InstanceKey) -> NotFound:
    return no_instance(key.machine, key.name)
