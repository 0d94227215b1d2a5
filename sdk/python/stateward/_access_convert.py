"""Messages about who may do what, to and from the SDK's own values; see `_convert`."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from ._convert import time
from ._json import decode
from ._names import parts
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
from .v1 import (
    access_service_pb2,
    account_service_pb2,
    audit_pb2,
    key_pb2,
    key_service_pb2,
    member_service_pb2,
    org_pb2,
    provider_pb2,
)

_ROLE = {
    org_pb2.ROLE_OWNER: Role.OWNER,
    org_pb2.ROLE_DEVELOPER: Role.DEVELOPER,
    org_pb2.ROLE_VIEWER: Role.VIEWER,
}
_VERDICT = {
    access_service_pb2.ACCESS_VERDICT_PASSED: LayerVerdict.PASSED,
    access_service_pb2.ACCESS_VERDICT_REFUSED: LayerVerdict.REFUSED,
    access_service_pb2.ACCESS_VERDICT_FAILED: LayerVerdict.FAILED,
    access_service_pb2.ACCESS_VERDICT_NOT_ASKED: LayerVerdict.NOT_ASKED,
}
_ROLE_NUMBER = {role: number for number, role in _ROLE.items()}
_USE: dict[str, key_service_pb2.KeyUse.ValueType] = {
    "production": key_service_pb2.KEY_USE_PRODUCTION,
    "ci": key_service_pb2.KEY_USE_CI,
}


def role(number: org_pb2.Role.ValueType) -> Role:
    return _ROLE.get(number, Role.UNKNOWN)


def role_number(role: Role) -> org_pb2.Role.ValueType:
    """Raises ValueError for a role that cannot be given."""
    if role not in _ROLE_NUMBER:
        raise ValueError(f"a member's role is one of {', '.join(map(str, _ROLE_NUMBER))}, got {role!r}")
    return _ROLE_NUMBER[role]


def use_number(use: KeyUse | None) -> key_service_pb2.KeyUse.ValueType:
    """Raises ValueError for a use that the type checker did not see."""
    if use is None:
        return key_service_pb2.KEY_USE_UNSPECIFIED
    if use not in _USE:
        raise ValueError(f"the use of a key is one of {', '.join(_USE)}, got {use!r}")
    return _USE[use]


def identity(message: account_service_pb2.WhoAmIResponse) -> Identity:
    return Identity(
        org=parts(message.org)[0] if message.org else None,
        subject=message.subject,
        display_name=message.display_name,
        role=role(message.role) if message.role else None,
        scopes=tuple(message.scopes),
        auth_context=decode(message.auth_context_json),
        expire_time=time(message.expire_time) if message.HasField("expire_time") else None,
    )


def org(message: org_pb2.Org) -> Org:
    return Org(
        id=parts(message.name)[0],
        display_name=message.display_name,
        anonymous_access=message.anonymous_access,
        create_time=time(message.create_time),
        role=role(message.role) if message.role else None,
    )


def member(message: org_pb2.Member) -> Member:
    return Member(
        id=parts(message.name)[0],
        display_name=message.display_name,
        role=role(message.role),
        create_time=time(message.create_time),
    )


def invitation(message: org_pb2.Invitation) -> Invitation:
    return Invitation(
        id=parts(message.name)[0],
        role=role(message.role),
        note=message.note,
        create_time=time(message.create_time),
        expire_time=time(message.expire_time),
    )


def new_invitation(response: member_service_pb2.CreateInvitationResponse) -> NewInvitation:
    return NewInvitation(invitation(response.invitation), response.code)


def joined(response: member_service_pb2.AcceptInvitationResponse) -> Joined:
    return Joined(org(response.org), member(response.member), response.access_token or None)


def key(message: key_pb2.Key) -> Key:
    return Key(
        id=parts(message.name)[0],
        display_name=message.display_name,
        scopes=tuple(message.scopes),
        create_time=time(message.create_time),
    )


def new_key(response: key_service_pb2.CreateKeyResponse) -> NewKey:
    return NewKey(key(response.key), response.secret)


def identity_provider(message: provider_pb2.IdentityProvider) -> IdentityProviderInfo:
    return IdentityProviderInfo(
        id=parts(message.name)[0],
        issuer=message.issuer or None,
        audience=message.audience or None,
        algorithms=tuple(message.algorithms),
        jwks_url=message.jwks_url or None,
        mapping=decode(message.mapping_json),
        create_time=time(message.create_time),
    )


def token_provider(message: provider_pb2.TokenProvider) -> TokenProviderInfo:
    return TokenProviderInfo(
        service=parts(message.name)[0],
        key=parts(message.key)[0],
        mapping=decode(message.mapping_json) if message.mapping_json else None,
        create_time=time(message.create_time),
    )


def access_token(message: account_service_pb2.AccessToken) -> AccessToken:
    return AccessToken(
        id=parts(message.name)[0],
        display_name=message.display_name,
        create_time=time(message.create_time),
        current=message.current,
    )


def new_access_token(response: account_service_pb2.CreateAccessTokenResponse) -> NewAccessToken:
    return NewAccessToken(access_token(response.access_token), response.secret)


def timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    message = Timestamp()
    message.FromDatetime(moment.astimezone(UTC))
    return message


def audit_entry(message: audit_pb2.AuditEntry) -> AuditEntry:
    return AuditEntry(
        id=parts(message.name)[0],
        create_time=time(message.create_time),
        subject=message.subject or None,
        method=message.method,
        resource=message.resource or None,
        acting=message.acting,
        sub=message.sub or None,
        sid=message.sid or None,
        peer=message.peer,
        outcome=message.outcome or None,
    )


def explanation(message: access_service_pb2.ExplainAccessResponse) -> AccessExplanation:
    return AccessExplanation(
        allowed=message.allowed,
        layers=tuple(map(_layer, message.layers)),
        auth_context=decode(message.auth_context_json) if message.auth_context_json else None,
        revision=message.revision or None,
    )


def _layer(message: access_service_pb2.AccessLayer) -> AccessLayer:
    known = message.layer in access_service_pb2.Layer.values()
    name = access_service_pb2.Layer.Name(message.layer) if known else "LAYER_UNKNOWN"
    return AccessLayer(
        layer=name.removeprefix("LAYER_").lower(),
        verdict=_VERDICT.get(message.verdict, LayerVerdict.UNKNOWN),
        reason=message.reason or None,
        detail=message.detail,
    )
