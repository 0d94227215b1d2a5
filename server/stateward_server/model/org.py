"""An organisation, who belongs to it, and the keys and providers by which others come in.

Times are Unix milliseconds. Nothing here holds a secret in the clear: what must be kept of one is its digest,
or is sealed with the server's own key.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import Enum

from stateward_server.model.names import OrgId


class Role(Enum):
    """What a member may do; `auth/scopes.py` says which scopes that is."""

    OWNER = "owner"
    DEVELOPER = "developer"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Org:
    """An organisation: whatever it owns, no other can see."""

    id: OrgId
    display_name: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class User:
    """A person, or a program that acts as one: may belong to several organisations."""

    id: str
    """`usr_` and 22 characters."""
    display_name: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class Member:
    """A user's place in an organisation."""

    org: OrgId
    user: User
    role: Role
    since_ms: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """An offer to join, taken up once by whoever brings its code."""

    id: str
    """`inv_` and 22 characters."""
    org: OrgId
    role: Role
    note: str
    """Whom it is meant for, in the inviter's words."""
    created_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A person's own token, by what may be shown of it."""

    id: str
    """`sat_` and 22 characters."""
    user: str
    display_name: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key: who holds its secret makes tokens of the organisation with these scopes."""

    id: str
    """`sbk_` and 22 characters."""
    org: OrgId
    display_name: str
    scopes: tuple[str, ...]
    """Sorted."""
    created_ms: int


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """Whose tokens an organisation trusts to say who somebody is.

    A token's `iss` and `aud` choose the provider; one of the two may be left blank (None) and then matches
    anything. It has either a JWKS address or a key of its own.
    """

    id: str
    """`idp_` and 22 characters, which follow from issuer and audience."""
    org: OrgId
    issuer: str | None
    audience: str | None
    algorithms: tuple[str, ...]
    """JWA names; a token signed with any other is refused."""
    jwks_url: str | None
    sealed_key: bytes | None
    """The verification key, sealed: bytes of an HMAC secret, or a PEM public key."""
    mapping_json: str
    """Turns the token's claims into those of the identity (see `auth/mapping.py`)."""
    created_ms: int


@dataclass(frozen=True, slots=True)
class TokenProvider:
    """Gives tokens of the organisation to whoever has an identity; its key signs, its mapping shapes them."""

    org: OrgId
    service: str
    """Its name: 1 to 128 letters, digits, `-` or `_`."""
    key_id: str
    mapping_json: str
    """Turns the identity's claims into the token's `act` claim."""
    created_ms: int


@dataclass(frozen=True, slots=True)
class AnonymousAccess:
    """What lets people in without an account: a provider that takes their word, and one that gives tokens."""

    key: Key
    identity: IdentityProvider
    token: TokenProvider


def identity_provider_id(issuer: str | None, audience: str | None) -> str:
    """Return the id that a provider with this issuer and audience has in every organisation."""
    digest = hashlib.sha256(json.dumps([issuer, audience]).encode()).digest()
    return "idp_" + urlsafe_b64encode(digest[:16]).decode().rstrip("=")
