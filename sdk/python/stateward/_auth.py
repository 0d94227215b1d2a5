"""Who a call comes from: the bearer token, and on whose behalf an administrator acts.

Both travel as gRPC metadata. A token function is asked again for every attempt, so it can renew tokens; it
should cache.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from ._json import encode_object

Token: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A bearer token, or a function (async or not) that returns one."""

AUTHORIZATION = "authorization"
AUTH_CONTEXT = "stateward-auth-context-bin"

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]


async def call_metadata(token: Token | None, auth_context: bytes | None) -> Metadata:
    """Build the metadata of one call."""
    entries: list[tuple[str, str | bytes]] = []
    if token is not None:
        entries.append((AUTHORIZATION, f"Bearer {await _current(token)}"))
    if auth_context is not None:
        entries.append((AUTH_CONTEXT, auth_context))
    return tuple(entries)


def encode_auth_context(claims: Mapping[str, object] | None) -> bytes | None:
    """Write an auth context as UTF-8 JSON.

    Raises:
        TypeError: The claims, or something in them, is not JSON.
        ValueError: A number or text in them has no JSON form.
    """
    return None if claims is None else encode_object(claims, "auth_context").encode()


async def _current(token: Token) -> str:
    answer = token() if callable(token) else token
    return await answer if inspect.isawaitable(answer) else answer
