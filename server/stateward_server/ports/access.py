"""Who may come in, as the rooms above see it. A store knows no tokens and opens no secret.

Every write is one transaction. A `request` that is given is recorded with the change it asked for. Lists are
in the order of ids, after one id, and never longer than `limit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

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


class Change(Enum):
    """What became of a change that may be refused. Nothing was written unless it is DONE."""

    DONE = "done"
    ABSENT = "absent"
    """There is no such thing."""
    TAKEN = "taken"
    """There is one already."""
    LAST_OWNER = "last_owner"
    """Nobody would be left to own the organisation."""
    FULL = "full"
    """The organisation has as many as it may have."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person who comes with nothing, and the access token that is made for them."""

    user: User
    token: AccessToken
    digest: bytes
    """SHA-256 of the token's secret."""


class Orgs(Protocol):
    """Organisations."""

    async def create_org(
        self, org: Org, owner: User, anonymous: AnonymousAccess | None, request: RequestRecord | None
    ) -> None:
        """Create an organisation with its owner, who may be new as well."""
        ...

    async def get_org(self, org: OrgId) -> Org | None: ...

    async def list_orgs(self, after: str, limit: int) -> Sequence[Org]: ...

    async def orgs_of(self, user: str, after: str, limit: int) -> Sequence[tuple[Org, Role]]: ...

    async def rename_org(self, org: OrgId, display_name: str, request: RequestRecord | None) -> None: ...

    async def open_to_anonymous(self, access: AnonymousAccess, request: RequestRecord | None) -> None:
        """Put the three records there, in place of any like them."""
        ...

    async def close_to_anonymous(self, access: AnonymousAccess, request: RequestRecord | None) -> None:
        """Delete the three records."""
        ...


class Members(Protocol):
    """Who belongs to an organisation, and who may yet."""

    async def get_member(self, org: OrgId, user: str) -> Member | None: ...

    async def list_members(self, org: OrgId, after: str, limit: int) -> Sequence[Member]: ...

    async def set_role(self, org: OrgId, user: str, role: Role, request: RequestRecord | None) -> Change:
        """DONE, ABSENT or LAST_OWNER."""
        ...

    async def delete_member(self, org: OrgId, user: str, request: RequestRecord | None) -> Change:
        """DONE, ABSENT or LAST_OWNER."""
        ...

    async def create_invitation(
        self, invitation: Invitation, most: int, request: RequestRecord | None
    ) -> Change:
        """DONE, or FULL where the organisation has `most` invitations."""
        ...

    async def list_invitations(self, org: OrgId, after: str, limit: int) -> Sequence[Invitation]: ...

    async def get_invitation(self, invitation: str) -> Invitation | None: ...

    async def delete_invitation(self, org: OrgId, invitation: str, request: RequestRecord | None) -> Change:
        """DONE or ABSENT."""
        ...

    async def accept_invitation(
        self, invitation: Invitation, who: User | Newcomer, now_ms: int, request: RequestRecord | None
    ) -> Change:
        """Delete the invitation and make the person a member: DONE, ABSENT, or TAKEN if they are one."""
        ...


class AccessTokens(Protocol):
    """Persons and their tokens."""

    async def put_newcomer(self, newcomer: Newcomer, member: Member) -> None:
        """Create a person with a token and a place in an organisation."""
        ...

    async def create_token(
        self, token: AccessToken, digest: bytes, most: int, request: RequestRecord | None
    ) -> Change:
        """DONE, or FULL where the person has `most` tokens."""
        ...

    async def find_token(self, digest: bytes) -> tuple[AccessToken, User] | None: ...

    async def list_tokens(self, user: str, after: str, limit: int) -> Sequence[AccessToken]: ...

    async def delete_token(self, user: str, token: str, request: RequestRecord | None) -> Change:
        """DONE or ABSENT."""
        ...


class Keys(Protocol):
    """Signing keys; their secrets are derived, see `auth/secrets.py`."""

    async def create_key(self, key: Key, most: int, request: RequestRecord | None) -> Change:
        """DONE, or FULL where the organisation has `most` keys."""
        ...

    async def get_key(self, key: str) -> Key | None: ...

    async def list_keys(self, org: OrgId, after: str, limit: int) -> Sequence[Key]: ...

    async def delete_key(self, org: OrgId, key: str, request: RequestRecord | None) -> Change:
        """DONE or ABSENT. Token providers that sign with it stay, and give no token till they get another."""
        ...


class Providers(Protocol):
    """Identity providers and token providers."""

    async def put_identity_provider(
        self, provider: IdentityProvider, most: int, request: RequestRecord | None
    ) -> Change:
        """DONE, or FULL for another where the organisation has `most`. A replaced one keeps its age."""
        ...

    async def get_identity_provider(self, org: OrgId, provider: str) -> IdentityProvider | None: ...

    async def find_identity_providers(self, org: OrgId, ids: Sequence[str]) -> Sequence[IdentityProvider]:
        """Return those there are, in any order."""
        ...

    async def list_identity_providers(
        self, org: OrgId, after: str, limit: int
    ) -> Sequence[IdentityProvider]: ...

    async def delete_identity_provider(
        self, org: OrgId, provider: str, request: RequestRecord | None
    ) -> Change:
        """DONE or ABSENT."""
        ...

    async def put_token_provider(
        self, provider: TokenProvider, most: int, request: RequestRecord | None
    ) -> Change:
        """DONE; FULL for another where there are `most`; ABSENT where the organisation lacks its key."""
        ...

    async def get_token_provider(self, org: OrgId, service: str) -> TokenProvider | None: ...

    async def list_token_providers(self, org: OrgId, after: str, limit: int) -> Sequence[TokenProvider]: ...

    async def delete_token_provider(self, org: OrgId, service: str, request: RequestRecord | None) -> Change:
        """DONE or ABSENT."""
        ...


class Access(Orgs, Members, AccessTokens, Keys, Providers, Protocol):
    """All of it."""
