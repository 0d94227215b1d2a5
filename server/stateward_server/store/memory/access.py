"""Organisations, members, keys and providers, in dictionaries: the role `Access` of the memory store.

Contracts are in `ports/access.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, TypeVar

from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import OrgId
from stateward_server.model.org import (
    AccessToken,
    AnonymousAccess,
    IdentityProvider,
    Invitation,
    Key,
    Member,
    Org,
    Role,
    TokenProvider,
    User,
)
from stateward_server.ports.access import Change, Newcomer
from stateward_server.store.memory.tables import Tables

T = TypeVar("T")


@dataclass(slots=True)
class _Tables:
    """Everything about who may come in."""

    orgs: dict[OrgId, Org] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    members: dict[tuple[OrgId, str], Member] = field(default_factory=dict)
    invitations: dict[str, Invitation] = field(default_factory=dict)
    tokens: dict[bytes, AccessToken] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    identities: dict[tuple[OrgId, str], IdentityProvider] = field(default_factory=dict)
    providers: dict[tuple[OrgId, str], TokenProvider] = field(default_factory=dict)


class MemoryAccess:
    """The front door's part of the memory store."""

    def __init__(self, tables: Tables) -> None:
        self._requests = tables
        self._access = _Tables()

    async def create_org(
        self, org: Org, owner: User, anonymous: AnonymousAccess | None, request: RequestRecord | None
    ) -> None:
        self._access.orgs[org.id] = org
        self._join(Member(org.id, owner, Role.OWNER, org.created_ms))
        if anonymous:
            self._open(anonymous)
        self._requests.record(request)

    async def get_org(self, org: OrgId) -> Org | None:
        return self._access.orgs.get(org)

    async def list_orgs(self, after: str, limit: int) -> Sequence[Org]:
        return _page(self._access.orgs.values(), "id", after, limit)

    async def orgs_of(self, user: str, after: str, limit: int) -> Sequence[tuple[Org, Role]]:
        mine = (member for (_, each), member in self._access.members.items() if each == user)
        return [(self._access.orgs[member.org], member.role) for member in _page(mine, "org", after, limit)]

    async def rename_org(self, org: OrgId, display_name: str, request: RequestRecord | None) -> None:
        self._access.orgs[org] = replace(self._access.orgs[org], display_name=display_name)
        self._requests.record(request)

    async def open_to_anonymous(self, access: AnonymousAccess, request: RequestRecord | None) -> None:
        self._open(access)
        self._requests.record(request)

    async def close_to_anonymous(self, access: AnonymousAccess, request: RequestRecord | None) -> None:
        self._access.keys.pop(access.key.id, None)
        self._access.identities.pop((access.key.org, access.identity.id), None)
        self._access.providers.pop((access.key.org, access.token.service), None)
        self._requests.record(request)

    async def get_member(self, org: OrgId, user: str) -> Member | None:
        return self._access.members.get((org, user))

    async def list_members(self, org: OrgId, after: str, limit: int) -> Sequence[Member]:
        members = (member for member in self._access.members.values() if member.org == org)
        return _page(members, "user.id", after, limit)

    async def set_role(self, org: OrgId, user: str, role: Role, request: RequestRecord | None) -> Change:
        member = self._access.members.get((org, user))
        if member is None:
            return Change.ABSENT
        if role is not Role.OWNER and self._is_last_owner(member):
            return Change.LAST_OWNER
        self._access.members[org, user] = replace(member, role=role)
        return self._done(request)

    async def delete_member(self, org: OrgId, user: str, request: RequestRecord | None) -> Change:
        member = self._access.members.get((org, user))
        if member and self._is_last_owner(member):
            return Change.LAST_OWNER
        return self._removed(self._access.members, (org, user), request)

    async def create_invitation(
        self, invitation: Invitation, most: int, request: RequestRecord | None
    ) -> Change:
        if sum(each.org == invitation.org for each in self._access.invitations.values()) >= most:
            return Change.FULL
        self._access.invitations[invitation.id] = invitation
        return self._done(request)

    async def list_invitations(self, org: OrgId, after: str, limit: int) -> Sequence[Invitation]:
        return _page(
            (each for each in self._access.invitations.values() if each.org == org), "id", after, limit
        )

    async def get_invitation(self, invitation: str) -> Invitation | None:
        return self._access.invitations.get(invitation)

    async def delete_invitation(self, org: OrgId, invitation: str, request: RequestRecord | None) -> Change:
        found = self._access.invitations.get(invitation)
        if found is None or found.org != org:
            return Change.ABSENT
        return self._removed(self._access.invitations, invitation, request)

    async def accept_invitation(
        self, invitation: Invitation, who: User | Newcomer, now_ms: int, request: RequestRecord | None
    ) -> Change:
        user = who.user if isinstance(who, Newcomer) else who
        if (invitation.org, user.id) in self._access.members:
            return Change.TAKEN
        if self._access.invitations.pop(invitation.id, None) is None:
            return Change.ABSENT
        self._join(Member(invitation.org, user, invitation.role, now_ms))
        if isinstance(who, Newcomer):
            self._access.tokens[who.digest] = who.token
        return self._done(request)

    async def put_newcomer(self, newcomer: Newcomer, member: Member) -> None:
        self._join(member)
        self._access.tokens[newcomer.digest] = newcomer.token

    async def create_token(
        self, token: AccessToken, digest: bytes, most: int, request: RequestRecord | None
    ) -> Change:
        if sum(each.user == token.user for each in self._access.tokens.values()) >= most:
            return Change.FULL
        self._access.tokens[digest] = token
        return self._done(request)

    async def find_token(self, digest: bytes) -> tuple[AccessToken, User] | None:
        token = self._access.tokens.get(digest)
        return (token, self._access.users[token.user]) if token else None

    async def list_tokens(self, user: str, after: str, limit: int) -> Sequence[AccessToken]:
        return _page((each for each in self._access.tokens.values() if each.user == user), "id", after, limit)

    async def delete_token(self, user: str, token: str, request: RequestRecord | None) -> Change:
        for digest, each in self._access.tokens.items():
            if (each.user, each.id) == (user, token):
                return self._removed(self._access.tokens, digest, request)
        return Change.ABSENT

    async def create_key(self, key: Key, most: int, request: RequestRecord | None) -> Change:
        if sum(each.org == key.org for each in self._access.keys.values()) >= most:
            return Change.FULL
        self._access.keys[key.id] = key
        return self._done(request)

    async def get_key(self, key: str) -> Key | None:
        return self._access.keys.get(key)

    async def list_keys(self, org: OrgId, after: str, limit: int) -> Sequence[Key]:
        return _page((each for each in self._access.keys.values() if each.org == org), "id", after, limit)

    async def delete_key(self, org: OrgId, key: str, request: RequestRecord | None) -> Change:
        found = self._access.keys.get(key)
        if found is None or found.org != org:
            return Change.ABSENT
        return self._removed(self._access.keys, key, request)

    async def put_identity_provider(
        self, provider: IdentityProvider, most: int, request: RequestRecord | None
    ) -> Change:
        if _others(self._access.identities, provider.org, provider.id) >= most:
            return Change.FULL
        self._put_identity(provider)
        return self._done(request)

    async def get_identity_provider(self, org: OrgId, provider: str) -> IdentityProvider | None:
        return self._access.identities.get((org, provider))

    async def find_identity_providers(self, org: OrgId, ids: Sequence[str]) -> Sequence[IdentityProvider]:
        found = (self._access.identities.get((org, each)) for each in ids)
        return [each for each in found if each is not None]

    async def list_identity_providers(self, org: OrgId, after: str, limit: int) -> Sequence[IdentityProvider]:
        return _page(
            (each for each in self._access.identities.values() if each.org == org), "id", after, limit
        )

    async def delete_identity_provider(
        self, org: OrgId, provider: str, request: RequestRecord | None
    ) -> Change:
        return self._removed(self._access.identities, (org, provider), request)

    async def put_token_provider(
        self, provider: TokenProvider, most: int, request: RequestRecord | None
    ) -> Change:
        key = self._access.keys.get(provider.key_id)
        if key is None or key.org != provider.org:
            return Change.ABSENT
        if _others(self._access.providers, provider.org, provider.service) >= most:
            return Change.FULL
        self._put_provider(provider)
        return self._done(request)

    async def get_token_provider(self, org: OrgId, service: str) -> TokenProvider | None:
        return self._access.providers.get((org, service))

    async def list_token_providers(self, org: OrgId, after: str, limit: int) -> Sequence[TokenProvider]:
        mine = (each for each in self._access.providers.values() if each.org == org)
        return _page(mine, "service", after, limit)

    async def delete_token_provider(self, org: OrgId, service: str, request: RequestRecord | None) -> Change:
        return self._removed(self._access.providers, (org, service), request)

    def _join(self, member: Member) -> None:
        user = self._access.users.setdefault(member.user.id, member.user)
        self._access.members.setdefault((member.org, user.id), replace(member, user=user))

    def _open(self, anonymous: AnonymousAccess) -> None:
        self._access.keys[anonymous.key.id] = anonymous.key
        self._put_identity(anonymous.identity)
        self._put_provider(anonymous.token)

    def _put_identity(self, provider: IdentityProvider) -> None:
        known = self._access.identities.get((provider.org, provider.id), provider)
        self._access.identities[provider.org, provider.id] = replace(provider, created_ms=known.created_ms)

    def _put_provider(self, provider: TokenProvider) -> None:
        known = self._access.providers.get((provider.org, provider.service), provider)
        self._access.providers[provider.org, provider.service] = replace(
            provider, created_ms=known.created_ms
        )

    def _is_last_owner(self, member: Member) -> bool:
        owners = [
            each
            for each in self._access.members.values()
            if each.org == member.org and each.role is Role.OWNER
        ]
        return owners == [member]

    def _removed(self, table: dict[Any, Any], key: object, request: RequestRecord | None) -> Change:
        return Change.ABSENT if table.pop(key, None) is None else self._done(request)

    def _done(self, request: RequestRecord | None) -> Change:
        self._requests.record(request)
        return Change.DONE


def _others(table: dict[tuple[OrgId, str], Any], org: OrgId, name: str) -> int:
    return sum(place[0] == org and place[1] != name for place in table)


def _page(items: Iterable[T], name: str, after: str, limit: int) -> list[T]:
    """Return the first items above `after` by the attribute `name`."""
    place = attrgetter(name)
    return sorted((item for item in items if place(item) > after), key=place)[:limit]
