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
from ._machine import Machine
from ._retry import RetryPolicy
from ._subscription import Subscription
from ._wait import Wait
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
    DeadLetter,
    DeadLetterKind,
    InstanceInfo,
    Json,
    Language,
    Limit,
    MachineInfo,
    MachineVersion,
    Mode,
    Reply,
    State,
    StateValue,
    Status,
    Timer,
    Transition,
    Update,
)

__all__ = [
    "Aborted",
    "AlreadyExists",
    "Cause",
    "Client",
    "Code",
    "DeadLetter",
    "DeadLetterKind",
    "DeadLetterNotFound",
    "DeadLetterNotRetryable",
    "DeadlineExceeded",
    "FailedPrecondition",
    "Instance",
    "InstanceEnded",
    "InstanceExists",
    "InstanceInfo",
    "InstanceNotFound",
    "InstancePaused",
    "Internal",
    "InvalidArgument",
    "InvalidName",
    "Json",
    "Language",
    "Limit",
    "Machine",
    "MachineExists",
    "MachineFault",
    "MachineHasInstances",
    "MachineInfo",
    "MachineNotFound",
    "MachineVersion",
    "MailboxFull",
    "Mode",
    "ModuleRejected",
    "NoCurrentVersion",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
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
]
