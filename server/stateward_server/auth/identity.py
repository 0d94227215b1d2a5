"""From a token that an identity provider signed to what the organisation takes it to say.

The token's `iss` and `aud` choose the provider, before anything is verified; everything else is then checked
against that provider alone. Providers are read for each token, so that a changed one counts at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jwt

from stateward_server.auth.anonymous import identity_of
from stateward_server.auth.jwks import KeySets
from stateward_server.auth.mapping import compile_mapping
from stateward_server.auth.seal import ProviderKeys
from stateward_server.auth.verification import JWS, SHARED, PublicKey, fits, read_pem
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import ApiLimits
from stateward_server.model.names import OrgId
from stateward_server.model.org import IdentityProvider, identity_provider_id
from stateward_server.ports.clock import Clock

_MAX_TOKEN = ApiLimits().token_bytes
_MAX_AUDIENCES = 32
"""Audiences of a token that are looked at: anybody may send one with thousands."""
_LEEWAY_MS = 5_000
_LAST_S = 253_402_300_799
"""The end of the year 9999: a time beyond it is not meant in seconds."""


class Untrusted(Exception):
    """A token is not believed. The text says why, for the server's log; it holds nothing of the token."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, on a provider's word."""

    claims: dict[str, Any]
    """What the provider's mapping made of the token's claims."""
    expires_ms: int
    """When the token is over, without leeway."""
    anonymous: bool
    """Whether the provider is that of anonymous sessions, where everybody vouches for themselves."""


class Providers(Protocol):
    """What organisations have settled, by the method of the store."""

    async def find_identity_providers(self, org: OrgId, ids: Sequence[str]) -> Sequence[IdentityProvider]: ...


class Identities:
    """Verifies the tokens of identity providers."""

    def __init__(
        self, providers: Providers, key_sets: KeySets, provider_keys: ProviderKeys, clock: Clock
    ) -> None:
        self._providers = providers
        self._key_sets = key_sets
        self._provider_keys = provider_keys
        self._clock = clock

    async def identify(self, org: OrgId, token: str) -> Identity:
        """Return whom the token speaks of, on the word of a provider of `org`.

        Raises Untrusted, Unavailable (IDENTITY_PROVIDER_UNAVAILABLE), SealBroken.
        """
        header, claims = _read(token)
        provider = await self._choose(org, claims)
        algorithm = header.get("alg")
        if algorithm not in provider.algorithms:
            raise Untrusted("its algorithm is not one of the provider's")
        key = await self._key(provider, header.get("kid"), algorithm)
        if key is None or not fits(algorithm, key):
            raise Untrusted("the provider has no such key for its algorithm")
        try:
            JWS.decode(token, key, algorithms=[algorithm])
        except jwt.PyJWTError as error:
            raise Untrusted(f"its signature does not hold ({type(error).__name__})") from None
        expires_ms = self._checked_times(claims)
        try:
            mapped = compile_mapping(provider.mapping_json).apply(claims)
        except (ValueError, InvalidArgument) as error:
            raise Untrusted(f"the provider's mapping cannot be applied: {error}") from None
        return Identity(mapped, expires_ms, provider.issuer == identity_of(org))

    async def _choose(self, org: OrgId, claims: dict[str, Any]) -> IdentityProvider:
        ids = candidates(claims)
        found = {each.id: each for each in await self._providers.find_identity_providers(org, ids)}
        for id_ in ids:
            if id_ in found:
                return found[id_]
        raise Untrusted("no identity provider has its issuer and audience")

    async def _key(
        self, provider: IdentityProvider, kid: str | None, algorithm: str
    ) -> PublicKey | bytes | None:
        if provider.jwks_url is not None:
            return await self._key_sets.find(provider.org, provider.jwks_url, kid, algorithm)
        if provider.sealed_key is None:
            return None
        key = self._provider_keys.open(provider.sealed_key, provider.org, provider.issuer, provider.audience)
        # Not by the token's algorithm: a public key is never a secret, whatever a token claims.
        return key if SHARED.issuperset(provider.algorithms) else read_pem(key)

    def _checked_times(self, claims: dict[str, Any]) -> int:
        """Return when the token expires. Raises Untrusted where it has, or is not valid yet."""
        now = self._clock.now_ms()
        expires_ms = _milliseconds(claims.get("exp"))
        if expires_ms + _LEEWAY_MS <= now:
            raise Untrusted("it has expired")
        if _milliseconds(claims.get("nbf", 0)) - _LEEWAY_MS > now:
            raise Untrusted("it is not valid yet")
        return expires_ms


def candidates(claims: dict[str, Any]) -> list[str]:
    """Return the ids of the providers that these claims name by `iss` and `aud`, best first.

    What a provider leaves blank matches anything. One that names both comes before one that names the issuer,
    and that before one that names the audience. Of several audiences in the token, the first that a provider
    names counts.
    """
    issuer, audience = claims.get("iss"), claims.get("aud")
    audiences = audience[:_MAX_AUDIENCES] if isinstance(audience, list) else [audience]
    named = [each for each in audiences if isinstance(each, str)]
    places: list[tuple[str | None, str | None]] = [(None, each) for each in named]
    if isinstance(issuer, str):
        places = [*((issuer, each) for each in named), (issuer, None), *places]
    return [identity_provider_id(*place) for place in places]


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token, unverified."""
    if len(token) > _MAX_TOKEN or not token.isascii():
        raise Untrusted(f"it has more than {_MAX_TOKEN} characters, or others than a token has")
    try:
        parts = JWS.decode_complete(token, options={"verify_signature": False})
        claims = json.loads(parts["payload"])
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Untrusted("it is not a JWT") from None
    if not isinstance(claims, dict):
        raise Untrusted("it has no claims")
    return parts["header"], claims


def _milliseconds(seconds: object) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LAST_S:
        raise Untrusted("it has no expiry, or a time that is none")
    return int(seconds * 1000)
