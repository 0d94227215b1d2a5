"""Who a call comes from: the bearer token, the organisation meant, and on whose behalf an administrator acts.

All travel as gRPC metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from ._json import encode_object

AUTHORIZATION = "authorization"
ORG = "stateward-org"
AUTH_CONTEXT = "stateward-auth-context-bin"

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]


def call_metadata(token: str | None, org: str | None, auth_context: bytes | None) -> Metadata:
    """Build the metadata of one call."""
    entries: list[tuple[str, str | bytes]] = []
    if token is not None:
        entries.append((AUTHORIZATION, f"Bearer {token}"))
    if org is not None:
        entries.append((ORG, org))
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
