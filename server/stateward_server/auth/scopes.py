"""Which scope each RPC needs. An RPC without a row cannot be called; a test compares this with the protos."""

from __future__ import annotations

ADMIN: frozenset[str] = frozenset(
    {
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
        "org.keys.write",
        "state.read",
    }
)
"""Every scope there is: what an administrator holds."""

PRODUCTION: frozenset[str] = frozenset({"events.write", "instances.write", "state.read"})
"""What tokens of an application's end users hold."""

INDEXES = "indexes.read"
"""Needed to see values of indexes, or to choose by them."""

ACT_AS = "org.keys.write"
"""Needed to speak for somebody else."""

_MACHINES = "/stateward.v1.MachineService/"
_INSTANCES = "/stateward.v1.InstanceService/"
_SUBSCRIPTIONS = "/stateward.v1.SubscriptionService/"
_DEAD_LETTERS = "/stateward.v1.DeadLetterService/"
_LIMITS = "/stateward.v1.LimitsService/"

BY_METHOD: dict[str, str] = {
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
}
