"""What each RPC needs. An RPC without a row cannot be called; a test compares this with the protos."""

from __future__ import annotations

from enum import Enum

from stateward_server.model.org import Role


class Door(Enum):
    """What a few RPCs need instead of a scope."""

    OPEN = "open"
    """Nothing: they bring their own proof."""
    KNOWN = "known"
    """Any valid token."""
    PERSON = "person"
    """A person's token, of whatever organisation."""


ALL: frozenset[str] = frozenset(
    {
        "audit.admin",
        "events.write",
        "indexes.read",
        "instances.admin",
        "instances.read",
        "instances.write",
        "machine-versions.read",
        "machine-versions.write",
        "machines.admin",
        "machines.read",
        "machines.write",
        "org-members.write",
        "org.keys.write",
        "org.read",
        "org.write",
        "state.read",
        "tokens.admin",
    }
)
"""Every scope there is."""

BY_ROLE: dict[Role, frozenset[str]] = {
    Role.OWNER: ALL,
    Role.DEVELOPER: frozenset(
        scope for scope in ALL if not scope.endswith(".admin") and not scope.startswith("org")
    )
    | {"org.read"},
    Role.VIEWER: frozenset(scope for scope in ALL if scope.endswith(".read")),
}
"""What members hold."""

PRODUCTION: frozenset[str] = frozenset({"events.write", "indexes.read", "instances.write", "state.read"})
"""What tokens of an application's end users hold."""

INDEXES = "indexes.read"
"""Needed to see values of indexes, or to choose by them."""

LISTS = "instances.read"
"""Needed to see which instances a machine has, whatever its allowRead says."""

CI: frozenset[str] = frozenset(
    {"machine-versions.read", "machine-versions.write", "machines.read", "machines.write"}
)
"""What a program that publishes machines holds."""

ACT_AS = "org.keys.write"
"""Needed to speak for somebody else."""

_ACCESS = "/stateward.v1.AccessService/"
_AUDIT = "/stateward.v1.AuditService/"
_MACHINES = "/stateward.v1.MachineService/"
_INSTANCES = "/stateward.v1.InstanceService/"
_SUBSCRIPTIONS = "/stateward.v1.SubscriptionService/"
_DEAD_LETTERS = "/stateward.v1.DeadLetterService/"
_LIMITS = "/stateward.v1.LimitsService/"
_ORGS = "/stateward.v1.OrgService/"
_MEMBERS = "/stateward.v1.MemberService/"
_ACCOUNTS = "/stateward.v1.AccountService/"
_KEYS = "/stateward.v1.KeyService/"
_IDENTITY_PROVIDERS = "/stateward.v1.IdentityProviderService/"
_TOKEN_PROVIDERS = "/stateward.v1.TokenProviderService/"  # noqa: S105 - no secret
_TOKENS = "/stateward.v1.TokenService/"

BY_METHOD: dict[str, str | Door] = {
    _MACHINES + "CreateMachine": "machines.write",
    _MACHINES + "GetMachine": "machines.read",
    _MACHINES + "ListMachines": "machines.read",
    _MACHINES + "UpdateMachine": "machine-versions.write",
    _MACHINES + "DeleteMachine": "machines.admin",
    _MACHINES + "CreateMachineVersion": "machine-versions.write",
    _MACHINES + "GetMachineVersion": "machine-versions.read",
    _MACHINES + "ListMachineVersions": "machine-versions.read",
    _INSTANCES + "CreateInstance": "instances.write",
    _INSTANCES + "GetInstance": "state.read",
    _INSTANCES + "ListInstances": "instances.read",
    _INSTANCES + "QueryIndex": INDEXES,
    _INSTANCES + "DeleteInstance": "instances.admin",
    _INSTANCES + "SendEvent": "events.write",
    _INSTANCES + "ListTransitions": "instances.admin",
    _INSTANCES + "ListTimers": "instances.admin",
    _INSTANCES + "CancelTimer": "instances.admin",
    _INSTANCES + "PauseInstance": "instances.admin",
    _INSTANCES + "ResumeInstance": "instances.admin",
    _DEAD_LETTERS + "ListDeadLetters": "instances.admin",
    _DEAD_LETTERS + "RetryDeadLetter": "instances.admin",
    _DEAD_LETTERS + "DiscardDeadLetter": "instances.admin",
    _LIMITS + "GetLimits": "state.read",
    _SUBSCRIPTIONS + "WatchInstance": "state.read",
    _SUBSCRIPTIONS + "WatchInstances": "state.read",
    _SUBSCRIPTIONS + "WatchMachine": "instances.read",
    _ORGS + "CreateOrg": Door.PERSON,
    _ORGS + "GetOrg": "org.read",
    _ORGS + "ListOrgs": Door.PERSON,
    _ORGS + "UpdateOrg": "org.write",
    _MEMBERS + "ListMembers": "org.read",
    _MEMBERS + "UpdateMember": "org-members.write",
    _MEMBERS + "DeleteMember": "org.read",
    _MEMBERS + "CreateInvitation": "org-members.write",
    _MEMBERS + "ListInvitations": "org-members.write",
    _MEMBERS + "DeleteInvitation": "org-members.write",
    _MEMBERS + "AcceptInvitation": Door.OPEN,
    _ACCESS + "ExplainAccess": ACT_AS,
    _AUDIT + "ListAuditEntries": "audit.admin",
    _ACCOUNTS + "WhoAmI": Door.KNOWN,
    _ACCOUNTS + "CreateAccessToken": Door.PERSON,
    _ACCOUNTS + "ListAccessTokens": Door.PERSON,
    _ACCOUNTS + "DeleteAccessToken": Door.PERSON,
    _KEYS + "CreateKey": "org.keys.write",
    _KEYS + "ListKeys": "tokens.admin",
    _KEYS + "DeleteKey": "org.keys.write",
    _IDENTITY_PROVIDERS + "PutIdentityProvider": "tokens.admin",
    _IDENTITY_PROVIDERS + "ListIdentityProviders": "tokens.admin",
    _IDENTITY_PROVIDERS + "DeleteIdentityProvider": "tokens.admin",
    _TOKEN_PROVIDERS + "PutTokenProvider": "tokens.admin",
    _TOKEN_PROVIDERS + "ListTokenProviders": "tokens.admin",
    _TOKEN_PROVIDERS + "DeleteTokenProvider": "tokens.admin",
    _TOKENS + "ExchangeToken": Door.OPEN,
}
