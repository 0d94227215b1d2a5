"""Token exchange (RFC 8693): a token of an identity provider in, a token of the organisation out.

The claims pass two mappings: the identity provider's says what is believed, the token provider's what is
handed on. The result is the `act` claim, which machines see as authContext. The token is one that the holder
of the organisation's key could have signed, so the rest of the server does not know where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import jwt
import structlog

from stateward_server.auth.anonymous import SERVICE
from stateward_server.auth.authenticator import AUDIENCE
from stateward_server.auth.identity import Identities, Untrusted
from stateward_server.auth.mapping import compile_mapping
from stateward_server.auth.secrets import Secrets
from stateward_server.model.errors import InvalidArgument, PermissionDenied
from stateward_server.model.names import OrgId
from stateward_server.model.org import Key, TokenProvider
from stateward_server.ports.clock import Clock

LIFE_S = 3_600
LEAST_S = 60
"""What a token lives at least: one that is over when it arrives would only be asked for again."""

log = structlog.get_logger()


class Trust(Protocol):
    """What organisations have settled, by the methods of the store."""

    async def get_token_provider(self, org: OrgId, service: str) -> TokenProvider | None: ...

    async def get_key(self, key: str) -> Key | None: ...


@dataclass(frozen=True, slots=True)
class Issued:
    """A token of the organisation."""

    access_token: str
    expires_in: int
    """Seconds from now."""


class Exchange:
    """Gives tokens for tokens."""

    def __init__(self, trust: Trust, identities: Identities, secrets: Secrets, clock: Clock) -> None:
        self._trust = trust
        self._identities = identities
        self._secrets = secrets
        self._clock = clock

    async def exchange(self, org: OrgId, service: str, subject_token: str) -> Issued:
        """Return a token of `org` for whom the subject token speaks of.

        It lives an hour, but no longer than the subject token, or LEAST_S: a provider that gives short tokens
        wants to be asked again. Raises PermissionDenied (SUBJECT_TOKEN_REJECTED) for all that is not trusted,
        with the reason in the log alone; Unavailable (IDENTITY_PROVIDER_UNAVAILABLE); SealBroken.
        """
        try:
            return await self._exchange(org, service, subject_token)
        except Untrusted as untrusted:
            log.info("subject_token_rejected", org=org, service=service, reason=str(untrusted))
            raise PermissionDenied(
                "SUBJECT_TOKEN_REJECTED",
                "the token was not accepted in exchange: the server's log says why (subject_token_rejected)",
            ) from None

    async def _exchange(self, org: OrgId, service: str, subject_token: str) -> Issued:
        provider = await self._trust.get_token_provider(org, service)
        key = await self._trust.get_key(provider.key_id) if provider is not None else None
        if provider is None or key is None or key.org != org:
            raise Untrusted("there is no such token provider, or its key is gone")
        identity = await self._identities.identify(org, subject_token)
        if identity.anonymous and service != SERVICE:
            # It would come out without the mark of one, with what the service gives to people it knows.
            raise Untrusted("anonymous sessions get a token at their own service only")
        act = identity.claims
        if provider.mapping_json:
            try:
                act = compile_mapping(provider.mapping_json).apply(act)
            except (ValueError, InvalidArgument) as error:
                raise Untrusted(f"the token provider's mapping cannot be applied: {error}") from None
        now_s = self._clock.now_ms() // 1000
        expires_in = min(LIFE_S, max(LEAST_S, identity.expires_ms // 1000 - now_s))
        claims = {
            "iss": f"https://{key.id}.client.statebacked.dev/",
            "aud": AUDIENCE,
            "iat": now_s,
            "exp": now_s + expires_in,
            "act": act,
        }
        secret = self._secrets.signing_secret(key.id)
        return Issued(jwt.encode(claims, secret, algorithm="HS256", headers={"kid": key.id}), expires_in)
