"""Signing keys and access tokens: `Client.keys`, `Client.access_tokens`. Handles without I/O of their own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Iterable

from . import _access_calls as calls
from ._names import texts
from ._pages import walk
from ._transport import Caller
from .access import AccessToken, Key, KeyUse, NewAccessToken, NewKey


class Keys:
    """Signing keys of the client's organisation. Get it from `Client.keys`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def create(
        self,
        display_name: str = "",
        *,
        use: KeyUse | None = None,
        scopes: Iterable[str] = (),
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> NewKey:
        """Make a key. Its secret is shown now, and not again.

        Args:
            display_name: What people call it: at most 128 characters.
            use: `"production"` for tokens of an application's end users, `"ci"` for publishing machines.
            scopes: What its tokens may do beyond that; with no use given, all that they may do.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            AccessFull: There are too many keys.
            InvalidArgument: There is neither a use nor a scope, or no such scope.
            ScopeMissing: The caller does not hold a scope itself, or may not make keys.
            TypeError: `scopes` is a single text.
        """
        call = calls.create_key(
            display_name,
            use=use,
            scopes=texts(scopes, "scopes"),
            request_id=request_id or str(uuid.uuid4()),
        )
        return await self._caller.call(call, timeout)

    async def list(self, *, page_size: int | None = None) -> AsyncGenerator[Key, None]:
        """List the keys by their ids, without their secrets.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            ScopeMissing: The caller may not see keys.
        """
        async for key in walk(self._caller, calls.list_keys, page_size):
            yield key

    async def delete(
        self, key: str | Key, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Revoke a key: its tokens are refused from now on, and streams opened with one end.

        Args:
            key: The key or its id.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            KeyNotFound: There is no such key.
            ScopeMissing: The caller may not revoke keys.
        """
        chosen = key.id if isinstance(key, Key) else key
        await self._caller.call(calls.delete_key(chosen, request_id=request_id or str(uuid.uuid4())), timeout)


class AccessTokens:
    """Access tokens of the caller, a person. Get it from `Client.access_tokens`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def create(
        self, display_name: str = "", *, request_id: str | None = None, timeout: float | None = None
    ) -> NewAccessToken:
        """Make another access token for oneself. It is shown now, and not again.

        Args:
            display_name: What people call it: at most 128 characters.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            AccessFull: There are too many access tokens.
            PersonRequired: The token was signed by a key.
        """
        call = calls.create_access_token(display_name, request_id=request_id or str(uuid.uuid4()))
        return await self._caller.call(call, timeout)

    async def list(self, *, page_size: int | None = None) -> AsyncGenerator[AccessToken, None]:
        """List one's access tokens by their ids, without their secrets.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            PersonRequired: The token was signed by a key.
        """
        async for token in walk(self._caller, calls.list_access_tokens, page_size):
            yield token

    async def delete(
        self, token: str | AccessToken, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Revoke an access token: it is refused from now on, and streams opened with it end.

        Args:
            token: The access token or its id.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            AccessTokenNotFound: The caller has no such access token.
            PersonRequired: The token of this client was signed by a key.
        """
        chosen = token.id if isinstance(token, AccessToken) else token
        await self._caller.call(
            calls.delete_access_token(chosen, request_id=request_id or str(uuid.uuid4())), timeout
        )
