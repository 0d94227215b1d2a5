"""Bearer tokens to Principals: an administrator's opaque token, or a JWT signed with one of our keys.

JWTs are HS256 only, name their key by `kid`, must expire, and carry the caller's claims in `act`
(the State Backed token format). Verified tokens are remembered until they expire.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import jwt

from stateward_server.auth.scopes import ACT_AS, ADMIN
from stateward_server.auth.secrets import Secrets, credential_digest
from stateward_server.model.errors import InvalidArgument, Unauthenticated
from stateward_server.model.limits import ApiLimits
from stateward_server.model.names import OrgId
from stateward_server.model.principal import Principal
from stateward_server.ports.clock import Clock
from stateward_server.ports.store import Access

AUDIENCE = "https://api.statebacked.dev/"
"""The fixed audience of State Backed tokens, whatever the server's own address."""

_LEEWAY_S = 5
_MAX_TOKEN = ApiLimits().token_bytes
_MAX_AUTH_CONTEXT = ApiLimits().auth_context_bytes
_LAST_S = 253_402_300_799
"""The end of the year 9999: a time beyond it is not meant in seconds."""
_KEY_ID = re.compile(r"sbk_[A-Za-z0-9_-]{22}")


class Authenticator:
    """Turns credentials into principals. Every refusal is TOKEN_INVALID or TOKEN_EXPIRED, without detail."""

    def __init__(self, access: Access, secrets: Secrets, clock: Clock, remembered: int = 4096) -> None:
        self._access = access
        self._secrets = secrets
        self._clock = clock
        self._remembered = remembered
        self._known: OrderedDict[str, Principal] = OrderedDict()

    async def authenticate(self, bearer: str, act_as: bytes | None) -> Principal:
        """`bearer` is the token; `act_as` a JSON object to use as authContext instead of the token's claims.

        Raises Unauthenticated, PermissionDenied (SCOPE_MISSING), InvalidArgument (INVALID_JSON).
        """
        principal = self._known.get(bearer) or await self._verify(bearer)
        if principal.expires_ms <= self._clock.now_ms():
            self._known.pop(bearer, None)
            raise Unauthenticated("TOKEN_EXPIRED", "the token has expired: get a new one")
        if act_as is None:
            return principal
        principal.require(ACT_AS)
        return replace(principal, auth_json=_auth_context(act_as))

    def knows(self, bearer: str) -> bool:
        """Tell whether a token was verified before, and is remembered."""
        return bearer in self._known

    async def _verify(self, bearer: str) -> Principal:
        if not bearer or len(bearer) > _MAX_TOKEN:
            raise _invalid()
        principal = await (
            self._verify_jwt(bearer) if bearer.count(".") == 2 else self._verify_credential(bearer)
        )
        self._known[bearer] = principal
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return principal

    async def _verify_credential(self, bearer: str) -> Principal:
        org = await self._access.find_credential(credential_digest(bearer))
        if org is None:
            raise _invalid()
        return Principal(org, ADMIN, "{}", "admin")

    async def _verify_jwt(self, bearer: str) -> Principal:
        try:
            key_id = jwt.get_unverified_header(bearer).get("kid")
            if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
                raise _invalid()
            found = await self._access.find_key(key_id)
            if found is None:
                raise _invalid()
            # Times are checked below, against the server's own clock.
            claims: dict[str, Any] = jwt.decode(
                bearer,
                self._secrets.signing_secret(key_id),
                algorithms=["HS256"],
                audience=AUDIENCE,
                options={"require": ["exp"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise _invalid() from None
        org, scopes = found
        expires_ms = _milliseconds(claims["exp"]) + _LEEWAY_S * 1000
        if _milliseconds(claims.get("nbf", 0)) - _LEEWAY_S * 1000 > self._clock.now_ms():
            raise _invalid()
        return replace(_principal(org, frozenset(scopes), claims, key_id), expires_ms=expires_ms)


def _principal(org: OrgId, scopes: frozenset[str], claims: dict[str, Any], key_id: str) -> Principal:
    act = claims.get("act", {})
    if not isinstance(act, dict):
        raise _invalid()
    if "sub" not in act and "sub" in claims:
        act = {**act, "sub": claims["sub"]}
    try:
        return Principal(org, scopes, _json(act), key_id)
    except (ValueError, RecursionError):
        raise _invalid() from None


def _auth_context(raw: bytes) -> str:
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
        raise _invalid()
    return int(max(seconds, 0) * 1000)


def _invalid() -> Unauthenticated:
    return Unauthenticated(
        "TOKEN_INVALID", "the call carries no valid token: send 'authorization: Bearer <token>'"
    )
