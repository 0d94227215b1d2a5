"""Identity providers and token providers: checked, put in place, listed, deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from stateward_server.auth.mapping import compile_mapping
from stateward_server.auth.seal import ProviderKeys
from stateward_server.auth.verification import check_source
from stateward_server.model.errors import InvalidArgument, NotFound
from stateward_server.model.limits import AccessLimits
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import OrgId
from stateward_server.model.org import IdentityProvider, TokenProvider, identity_provider_id
from stateward_server.model.principal import Principal
from stateward_server.orgs.keys import Keys
from stateward_server.orgs.refusals import absent, check, check_grant, check_room, checked_text
from stateward_server.ports.access import Providers as ProviderRows
from stateward_server.ports.clock import Clock

_NAME = 1_024
"""Characters of an issuer, an audience or an address."""
_IDENTITY = '{"sub.$":"$.sub"}'
_ALL = "{}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An identity provider as it is asked for."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    jwks_url: str
    key: bytes
    mapping_json: str


class Providers:
    """The providers of every organisation; each call names its own."""

    def __init__(
        self,
        store: ProviderRows,
        keys: Keys,
        seals: ProviderKeys,
        clock: Clock,
        objection: Callable[[str], str | None],
    ) -> None:
        """`objection` says what is wrong with the address of a key set (`KeySets.objection`)."""
        self._store = store
        self._keys = keys
        self._seals = seals
        self._clock = clock
        self._objection = objection
        self._most = AccessLimits().providers

    async def put_identity_provider(
        self, by: Principal, wanted: Wanted, request: RequestRecord | None
    ) -> IdentityProvider:
        """Raises InvalidArgument (INVALID_FIELD), PermissionDenied (SCOPE_MISSING), ResourceExhausted."""
        org = by.org
        await self._check_gifts(by)
        issuer = checked_text(wanted.issuer, "issuer", _NAME) or None
        audience = checked_text(wanted.audience, "audience", _NAME) or None
        if issuer is None and audience is None:
            raise InvalidArgument(
                "INVALID_FIELD", "name the issuer or the audience of its tokens, or both", field="issuer"
            )
        jwks_url = checked_text(wanted.jwks_url, "jwks_url", _NAME) or None
        check_source(wanted.algorithms, jwks_url, wanted.key or None, self._objection)
        mapping = wanted.mapping_json or _IDENTITY
        compile_mapping(mapping)
        sealed = self._seals.seal(wanted.key, org, issuer, audience) if wanted.key else None
        provider = IdentityProvider(
            identity_provider_id(issuer, audience),
            org,
            issuer,
            audience,
            wanted.algorithms,
            jwks_url,
            sealed,
            mapping,
            self._clock.now_ms(),
        )
        request = request and replace(request, outcome=provider.id)
        change = await self._store.put_identity_provider(provider, self._most, request)
        check_room(change, self._most)
        return await self.identity_provider(org, provider.id)

    async def _check_gifts(self, by: Principal) -> None:
        """Whoever says who is let in could let themselves in: so they must hold what is given there."""
        for provider in await self._store.list_token_providers(by.org, "", self._most):
            with suppress(NotFound):  # a provider whose key is gone gives nothing
                check_grant(by, (await self._keys.get(by.org, provider.key_id)).scopes)

    async def identity_provider(self, org: OrgId, provider: str) -> IdentityProvider:
        """Raises NotFound (IDENTITY_PROVIDER_NOT_FOUND)."""
        found = await self._store.get_identity_provider(org, provider)
        if found is None:
            raise absent("IDENTITY_PROVIDER_NOT_FOUND", provider)
        return found

    async def identity_providers(self, org: OrgId, after: str, limit: int) -> Sequence[IdentityProvider]:
        return await self._store.list_identity_providers(org, after, limit)

    async def delete_identity_provider(
        self, org: OrgId, provider: str, request: RequestRecord | None
    ) -> None:
        """Raises NotFound (IDENTITY_PROVIDER_NOT_FOUND)."""
        change = await self._store.delete_identity_provider(org, provider, request)
        check(change, "IDENTITY_PROVIDER_NOT_FOUND", provider)

    async def put_token_provider(
        self, by: Principal, service: str, key: str, mapping_json: str, request: RequestRecord | None
    ) -> TokenProvider:
        """Raises NotFound (KEY_NOT_FOUND), PermissionDenied, InvalidArgument, ResourceExhausted."""
        check_grant(by, (await self._keys.get(by.org, key)).scopes)
        compile_mapping(mapping_json or _ALL)
        provider = TokenProvider(by.org, service, key, mapping_json, self._clock.now_ms())
        change = await self._store.put_token_provider(provider, self._most, request)
        check_room(change, self._most)
        check(change, "KEY_NOT_FOUND", key)
        return await self.token_provider(by.org, service)

    async def token_provider(self, org: OrgId, service: str) -> TokenProvider:
        """Raises NotFound (TOKEN_PROVIDER_NOT_FOUND)."""
        found = await self._store.get_token_provider(org, service)
        if found is None:
            raise absent("TOKEN_PROVIDER_NOT_FOUND", service)
        return found

    async def token_providers(self, org: OrgId, after: str, limit: int) -> Sequence[TokenProvider]:
        return await self._store.list_token_providers(org, after, limit)

    async def delete_token_provider(self, org: OrgId, service: str, request: RequestRecord | None) -> None:
        """Raises NotFound (TOKEN_PROVIDER_NOT_FOUND)."""
        check(
            await self._store.delete_token_provider(org, service, request),
            "TOKEN_PROVIDER_NOT_FOUND",
            service,
        )
