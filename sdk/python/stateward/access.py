"""Who may do what: organisations and their members, keys, providers and access tokens, as values.

All are immutable and know nothing of the wire. A secret is only in what a call that makes one returns, and
never in a repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal, TypeAlias

from .state import Json

KeyUse: TypeAlias = Literal["production", "ci"]
"""What a key is for, as a set of scopes: an application's end users, or publishing machines."""


class Role(Enum):
    """What a member may do."""

    OWNER = "owner"
    """Everything."""
    DEVELOPER = "developer"
    """Publish machines, create instances and send events; nothing that concerns who may come in."""
    VIEWER = "viewer"
    """Look."""
    UNKNOWN = "unknown"
    """Something that this version of the SDK does not know."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a caller is, and what it may do."""

    org: str | None
    """The organisation, `org_…`; None for a person who belongs to none, or to several and named none."""
    subject: str
    """`users/…` for a person, `keys/…` for whoever has a token that a key signed."""
    display_name: str
    """What a person is called."""
    role: Role | None
    """A person's role in the organisation."""
    scopes: tuple[str, ...]
    """What the caller may do there, sorted."""
    auth_context: dict[str, Json] = field(hash=False)
    """What machines see as the auth context."""
    expire_time: datetime | None
    """When the token expires, in UTC; None for one that does not."""


@dataclass(frozen=True, slots=True)
class Org:
    """An organisation."""

    id: str
    """`org_` and 22 characters."""
    display_name: str
    """What people call it."""
    anonymous_access: bool
    """Whether anyone may get a token without an account."""
    create_time: datetime
    """When it was created, in UTC."""
    role: Role | None
    """The caller's role in it; None for a token that is not a person's."""


@dataclass(frozen=True, slots=True)
class Member:
    """A person's place in an organisation."""

    id: str
    """The person: `usr_` and 22 characters."""
    display_name: str
    """What the person is called."""
    role: Role
    """What the person may do."""
    create_time: datetime
    """When the person joined, in UTC."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """An offer to join an organisation, taken up once by whoever brings its code."""

    id: str
    """`inv_` and 22 characters."""
    role: Role
    """The role of whoever takes it up."""
    note: str
    """Whom it is meant for, in the inviter's words."""
    create_time: datetime
    """When it was made, in UTC."""
    expire_time: datetime
    """When it lapses, in UTC."""


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation that was made just now, with its code."""

    invitation: Invitation
    """The invitation."""
    code: str = field(repr=False)
    """A secret: whoever has it can join."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What taking up an invitation has brought."""

    org: Org
    """The organisation one has joined."""
    member: Member
    """One's place in it."""
    access_token: str | None = field(repr=False)
    """A new person's access token: a secret, shown once. None for somebody who had one."""


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key: whoever has its secret makes tokens of the organisation."""

    id: str
    """`sbk_` and 22 characters."""
    display_name: str
    """What people call it."""
    scopes: tuple[str, ...]
    """What its tokens may do, sorted."""
    create_time: datetime
    """When it was made, in UTC."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made just now, with its secret."""

    key: Key
    """The key."""
    secret: str = field(repr=False)
    """`sbsec_…`, what `stateward.tokens.sign` signs with; shown once."""


@dataclass(frozen=True, slots=True)
class IdentityProviderInfo:
    """Somebody whose tokens say who a user is; a token's `iss` and `aud` claims choose the provider."""

    id: str
    """Follows from issuer and audience."""
    issuer: str | None
    """The `iss` of its tokens; None matches any."""
    audience: str | None
    """The `aud` of its tokens, or one of them; None matches any."""
    algorithms: tuple[str, ...]
    """JWA names of the signatures that are accepted."""
    jwks_url: str | None
    """Where its keys are published; None where a key was given instead, which is never shown."""
    mapping: dict[str, Json] = field(hash=False)
    """How its tokens' claims become those of the identity."""
    create_time: datetime
    """When it was first put there, in UTC."""


@dataclass(frozen=True, slots=True)
class TokenProviderInfo:
    """Gives tokens of the organisation to whoever one of its identity providers knows."""

    service: str
    """Its name."""
    key: str
    """The id of the key that signs the tokens, and gives them their scopes."""
    mapping: dict[str, Json] | None = field(hash=False)
    """How the identity's claims become those that machines see as authContext; None keeps all of them."""
    create_time: datetime
    """When it was first put there, in UTC."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token of a person, without its secret."""

    id: str
    """`sat_` and 22 characters."""
    display_name: str
    """What people call it."""
    create_time: datetime
    """When it was made, in UTC."""
    current: bool
    """Whether it is the token of the client that asked."""


@dataclass(frozen=True, slots=True)
class NewAccessToken:
    """An access token that was made just now, with its secret."""

    access_token: AccessToken
    """The token, as it is listed."""
    secret: str = field(repr=False)
    """The bearer token; shown once."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One call in an organisation's audit log."""

    id: str
    """`aud_` and 22 characters."""
    create_time: datetime
    """When the call came, in UTC."""
    subject: str | None
    """Whose token it was: `users/…` or `keys/…`; None for a call without one."""
    method: str
    """Service and RPC, such as `KeyService.CreateKey`."""
    resource: str | None
    """What the call names or has made, such as `keys/…`."""
    acting: bool
    """Whether an administrator spoke for somebody else."""
    sub: str | None
    """For whom: the claim of that name, cut off after 128 characters."""
    sid: str | None
    """The same."""
    peer: str
    """Where the call came from."""
    outcome: str | None
    """`OK` or an error reason; None while the call runs, and for good if the server was killed meanwhile."""


class LayerVerdict(Enum):
    """What a layer says to a call."""

    PASSED = "passed"
    """It lets the call pass."""
    REFUSED = "refused"
    """It refuses the call."""
    FAILED = "failed"
    """It threw or did not answer, which refuses the call."""
    NOT_ASKED = "not asked"
    """It could not be asked."""
    UNKNOWN = "unknown"
    """Something that this version of the SDK does not know."""


@dataclass(frozen=True, slots=True)
class AccessLayer:
    """What one layer says to a call, and why."""

    layer: str
    """`token`, `organization`, `scope`, `instance` or `authorizer`."""
    verdict: LayerVerdict
    reason: str | None
    """What the caller would be refused with, such as `SCOPE_MISSING`."""
    detail: str
    """The same for people, and more than the caller would get."""


@dataclass(frozen=True, slots=True)
class AccessExplanation:
    """What lets a call in or refuses it."""

    allowed: bool
    """Whether every layer lets the call pass."""
    layers: tuple[AccessLayer, ...]
    """In the order a call meets them."""
    auth_context: dict[str, Json] | None = field(hash=False)
    """What the authorisers get; None for a token that is not valid."""
    revision: int | None
    """Of the state that the authoriser was asked about."""
