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

from ._auth import Token
from ._client import Client
from ._instance import Instance
from ._listener import Listener
from ._machine import Machine
from ._machine_watch import MachineWatch
from ._profile import Profile
from ._retry import RetryPolicy
from ._subscription import Subscription
from ._tls import TLS
from ._wait import Wait
from ._watches import Watches
from .errors import (
    Aborted,
    AlreadyExists,
    Code,
    DeadLetterNotFound,
    DeadLetterNotRetryable,
    DeadlineExceeded,
    FailedPrecondition,
    InstanceEnded,
    InstanceExists,
    InstanceNotFound,
    InstancePaused,
    Internal,
    InvalidArgument,
    InvalidName,
    MachineExists,
    MachineFault,
    MachineHasInstances,
    MachineNotFound,
    MailboxFull,
    ModuleRejected,
    NoCurrentVersion,
    NotFound,
    OutOfRange,
    PermissionDenied,
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
    SubscriberTooSlow,
    TimerNotFound,
    TokenExpired,
    Unauthenticated,
    Unavailable,
    VersionNotFound,
)
from .state import (
    Cause,
    Changed,
    DeadLetter,
    DeadLetterKind,
    Entered,
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

__all__ = [
    "TLS",
    "Aborted",
    "AlreadyExists",
    "Cause",
    "Changed",
    "Client",
    "Code",
    "DeadLetter",
    "DeadLetterKind",
    "DeadLetterNotFound",
    "DeadLetterNotRetryable",
    "DeadlineExceeded",
    "Entered",
    "FailedPrecondition",
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
    "Json",
    "Language",
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
    "Mode",
    "ModuleRejected",
    "NoCurrentVersion",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "Profile",
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
    "ScopeMissing",
    "State",
    "StateValue",
    "StatewardError",
    "Status",
    "StoreConflict",
    "SubscriberTooSlow",
    "Subscription",
    "Synced",
    "Timer",
    "TimerNotFound",
    "Token",
    "TokenExpired",
    "Transition",
    "Unauthenticated",
    "Unavailable",
    "Update",
    "VersionNotFound",
    "Wait",
    "WatchEvent",
    "Watches",
]
