"""The refusals of the engine, each with its words: what happened and what to do."""

from __future__ import annotations

from stateward_server.model.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
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


def paused(key: InstanceKey) -> FailedPrecondition:
    return FailedPrecondition(
        "INSTANCE_PAUSED",
        f"instance {key.name!r} of machine {key.machine!r} is paused: resume it first",
        machine=key.machine,
        instance=key.name,
    )


def conflict() -> Aborted:
    return Aborted("STORE_CONFLICT", "a competing write kept this out: read again, then retry")


def mailbox_full(limit: int) -> ResourceExhausted:
    return ResourceExhausted(
        "MAILBOX_FULL",
        f"the instance has {limit} events waiting: send more slowly",
        retry_after=0.1,
        limit=limit,
    )


def no_timer(timer: str) -> NotFound:
    return NotFound(
        "TIMER_NOT_FOUND",
        f"there is no pending timer {timer[:200]!r}: it has fired, was cancelled, or never was",
        timer=timer[:200],
    )


def no_letter(letter: int) -> NotFound:
    return NotFound(
        "DEAD_LETTER_NOT_FOUND",
        f"there is no dead letter {letter}: it was retried or discarded, or never was",
        dead_letter=letter,
    )


def not_retryable(letter: int, why: str) -> FailedPrecondition:
    return FailedPrecondition(
        "DEAD_LETTER_NOT_RETRYABLE",
        f"dead letter {letter} cannot be retried: {why}",
        dead_letter=letter,
    )


def exists(key: InstanceKey) -> AlreadyExists:
    return AlreadyExists(
        "INSTANCE_EXISTS",
        f"machine {key.machine!r} already has an instance {key.name!r}: read it, or choose another name",
        machine=key.machine,
        instance=key.name,
    )


def no_version_yet(machine: str) -> FailedPrecondition:
    return FailedPrecondition(
        "NO_CURRENT_VERSION", f"machine {machine!r} has no current version: upload one", machine=machine
    )


def gone(key: InstanceKey) -> NotFound:
    return no_instance(key.machine, key.name)
