"""The border between our words and the generated ones, for who may come in."""

from __future__ import annotations

from stateward.v1 import account_service_pb2, key_pb2, key_service_pb2, org_pb2, provider_pb2
from stateward_server.api.convert import timestamp
from stateward_server.auth.scopes import CI, PRODUCTION
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.org import (
    AccessToken,
    IdentityProvider,
    Invitation,
    Key,
    Member,
    Org,
    Role,
    TokenProvider,
)

_ROLE = {
    Role.OWNER: org_pb2.ROLE_OWNER,
    Role.DEVELOPER: org_pb2.ROLE_DEVELOPER,
    Role.VIEWER: org_pb2.ROLE_VIEWER,
}
_ROLE_OF: dict[int, Role] = {word: role for role, word in _ROLE.items()}
_USE: dict[int, frozenset[str]] = {
    key_service_pb2.KEY_USE_UNSPECIFIED: frozenset(),
    key_service_pb2.KEY_USE_PRODUCTION: PRODUCTION,
    key_service_pb2.KEY_USE_CI: CI,
}


def role(value: int) -> Role:
    """Raises InvalidArgument (INVALID_FIELD)."""
    if value not in _ROLE_OF:
        raise InvalidArgument(
            "INVALID_FIELD", "role must be ROLE_OWNER, ROLE_DEVELOPER or ROLE_VIEWER", field="role"
        )
    return _ROLE_OF[value]


def role_word(value: Role | None) -> org_pb2.Role.ValueType:
    return _ROLE[value] if value else org_pb2.ROLE_UNSPECIFIED


def scopes_for(value: int) -> frozenset[str]:
    """Raises InvalidArgument (INVALID_FIELD)."""
    if value not in _USE:
        raise InvalidArgument("INVALID_FIELD", "use must be KEY_USE_PRODUCTION or KEY_USE_CI", field="use")
    return _USE[value]


def org(entry: Org, mine: Role | None, *, anonymous: bool) -> org_pb2.Org:
    return org_pb2.Org(
        name=f"orgs/{entry.id}",
        display_name=entry.display_name,
        anonymous_access=anonymous,
        create_time=timestamp(entry.created_ms),
        role=role_word(mine),
    )


def member(entry: Member) -> org_pb2.Member:
    return org_pb2.Member(
        name=f"members/{entry.user.id}",
        display_name=entry.user.display_name,
        role=_ROLE[entry.role],
        create_time=timestamp(entry.since_ms),
    )


def invitation(entry: Invitation) -> org_pb2.Invitation:
    return org_pb2.Invitation(
        name=f"invitations/{entry.id}",
        role=_ROLE[entry.role],
        note=entry.note,
        create_time=timestamp(entry.created_ms),
        expire_time=timestamp(entry.expires_ms),
    )


def access_token(entry: AccessToken, *, current: bool) -> account_service_pb2.AccessToken:
    return account_service_pb2.AccessToken(
        name=f"accessTokens/{entry.id}",
        display_name=entry.display_name,
        create_time=timestamp(entry.created_ms),
        current=current,
    )


def key(entry: Key) -> key_pb2.Key:
    return key_pb2.Key(
        name=f"keys/{entry.id}",
        display_name=entry.display_name,
        scopes=entry.scopes,
        create_time=timestamp(entry.created_ms),
    )


def identity_provider(entry: IdentityProvider) -> provider_pb2.IdentityProvider:
    return provider_pb2.IdentityProvider(
        name=f"identityProviders/{entry.id}",
        issuer=entry.issuer or "",
        audience=entry.audience or "",
        algorithms=entry.algorithms,
        jwks_url=entry.jwks_url or "",
        mapping_json=entry.mapping_json,
        create_time=timestamp(entry.created_ms),
    )


def token_provider(entry: TokenProvider) -> provider_pb2.TokenProvider:
    return provider_pb2.TokenProvider(
        name=f"tokenProviders/{entry.service}",
        key=f"keys/{entry.key_id}",
        mapping_json=entry.mapping_json,
        create_time=timestamp(entry.created_ms),
    )
