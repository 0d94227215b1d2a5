"""Every way a call can fail, as one tree of exceptions.

    StatewardError
    ├── InvalidArgument (ValueError)      fix the request
    │   ├── InvalidName                     not 1 to 128 letters, digits, '-' or '_'
    │   ├── RequestIdReused                 the request id belongs to another request
    │   ├── OrgNotChosen                    name an organisation: org=
    │   ├── ModuleRejected                  the uploaded module is not a usable machine
    │   └── ResumeTokenInvalid              not a token of this instance and mode
    ├── Unauthenticated                   bring a valid token
    │   ├── TokenExpired                    bring a new one
    │   └── AccessRevoked                   it was good when the stream began, and is not any more
    ├── PermissionDenied                  stop
    │   ├── RejectedByMachineAuthorizer     the machine's allowRead or allowWrite said no
    │   ├── ScopeMissing                    the token may not make this call
    │   ├── OrgNotFound                     there is no such organisation for this caller
    │   ├── PersonRequired                  the call is for people, not for tokens of keys
    │   ├── InvitationInvalid               the code is wrong, used, withdrawn or too old
    │   └── SubjectTokenRejected            the token brought for exchange is not trusted
    ├── NotFound                          decide
    │   ├── MachineNotFound
    │   ├── VersionNotFound
    │   ├── InstanceNotFound
    │   ├── IndexNotFound                   indexes are named when a machine is created
    │   ├── TimerNotFound                   it has fired, was cancelled, or never was
    │   ├── DeadLetterNotFound              it was retried or discarded
    │   ├── MemberNotFound
    │   ├── InvitationNotFound              it was taken up or withdrawn
    │   ├── KeyNotFound
    │   ├── IdentityProviderNotFound
    │   ├── TokenProviderNotFound
    │   └── AccessTokenNotFound
    ├── AlreadyExists                     decide
    │   ├── MachineExists
    │   ├── InstanceExists
    │   └── MemberExists
    ├── FailedPrecondition                change the state first
    │   ├── NoCurrentVersion                upload a version first
    │   ├── MachineHasInstances             delete them first
    │   ├── InstanceEnded                   it takes no more events
    │   ├── InstancePaused                  resume it, or wait until somebody does
    │   ├── LastOwner                       make somebody else an owner first
    │   ├── DeadLetterNotRetryable          what it needs is gone
    │   └── MachineFault                    the machine's own code failed; nothing changed
    ├── Aborted                           read again, then retry
    │   ├── RevisionMismatch                the instance is not at the expected revision
    │   └── StoreConflict                   competing writes; already retried
    ├── OutOfRange                        start again from a snapshot
    │   ├── ResumeTokenExpired              that part of the history is gone
    │   └── ResumeTokenDiverged             the history was replaced, as by a restored backup
    ├── ResourceExhausted                 back off
    │   ├── MailboxFull                     too many events are waiting for the instance
    │   ├── RateLimited                     too many calls in a second
    │   ├── AccessFull                      delete some keys, invitations, providers or tokens
    │   └── SubscriberTooSlow               resume from the last token
    ├── Unavailable                       already retried; retry later with the same request id
    │   └── IdentityProviderUnavailable     its keys cannot be read now
    ├── DeadlineExceeded (TimeoutError)   the outcome of a write is unknown; retry with the same request id
    └── Internal                          report it

Classes are chosen by the server's machine-readable reason; a reason this version does not know becomes the
class of its code. This module knows nothing of gRPC.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Code(Enum):
    """The canonical code of a failure, by the name google.rpc gives it."""

    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    DATA_LOSS = "DATA_LOSS"
    UNAUTHENTICATED = "UNAUTHENTICATED"


class StatewardError(Exception):
    """A call failed.

    Attributes:
        code: The canonical code.
        reason: The machine-readable reason, such as `INSTANCE_NOT_FOUND`; empty when the server gave none.
        message: The reason for people; the same as `str(error)`.
        metadata: Every name and number of the message, as text.
        retry_after: Seconds the server asks to wait before a retry, or None.
        request_id: The id of the failed write, or None. Repeating the call with it is safe: if the first
            attempt took effect after all, its stored outcome comes back.
    """

    code: Code = Code.UNKNOWN

    def __init__(
        self,
        message: str,
        *,
        code: Code | None = None,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after
        self.request_id = request_id

    def __repr__(self) -> str:
        reason = f", reason={self.reason!r}" if self.reason else ""
        return f"{type(self).__name__}({self.message!r}{reason})"


class InvalidArgument(StatewardError, ValueError):
    """The request is malformed: fix it."""

    code = Code.INVALID_ARGUMENT


class InvalidName(InvalidArgument):
    """A name does not match its grammar. Raised before anything is sent where possible."""


class RequestIdReused(InvalidArgument):
    """The request id was used before for another request."""


class OrgNotChosen(InvalidArgument):
    """The caller belongs to several organisations, or to none: name one."""


class ModuleRejected(InvalidArgument):
    """The uploaded module is not a usable machine; `reason` and `metadata` (line, export, …) say why."""


class ResumeTokenInvalid(InvalidArgument):
    """The resume token is malformed, or was made for another instance or mode."""


class Unauthenticated(StatewardError):
    """There is no token, or it cannot be verified."""

    code = Code.UNAUTHENTICATED


class TokenExpired(Unauthenticated):
    """The token's time is over."""


class AccessRevoked(Unauthenticated):
    """What the token gave access to was taken back or changed while the stream was open."""


class PermissionDenied(StatewardError):
    """The caller may not do this."""

    code = Code.PERMISSION_DENIED


class RejectedByMachineAuthorizer(PermissionDenied):
    """The machine's allowRead or allowWrite refused this caller."""


class ScopeMissing(PermissionDenied):
    """The token lacks the scope named in `metadata["scope"]`."""


class OrgNotFound(PermissionDenied):
    """There is no such organisation, as far as this caller can see."""


class PersonRequired(PermissionDenied):
    """The call is for people; the token was signed by a key."""


class InvitationInvalid(PermissionDenied):
    """The invitation's code is wrong, used or withdrawn, or its time is over."""


class SubjectTokenRejected(PermissionDenied):
    """The token brought for exchange is not one that the organisation trusts, or there is no such service."""


class NotFound(StatewardError):
    """There is no such thing, as far as this caller can see."""

    code = Code.NOT_FOUND


class MachineNotFound(NotFound):
    """There is no such machine."""


class VersionNotFound(NotFound):
    """The machine has no such version."""


class InstanceNotFound(NotFound):
    """The machine has no such instance."""


class IndexNotFound(NotFound):
    """The machine has no such index: indexes are named when a machine is created."""


class TimerNotFound(NotFound):
    """The instance has no such pending timer: it has fired, was cancelled, or never was."""


class DeadLetterNotFound(NotFound):
    """The instance has no such dead letter: it was retried or discarded, or never was."""


class MemberNotFound(NotFound):
    """The organisation has no such member."""


class InvitationNotFound(NotFound):
    """The organisation has no such invitation: it was taken up or withdrawn."""


class KeyNotFound(NotFound):
    """The organisation has no such key."""


class IdentityProviderNotFound(NotFound):
    """The organisation has no such identity provider."""


class TokenProviderNotFound(NotFound):
    """The organisation has no such token provider."""


class AccessTokenNotFound(NotFound):
    """The caller has no such access token."""


class AlreadyExists(StatewardError):
    """The name is taken."""

    code = Code.ALREADY_EXISTS


class MachineExists(AlreadyExists):
    """A machine of this name exists."""


class InstanceExists(AlreadyExists):
    """An instance of this name exists."""


class MemberExists(AlreadyExists):
    """The person is a member already."""


class FailedPrecondition(StatewardError):
    """Something else has to change first."""

    code = Code.FAILED_PRECONDITION


class NoCurrentVersion(FailedPrecondition):
    """The machine has no current version: upload one."""


class MachineHasInstances(FailedPrecondition):
    """The machine still has instances: delete them first."""


class InstanceEnded(FailedPrecondition):
    """The instance has reached its end and takes no more events."""


class InstancePaused(FailedPrecondition):
    """The instance is paused and takes no events until it is resumed."""


class LastOwner(FailedPrecondition):
    """Nobody would be left to own the organisation: make somebody else an owner first."""


class DeadLetterNotRetryable(FailedPrecondition):
    """What the dead letter needs is gone or in use, so it cannot be put back."""


class MachineFault(FailedPrecondition):
    """The machine's own code failed on this event, and nothing changed; `reason` says how.

    It threw, looped, took too long, needed too much memory, or made a context that cannot be stored or does
    not fit an index.
    """


class Aborted(StatewardError):
    """Something changed in between: read again, then retry."""

    code = Code.ABORTED


class RevisionMismatch(Aborted):
    """The instance is not at the expected revision; `metadata["revision"]` has the true one."""


class StoreConflict(Aborted):
    """Competing writes kept the server from committing, through all retries."""


class OutOfRange(StatewardError):
    """The history asked for is not there."""

    code = Code.OUT_OF_RANGE


class ResumeTokenExpired(OutOfRange):
    """The token's revision has left the history; `metadata["oldest_revision"]` is the oldest that is left."""


class ResumeTokenDiverged(OutOfRange):
    """The token belongs to a history the server does not have: it was restored from a backup, or replaced."""


class ResourceExhausted(StatewardError):
    """A limit was hit: back off."""

    code = Code.RESOURCE_EXHAUSTED


class MailboxFull(ResourceExhausted):
    """The instance has too many events waiting."""


class AccessFull(ResourceExhausted):
    """There are as many keys, invitations, providers or access tokens as there may be."""


class RateLimited(ResourceExhausted):
    """Too many calls in a second: with the key, of the organisation, or from this address without a token."""


class SubscriberTooSlow(ResourceExhausted):
    """The reader of a subscription did not keep up; it can resume from its last token."""


class Unavailable(StatewardError):
    """The server cannot be reached, or cannot serve now."""

    code = Code.UNAVAILABLE


class IdentityProviderUnavailable(Unavailable):
    """The keys of the identity provider cannot be read now."""


class DeadlineExceeded(StatewardError, TimeoutError):
    """The time for the call is over."""

    code = Code.DEADLINE_EXCEEDED


class Internal(StatewardError):
    """A bug; `metadata["error_id"]` finds it in the server's log."""

    code = Code.INTERNAL
