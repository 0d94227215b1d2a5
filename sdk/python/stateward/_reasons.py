"""Which class of exception a refusal becomes, by its code and its machine-readable reason."""

from __future__ import annotations

from . import errors
from .errors import Code, StatewardError

_CODE_CLASSES: tuple[type[StatewardError], ...] = (
    errors.InvalidArgument,
    errors.Unauthenticated,
    errors.PermissionDenied,
    errors.NotFound,
    errors.AlreadyExists,
    errors.FailedPrecondition,
    errors.Aborted,
    errors.OutOfRange,
    errors.ResourceExhausted,
    errors.Unavailable,
    errors.DeadlineExceeded,
    errors.Internal,
)
_BY_CODE: dict[Code, type[StatewardError]] = {cls.code: cls for cls in _CODE_CLASSES}

BY_REASON: dict[str, type[StatewardError]] = {
    "INVALID_NAME": errors.InvalidName,
    "REQUEST_ID_REUSED": errors.RequestIdReused,
    "ORG_NOT_CHOSEN": errors.OrgNotChosen,
    "MODULE_SYNTAX_ERROR": errors.ModuleRejected,
    "MODULE_LOAD_FAILED": errors.ModuleRejected,
    "MODULE_EXPORT_MISSING": errors.ModuleRejected,
    "MODULE_XSTATE_UNSUPPORTED": errors.ModuleRejected,
    "MODULE_TIMED_OUT": errors.ModuleRejected,
    "MODULE_OUT_OF_MEMORY": errors.ModuleRejected,
    "MODULE_TOO_LARGE": errors.ModuleRejected,
    "MODULE_ENCODING": errors.ModuleRejected,
    "TOKEN_EXPIRED": errors.TokenExpired,
    "ACCESS_REVOKED": errors.AccessRevoked,
    "SCOPE_MISSING": errors.ScopeMissing,
    "REJECTED_BY_MACHINE_AUTHORIZER": errors.RejectedByMachineAuthorizer,
    "ORG_NOT_FOUND": errors.OrgNotFound,
    "PERSON_REQUIRED": errors.PersonRequired,
    "INVITATION_INVALID": errors.InvitationInvalid,
    "SUBJECT_TOKEN_REJECTED": errors.SubjectTokenRejected,
    "MACHINE_NOT_FOUND": errors.MachineNotFound,
    "VERSION_NOT_FOUND": errors.VersionNotFound,
    "INSTANCE_NOT_FOUND": errors.InstanceNotFound,
    "INDEX_NOT_FOUND": errors.IndexNotFound,
    "TIMER_NOT_FOUND": errors.TimerNotFound,
    "DEAD_LETTER_NOT_FOUND": errors.DeadLetterNotFound,
    "MEMBER_NOT_FOUND": errors.MemberNotFound,
    "INVITATION_NOT_FOUND": errors.InvitationNotFound,
    "KEY_NOT_FOUND": errors.KeyNotFound,
    "IDENTITY_PROVIDER_NOT_FOUND": errors.IdentityProviderNotFound,
    "TOKEN_PROVIDER_NOT_FOUND": errors.TokenProviderNotFound,
    "ACCESS_TOKEN_NOT_FOUND": errors.AccessTokenNotFound,
    "MACHINE_EXISTS": errors.MachineExists,
    "INSTANCE_EXISTS": errors.InstanceExists,
    "MEMBER_EXISTS": errors.MemberExists,
    "NO_CURRENT_VERSION": errors.NoCurrentVersion,
    "MACHINE_HAS_INSTANCES": errors.MachineHasInstances,
    "INSTANCE_ENDED": errors.InstanceEnded,
    "INSTANCE_PAUSED": errors.InstancePaused,
    "LAST_OWNER": errors.LastOwner,
    "DEAD_LETTER_NOT_RETRYABLE": errors.DeadLetterNotRetryable,
    "MACHINE_THREW": errors.MachineFault,
    "MACHINE_LOOPED": errors.MachineFault,
    "MACHINE_TIMED_OUT": errors.MachineFault,
    "MACHINE_OUT_OF_MEMORY": errors.MachineFault,
    "CONTEXT_TOO_LARGE": errors.MachineFault,
    "CONTEXT_NOT_JSON": errors.MachineFault,
    "INDEX_TOO_LARGE": errors.MachineFault,
    "EVENT_UNSERIALIZABLE": errors.MachineFault,
    "MESSAGE_INVALID": errors.MachineFault,
    "UNKNOWN_EFFECT": errors.MachineFault,
    "REVISION_MISMATCH": errors.RevisionMismatch,
    "STORE_CONFLICT": errors.StoreConflict,
    "RESUME_TOKEN_EXPIRED": errors.ResumeTokenExpired,
    "RESUME_TOKEN_DIVERGED": errors.ResumeTokenDiverged,
    "RESUME_TOKEN_INVALID": errors.ResumeTokenInvalid,
    "MAILBOX_FULL": errors.MailboxFull,
    "RATE_LIMITED": errors.RateLimited,
    "ACCESS_FULL": errors.AccessFull,
    "SUBSCRIBER_TOO_SLOW": errors.SubscriberTooSlow,
    "IDENTITY_PROVIDER_UNAVAILABLE": errors.IdentityProviderUnavailable,
}


def error_class(code: Code, reason: str) -> type[StatewardError]:
    """Return the narrowest class for a code and reason; the root for codes outside the contract.

    A reason counts only under its own code, so that `except FailedPrecondition` never misses one.
    """
    by_code = _BY_CODE.get(code, StatewardError)
    by_reason = BY_REASON.get(reason, by_code)
    return by_reason if issubclass(by_reason, by_code) else by_code
