"""Bearer tokens to Principals: a person's opaque token, or a JWT signed with one of our keys.

JWTs are HS256 only, name their key by `kid`, must expire, and carry the caller's claims in `act`
(the State Backed token format). Verified tokens are remembered until they expire or are revoked.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import jwt

from stateward_server.auth.revocations import Revocations, place
from stateward_server.auth.scopes import ACT_AS, BY_ROLE
from stateward_server.auth.secrets import Secrets, token_digest
from stateward_server.model.errors import InvalidArgument, PermissionDenied, Unauthenticated
from stateward_server.model.limits import ApiLimits
from stateward_server.model.names import OrgId
from stateward_server.model.org import Key
from stateward_server.model.principal import NO_ORG, Principal
from stateward_server.ports.access import Access
from stateward_server.ports.clock import Clock

AUDIENCE = "https://api.statebacked.dev/"
"""The fixed audience of State Backed tokens, whatever the server's own address."""

UNKNOWN_TOKEN = "it is no access token of anybody, and no token that a key has signed"  # noqa: S105 - no token
UNKNOWN_KEY = "the key it names does not exist, or was revoked"

_LEEWAY_S = 5
_MAX_TOKEN = ApiLimits().token_bytes
_MAX_AUTH_CONTEXT = ApiLimits().auth_context_bytes
_LAST_S = 253_402_300_799
"""The end of the year 9999: a time beyond it is not meant in seconds."""
_KEY_ID = re.compile(r"sbk_[A-Za-z0-9_-]{22}")


class BadToken(Unauthenticated):
    """A refusal that knows more than it tells: for the audit log, and for administrators who ask."""

    def __init__(self, cause: str, claimed: Principal | None = None, *, expired: bool = False) -> None:
        """`cause` is for people; `claimed` is whose token it would be, as far as that is known."""
        if expired:
            super().__init__("TOKEN_EXPIRED", "the token has expired: get a new one")
        else:
            super().__init__(
                "TOKEN_INVALID", "the call carries no valid token: send 'authorization: Bearer <token>'"
            )
        self.cause = cause
        self.claimed = claimed


class Authenticator:
    """Turns credentials into principals. Every refusal is TOKEN_INVALID or TOKEN_EXPIRED, without detail."""

    def __init__(
        self, access: Access, secrets: Secrets, clock: Clock, revocations: Revocations, remembered: int = 4096
    ) -> None:
        self._access = access
        self._secrets = secrets
        self._clock = clock
        self._revocations = revocations
        self._remembered = remembered
        self._known: OrderedDict[tuple[str, str], Principal] = OrderedDict()
        revocations.listen(self._forget)

    async def authenticate(self, bearer: str, org: str = "") -> Principal:
        """Return who brings the token `bearer`.

        `org` names the organisation that is meant, for a person of several; others may leave it blank.

        Raises BadToken, PermissionDenied (ORG_NOT_FOUND).
        """
        principal = self._known.get((bearer, org)) or await self._learn(bearer, org)
        if principal.expires_ms <= self._clock.now_ms():
            self._known.pop((bearer, org), None)
            raise BadToken("its time is over: see its claim 'exp'", principal, expired=True)
        return principal

    def knows(self, bearer: str, org: str) -> bool:
        """Tell whether a token was verified before, and is remembered."""
        return (bearer, org) in self._known

    def _forget(self, name: str) -> None:
        for call, principal in list(self._known.items()):
            if name in principal.rests_on or name == principal.subject:
                del self._known[call]

    async def _learn(self, bearer: str, org: str) -> Principal:
        if not bearer or len(bearer) > _MAX_TOKEN or len(org) > _MAX_TOKEN:
            raise BadToken("it is missing or too long")
        while True:
            revoked = self._revocations.count
            is_jwt = bearer.count(".") == 2
            principal = await (self._verify_jwt(bearer) if is_jwt else self._verify_access_token(bearer, org))
            # What was read may have been revoked by now, before anyone could be told to forget it.
            if revoked == self._revocations.count:
                break
        if org not in ("", principal.org):
            raise _no_org(org)
        self._known[bearer, org] = principal
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return principal

    async def _verify_access_token(self, bearer: str, wanted: str) -> Principal:
        found = await self._access.find_token(token_digest(bearer))
        if found is None:
            raise BadToken(UNKNOWN_TOKEN)
        token, user = found
        rests_on = frozenset({token.id})
        if wanted:
            member = await self._access.get_member(OrgId(wanted), user.id)
            chosen = (member.org, member.role) if member else None
        else:
            mine = await self._access.orgs_of(user.id, "", 2)
            chosen = (mine[0][0].id, mine[0][1]) if len(mine) == 1 else None
        if chosen is None:
            return Principal(NO_ORG, frozenset(), "{}", user.id, user, rests_on=rests_on)
        org, role = chosen
        rests_on |= {place(org, user.id)}
        return Principal(org, BY_ROLE[role], "{}", user.id, user, role, rests_on=rests_on)

    async def _verify_jwt(self, bearer: str) -> Principal:
        key = await self._key_of(bearer)
        claimed = _signed_by(key, "{}")
        try:
            # Times are checked below, against the server's own clock.
            claims: dict[str, Any] = jwt.decode(
                bearer,
                self._secrets.signing_secret(key.id),
                algorithms=["HS256"],
                audience=AUDIENCE,
                options={"require": ["exp"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise BadToken(_cause(error), claimed) from None
        try:
            expires_ms = _milliseconds(claims["exp"]) + _LEEWAY_S * 1000
            starts_ms = _milliseconds(claims.get("nbf", 0)) - _LEEWAY_S * 1000
            principal = replace(_principal(key, claims), expires_ms=expires_ms)
        except (ValueError, RecursionError) as error:
            raise BadToken(str(error), claimed) from None
        if starts_ms > self._clock.now_ms():
            raise BadToken("its time has not come: see its claim 'nbf'", claimed)
        return principal

    async def _key_of(self, bearer: str) -> Key:
        """Return the key that a token says it was signed with."""
        try:
            key_id = jwt.get_unverified_header(bearer).get("kid")
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise BadToken("it is malformed") from None
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise BadToken("its header names no key: 'kid' must be the id of one")
        key = await self._access.get_key(key_id)
        if key is None:
            raise BadToken(UNKNOWN_KEY)
        return key


def acting(principal: Principal, said: bytes) -> Principal:
    """Return the caller speaking for somebody else, with this JSON object in place of the token's claims.

    Raises PermissionDenied (SCOPE_MISSING), InvalidArgument (INVALID_JSON).
    """
    principal.require(ACT_AS)
    return replace(principal, auth_json=auth_context(said))


def _principal(key: Key, claims: dict[str, Any]) -> Principal:
    act = claims.get("act", {})
    if not isinstance(act, dict):
        raise ValueError("its claim 'act' is no object")  # noqa: TRY004 - the caller knows one kind of fault
    if "sub" not in act and "sub" in claims:
        act = {**act, "sub": claims["sub"]}
    return _signed_by(key, _json(act))


def _signed_by(key: Key, auth_json: str) -> Principal:
    return Principal(key.org, frozenset(key.scopes), auth_json, key.id, rests_on=frozenset({key.id}))


def auth_context(raw: bytes) -> str:
    """Return a JSON object as authorisers get it. Raises InvalidArgument (INVALID_JSON)."""
    try:
        value = json.loads(raw) if len(raw) <= _MAX_AUTH_CONTEXT else None
        if isinstance(value, dict):
            return _json(value)
    except (ValueError, RecursionError):
        pass
    raise InvalidArgument(
        "INVALID_JSON", "the auth context must be a JSON object of at most 16 KiB", field="auth_context"
    )


def _json(value: dict[str, Any]) -> str:
    """Write what a machine will parse: NaN and Infinity, which Python takes for JSON, raise ValueError."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _milliseconds(seconds: object) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds <= _LAST_S:
        raise ValueError("its times ('exp', 'nbf') are no seconds since 1970")
    return int(max(seconds, 0) * 1000)


_CAUSES: dict[type[Exception], str] = {
    jwt.InvalidSignatureError: "its signature is not that of the key",
    jwt.InvalidAlgorithmError: "it is signed with another algorithm than HS256",
    jwt.InvalidAudienceError: f"its audience is not {AUDIENCE}",
}


def _cause(error: Exception) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"its claim {error.claim!r} is missing"
    return _CAUSES.get(type(error), "it is malformed")


def _no_org(org: str) -> PermissionDenied:
    """An organisation that one does not belong to is indistinguishable from an absent one."""
    return PermissionDenied(
        "ORG_NOT_FOUND", f"there is no organisation {org[:80]!r} that this token is good for", org=org[:80]
    )
