"""Secrets derived from the server's own key, so that a stolen database holds none of them.

A signing key's secret is `sbsec_` and base64url(HMAC-SHA-256(server key, "signing-key:" + key id)): it can
be shown again and verified without ever being stored. Administrator tokens are random; only their SHA-256 is
kept.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode


class Secrets:
    """Derives everything from 32 random bytes kept beside the database, not in it."""

    def __init__(self, server_key: bytes) -> None:
        if len(server_key) < 32:
            raise ValueError("the server key must have at least 32 bytes")
        self._server_key = server_key

    def purpose(self, label: str) -> bytes:
        """Return a 32-byte key for one purpose."""
        return hmac.digest(self._server_key, f"purpose:{label}".encode(), "sha256")

    def signing_secret(self, key_id: str) -> str:
        """Return the secret of a signing key: the whole string is the HMAC key of its tokens."""
        digest = hmac.digest(self._server_key, f"signing-key:{key_id}".encode(), "sha256")
        return "sbsec_" + urlsafe_b64encode(digest).decode().rstrip("=")


def credential_digest(token: str) -> bytes:
    """Return what is stored of an administrator's token: it is random, so a plain hash protects it."""
    return hashlib.sha256(token.encode()).digest()
