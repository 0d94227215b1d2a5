"""Which RPCs are in the audit log, whoever calls. A test compares both halves with the protos.

Administrative is what changes what an organisation has or who may come in, and what shows events and contexts
without asking the machine. Everyday calls are in the log where an administrator speaks for somebody else.
"""

from __future__ import annotations

ADMINISTRATIVE: frozenset[str] = frozenset(
    f"/stateward.v1.{method}"
    for method in (
        "AccessService/ExplainAccess",
        "AccountService/CreateAccessToken",
        "AccountService/DeleteAccessToken",
        "DeadLetterService/DiscardDeadLetter",
        "DeadLetterService/ListDeadLetters",
        "DeadLetterService/RetryDeadLetter",
        "IdentityProviderService/DeleteIdentityProvider",
        "IdentityProviderService/PutIdentityProvider",
        "InstanceService/CancelTimer",
        "InstanceService/DeleteInstance",
        "InstanceService/ListTimers",
        "InstanceService/ListTransitions",
        "InstanceService/PauseInstance",
        "InstanceService/ResumeInstance",
        "KeyService/CreateKey",
        "KeyService/DeleteKey",
        "MachineService/CreateMachine",
        "MachineService/CreateMachineVersion",
        "MachineService/DeleteMachine",
        "MachineService/UpdateMachine",
        "MemberService/AcceptInvitation",
        "MemberService/CreateInvitation",
        "MemberService/DeleteInvitation",
        "MemberService/DeleteMember",
        "MemberService/UpdateMember",
        "OrgService/CreateOrg",
        "OrgService/UpdateOrg",
        "TokenProviderService/DeleteTokenProvider",
        "TokenProviderService/PutTokenProvider",
    )
)

EVERYDAY: frozenset[str] = frozenset(
    f"/stateward.v1.{method}"
    for method in (
        "AccountService/ListAccessTokens",
        "AccountService/WhoAmI",
        "AuditService/ListAuditEntries",
        "IdentityProviderService/ListIdentityProviders",
        "InstanceService/CreateInstance",
        "InstanceService/GetInstance",
        "InstanceService/ListInstances",
        "InstanceService/QueryIndex",
        "InstanceService/SendEvent",
        "KeyService/ListKeys",
        "LimitsService/GetLimits",
        "MachineService/GetMachine",
        "MachineService/GetMachineVersion",
        "MachineService/ListMachines",
        "MachineService/ListMachineVersions",
        "MemberService/ListInvitations",
        "MemberService/ListMembers",
        "OrgService/GetOrg",
        "OrgService/ListOrgs",
        "SubscriptionService/WatchInstance",
        "SubscriptionService/WatchInstances",
        "SubscriptionService/WatchMachine",
        "TokenProviderService/ListTokenProviders",
        "TokenService/ExchangeToken",
    )
)
