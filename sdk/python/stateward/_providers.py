"""Identity providers and token providers: `Client.identity_providers`, `Client.token_providers`.

Handles without I/O of their own.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping

from . import _access_calls as calls
from ._pages import walk
from ._transport import Caller
from .access import IdentityProviderInfo, Key, TokenProviderInfo
from .providers import ProviderSettings


class IdentityProviders:
    """Whose word about who somebody is the organisation takes. Get it from `Client.identity_providers`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def put(
        self, settings: ProviderSettings, *, request_id: str | None = None, timeout: float | None = None
    ) -> IdentityProviderInfo:
        """Put an identity provider here, in place of one with the same issuer and audience.

        Args:
            settings: All about it; `stateward.providers` makes those of the usual ones.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            AccessFull: There are too many identity providers.
            InvalidArgument: The settings are not those of a provider; the message says why.
            ScopeMissing: The caller may not administer tokens.
        """
        call = calls.put_identity_provider(settings, request_id=request_id or str(uuid.uuid4()))
        return await self._caller.call(call, timeout)

    async def list(self, *, page_size: int | None = None) -> AsyncGenerator[IdentityProviderInfo, None]:
        """List the identity providers by their ids.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            ScopeMissing: The caller may not administer tokens.
        """
        async for provider in walk(self._caller, calls.list_identity_providers, page_size):
            yield provider

    async def delete(
        self,
        provider: str | IdentityProviderInfo,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Delete an identity provider. Tokens given on its word stay valid until they expire.

        Args:
            provider: The identity provider or its id.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            IdentityProviderNotFound: There is no such identity provider.
            ScopeMissing: The caller may not administer tokens.
        """
        chosen = provider.id if isinstance(provider, IdentityProviderInfo) else provider
        await self._caller.call(
            calls.delete_identity_provider(chosen, request_id=request_id or str(uuid.uuid4())), timeout
        )


class TokenProviders:
    """What tokens the organisation gives to whom it knows. Get it from `Client.token_providers`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def put(
        self,
        service: str,
        *,
        key: str | Key,
        mapping: Mapping[str, object] | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> TokenProviderInfo:
        """Put a token provider here, in place of one with the same name.

        Args:
            service: Its name: 1 to 128 letters, digits, '-' or '_'.
            key: The key, or its id, that signs the tokens and gives them their scopes.
            mapping: How the identity's claims become those that machines see as authContext: shaped like the
                result, where a key that ends in `.$` holds a JSONPath. All are kept by default.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            AccessFull: There are too many token providers.
            InvalidArgument: The mapping is not one; the message says why.
            KeyNotFound: There is no such key.
            ScopeMissing: The caller does not hold a scope of the key, or may not administer tokens.
        """
        chosen = key.id if isinstance(key, Key) else key
        call = calls.put_token_provider(service, chosen, mapping, request_id=request_id or str(uuid.uuid4()))
        return await self._caller.call(call, timeout)

    async def list(self, *, page_size: int | None = None) -> AsyncGenerator[TokenProviderInfo, None]:
        """List the token providers by their names.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            ScopeMissing: The caller may not administer tokens.
        """
        async for provider in walk(self._caller, calls.list_token_providers, page_size):
            yield provider

    async def delete(
        self,
        provider: str | TokenProviderInfo,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Delete a token provider. Tokens it has given stay valid until they expire.

        Args:
            provider: The token provider or its name.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            TokenProviderNotFound: There is no such token provider.
            ScopeMissing: The caller may not administer tokens.
        """
        chosen = provider.service if isinstance(provider, TokenProviderInfo) else provider
        await self._caller.call(
            calls.delete_token_provider(chosen, request_id=request_id or str(uuid.uuid4())), timeout
        )
