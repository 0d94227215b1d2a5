"""Client for Stateward: XState machines as persistent, real-time gRPC backends.

    async with Client.connect("127.0.0.1:7411", token="…") as client:
        instance = client.machine("toggle").instance("session-123")
        await instance.get_or_create()
        reply = await instance.send("toggle")
        print(reply.state.value, reply.state.public_context)
        async for update in instance.subscribe():
            print(update.state.value)

`stateward.blocking` is the same without `await`; `stateward.errors` draws the tree of exceptions;
`stateward.tokens` signs tokens for end users.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ._credentials import Anonymous, Exchange, TokenFunction
from ._profile import Profile
from ._retry import RetryPolicy
from ._tls import TLS
from ._wait import Wait
from .access import (
    AccessExplanation,
    AccessLayer,
    AccessToken,
    AuditEntry,
    Identity,
    IdentityProviderInfo,
    Invitation,
    Joined,
    Key,
    KeyUse,
    LayerVerdict,
    Member,
    NewAccessToken,
    NewInvitation,
    NewKey,
    Org,
    Role,
    TokenProviderInfo,
)
from .errors import (
    Aborted,
    AccessFull,
    AccessRevoked,
    AccessTokenNotFound,
    AlreadyExists,
    Code,
    DeadLetterNotFound,
    DeadLetterNotRetryable,
    DeadlineExceeded,
    FailedPrecondition,
    IdentityProviderNotFound,
    IdentityProviderUnavailable,
    IndexNotFound,
    InstanceEnded,
    InstanceExists,
    InstanceNotFound,
    InstancePaused,
    Internal,
    InvalidArgument,
    InvalidName,
    InvitationInvalid,
    InvitationNotFound,
    KeyNotFound,
    LastOwner,
    MachineExists,
    MachineFault,
    MachineHasInstances,
    MachineNotFound,
    MailboxFull,
    MemberExists,
    MemberNotFound,
    ModuleRejected,
    NoCurrentVersion,
    NotFound,
    OrgNotChosen,
    OrgNotFound,
    OutOfRange,
    PermissionDenied,
    PersonRequired,
    RateLimited,
    RejectedByMachineAuthorizer,
    RequestIdReused,
    ResourceExhausted,
    ResumeTokenDiverged,
    ResumeTokenExpired,
    ResumeTokenInvalid,
    RevisionMismatch,
    ScopeMissing,
    StatewardError,
    StoreConflict,
    SubjectTokenRejected,
    SubscriberTooSlow,
    TimerNotFound,
    TokenExpired,
    TokenProviderNotFound,
    Unauthenticated,
    Unavailable,
    VersionNotFound,
)
from .state import (
    Cause,
    Changed,
    Comparison,
    DeadLetter,
    DeadLetterKind,
    Entered,
    IndexCondition,
    IndexEntry,
    InstanceFinished,
    InstanceInfo,
    InstanceUpdate,
    Json,
    Language,
    Left,
    Limit,
    MachineEvent,
    MachineInfo,
    MachineVersion,
    Mode,
    Reconnect,
    Reply,
    State,
    StateValue,
    Status,
    Synced,
    Timer,
    Transition,
    Update,
    WatchEvent,
)

if TYPE_CHECKING:
    from ._audit import Audit
    from ._client import Client
    from ._instance import Instance
    from ._keys import AccessTokens, Keys
    from ._listener import Listener
    from ._machine import Machine
    from ._machine_watch import MachineWatch
    from ._orgs import Invitations, Members, Orgs
    from ._providers import IdentityProviders, TokenProviders
    from ._subscription import Subscription
    from ._watches import Watches

__all__ = [
    "TLS",
    "Aborted",
    "AccessExplanation",
    "AccessFull",
    "AccessLayer",
    "AccessRevoked",
    "AccessToken",
    "AccessTokenNotFound",
    "AccessTokens",
    "AlreadyExists",
    "Anonymous",
    "Audit",
    "AuditEntry",
    "Cause",
    "Changed",
    "Client",
    "Code",
    "Comparison",
    "DeadLetter",
    "DeadLetterKind",
    "DeadLetterNotFound",
    "DeadLetterNotRetryable",
    "DeadlineExceeded",
    "Entered",
    "Exchange",
    "FailedPrecondition",
    "Identity",
    "IdentityProviderInfo",
    "IdentityProviderNotFound",
    "IdentityProviderUnavailable",
    "IdentityProviders",
    "IndexCondition",
    "IndexEntry",
    "IndexNotFound",
    "Instance",
    "InstanceEnded",
    "InstanceExists",
    "InstanceFinished",
    "InstanceInfo",
    "InstanceNotFound",
    "InstancePaused",
    "InstanceUpdate",
    "Internal",
    "InvalidArgument",
    "InvalidName",
    "Invitation",
    "InvitationInvalid",
    "InvitationNotFound",
    "Invitations",
    "Joined",
    "Json",
    "Key",
    "KeyNotFound",
    "KeyUse",
    "Keys",
    "Language",
    "LastOwner",
    "LayerVerdict",
    "Left",
    "Limit",
    "Listener",
    "Machine",
    "MachineEvent",
    "MachineExists",
    "MachineFault",
    "MachineHasInstances",
    "MachineInfo",
    "MachineNotFound",
    "MachineVersion",
    "MachineWatch",
    "MailboxFull",
    "Member",
    "MemberExists",
    "MemberNotFound",
    "Members",
    "Mode",
    "ModuleRejected",
    "NewAccessToken",
    "NewInvitation",
    "NewKey",
    "NoCurrentVersion",
    "NotFound",
    "Org",
    "OrgNotChosen",
    "OrgNotFound",
    "Orgs",
    "OutOfRange",
    "PermissionDenied",
    "PersonRequired",
    "Profile",
    "RateLimited",
    "Reconnect",
    "RejectedByMachineAuthorizer",
    "Reply",
    "RequestIdReused",
    "ResourceExhausted",
    "ResumeTokenDiverged",
    "ResumeTokenExpired",
    "ResumeTokenInvalid",
    "RetryPolicy",
    "RevisionMismatch",
    "Role",
    "ScopeMissing",
    "State",
    "StateValue",
    "StatewardError",
    "Status",
    "StoreConflict",
    "SubjectTokenRejected",
    "SubscriberTooSlow",
    "Subscription",
    "Synced",
    "Timer",
    "TimerNotFound",
    "TokenExpired",
    "TokenFunction",
    "TokenProviderInfo",
    "TokenProviderNotFound",
    "TokenProviders",
    "Transition",
    "Unauthenticated",
    "Unavailable",
    "Update",
    "VersionNotFound",
    "Wait",
    "WatchEvent",
    "Watches",
]

# What talks to a server loads gRPC, and comes when it is first asked for: a program that only needs an error,
# a value or the stubs, or shows its own help, should not wait for that.
_CONNECTED = {
    "AccessTokens": "_keys",
    "Audit": "_audit",
    "Client": "_client",
    "IdentityProviders": "_providers",
    "Instance": "_instance",
    "Invitations": "_orgs",
    "Keys": "_keys",
    "Listener": "_listener",
    "Machine": "_machine",
    "MachineWatch": "_machine_watch",
    "Members": "_orgs",
    "Orgs": "_orgs",
    "Subscription": "_subscription",
    "TokenProviders": "_providers",
    "Watches": "_watches",
}


def __getattr__(name: str) -> object:
    if name not in _CONNECTED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_CONNECTED[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_CONNECTED})
