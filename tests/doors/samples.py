"""A request for each RPC that its administrator may make, in terms of the names of what it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from google.protobuf.message import Message
from tests.doors.rpcs import RPCS

from stateward.v1 import instance_service_pb2 as instance_pb
from stateward.v1 import key_service_pb2 as key_pb
from stateward.v1 import org_pb2, provider_pb2

SECRET_KEY = b"a shared secret of an identity provider"


@dataclass(frozen=True, slots=True)
class Names:
    """What one organisation has, by name: everything that a request can be about."""

    org: str
    machine: str
    spare: str
    """A machine without instances."""
    version: str
    instance: str
    timer: str
    letter: str
    index: str
    key: str
    member: str
    invitation: str
    code: str
    """A proof, not a name: whoever has it may take the invitation up."""
    identity_provider: str
    service: str
    access_token: str
    subject_token: str
    """A proof as well."""

    def absent(self, *but: str) -> Names:
        """Return names of the same lengths that nobody has; those in `but` stay."""
        return replace(
            self,
            **{
                field.name: _changed(getattr(self, field.name))
                for field in fields(self)
                if field.name not in but
            },
        )


def _changed(name: str) -> str:
    if name.isdecimal():
        return str(int(name) + 10 ** (len(name) - 1) * 7)[: len(name)]
    return name[:-4] + ("zzzA" if name[-4:] != "zzzA" else "yyyA")


def request_id(method: str) -> str:
    """Return the request id that everybody uses for a method: what two organisations have in common."""
    return str(uuid5(NAMESPACE_URL, method))


Fields = Callable[[Names], dict[str, Any]]


def _machine(names: Names) -> str:
    return f"machines/{names.machine}"


def _version(names: Names) -> str:
    return f"{_machine(names)}/versions/{names.version}"


def _instance(names: Names) -> str:
    return f"{_machine(names)}/instances/{names.instance}"


def _named(path: Callable[[Names], str]) -> Fields:
    return lambda names: {"name": path(names)}


def _under(path: Callable[[Names], str]) -> Fields:
    return lambda names: {"parent": path(names)}


def _letter(names: Names) -> str:
    return f"{_instance(names)}/deadLetters/{names.letter}"


def _nothing(_names: Names) -> dict[str, Any]:
    return {}


FIELDS: dict[str, Fields] = {
    "CreateMachine": lambda names: {"machine_id": f"{names.machine}-2", "indexes": ["owner"]},
    "GetMachine": _named(_machine),
    "ListMachines": _nothing,
    "UpdateMachine": lambda names: {
        "machine": {"name": _machine(names), "current_version": _version(names)},
        "update_mask": {"paths": ["current_version"]},
    },
    "DeleteMachine": _named(lambda names: f"machines/{names.spare}"),
    "CreateMachineVersion": lambda names: {"parent": _machine(names), "module_text": "export default 2"},
    "GetMachineVersion": _named(_version),
    "ListMachineVersions": _under(_machine),
    "CreateInstance": lambda names: {
        "parent": _machine(names),
        "instance_id": f"{names.instance}-2",
        "version": _version(names),
        "context_json": "{}",
    },
    "GetInstance": _named(_instance),
    "ListInstances": _under(_machine),
    "QueryIndex": lambda names: {"parent": _machine(names), "index": names.index},
    "DeleteInstance": _named(_instance),
    "SendEvent": lambda names: {
        "name": _instance(names),
        "event_json": '{"type":"NOTE","note":"said"}',
        "wait": {"point": instance_pb.WAIT_POINT_COMMITTED},
    },
    "ListTransitions": _under(_instance),
    "ListTimers": _under(_instance),
    "CancelTimer": _named(lambda names: f"{_instance(names)}/timers/{names.timer}"),
    "PauseInstance": _named(_instance),
    "ResumeInstance": _named(_instance),
    "ListDeadLetters": _under(_machine),
    "RetryDeadLetter": _named(_letter),
    "DiscardDeadLetter": _named(_letter),
    "ListAuditEntries": _nothing,
    "ExplainAccess": lambda names: {
        "assumed": {"key": f"keys/{names.key}", "auth_context_json": '{"sub":"ann"}'},
        "method": "InstanceService.SendEvent",
        "name": _instance(names),
        "event_json": '{"type":"NOTE","note":"said"}',
    },
    "GetLimits": _nothing,
    "WatchInstance": _named(_instance),
    "WatchInstances": lambda names: {"add": {"name": _instance(names)}},
    "WatchMachine": lambda names: {
        "parent": _machine(names),
        "filter": {"indexes": [{"index": names.index, "value": "ann"}]},
    },
    "CreateOrg": lambda _: {"display_name": "Another"},
    "GetOrg": _nothing,
    "ListOrgs": _nothing,
    "UpdateOrg": lambda _: {"display_name": "Renamed", "anonymous_access": True},
    "ListMembers": _nothing,
    "UpdateMember": lambda names: {"name": f"members/{names.member}", "role": org_pb2.ROLE_DEVELOPER},
    "DeleteMember": _named(lambda names: f"members/{names.member}"),
    "CreateInvitation": lambda _: {"role": org_pb2.ROLE_VIEWER, "note": "somebody"},
    "ListInvitations": _nothing,
    "DeleteInvitation": _named(lambda names: f"invitations/{names.invitation}"),
    "AcceptInvitation": lambda names: {"code": names.code, "display_name": "Newcomer"},
    "WhoAmI": _nothing,
    "CreateAccessToken": lambda _: {"display_name": "another"},
    "ListAccessTokens": _nothing,
    "DeleteAccessToken": _named(lambda names: f"accessTokens/{names.access_token}"),
    "CreateKey": lambda _: {"display_name": "another", "use": key_pb.KEY_USE_PRODUCTION},
    "ListKeys": _nothing,
    "DeleteKey": _named(lambda names: f"keys/{names.key}"),
    "PutIdentityProvider": lambda _: {
        "identity_provider": provider_pb2.IdentityProvider(
            issuer="https://another.example", algorithms=["HS256"], key=SECRET_KEY
        )
    },
    "ListIdentityProviders": _nothing,
    "DeleteIdentityProvider": _named(lambda names: f"identityProviders/{names.identity_provider}"),
    "PutTokenProvider": lambda names: {
        "token_provider": {"name": "tokenProviders/another", "key": f"keys/{names.key}"}
    },
    "ListTokenProviders": _nothing,
    "DeleteTokenProvider": _named(lambda names: f"tokenProviders/{names.service}"),
    "ExchangeToken": lambda names: {
        "token_provider": f"orgs/{names.org}/tokenProviders/{names.service}",
        "subject_token": names.subject_token,
    },
}

REFUSED: dict[str, str] = {
    # The administrator belongs to the organisation already.
    "AcceptInvitation": "MEMBER_EXISTS",
}
"""The samples that an administrator is refused, and why."""

FURTHER: dict[str, frozenset[str]] = {
    "DeleteMember": frozenset({"org-members.write"}),
    "WatchMachine": frozenset({"indexes.read"}),
}
"""Scopes that a sample needs beside its RPC's own, for what it says."""


def sample(method: str, names: Names, *, repeatable: bool = False, **more: Any) -> Message:
    """Return the request; with everybody's request id if it is to be `repeatable`."""
    rpc = RPCS[method]
    if repeatable and "request_id" in rpc.request.DESCRIPTOR.fields_by_name:
        more["request_id"] = request_id(method)
    return rpc.request(**{**FIELDS[method](names), **more})
