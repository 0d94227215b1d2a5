"""Secrets derived from the server's own key, so that a stolen database holds none of them.

Each is base64url(HMAC-SHA-256(server key, purpose ":" id)) behind a prefix: it can be made again for whoever
repeats the call that made it, and verified, without ever being stored.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode

_LONGEST_CODE = 128
"""Characters: whoever brings more has no code, and shall not have it hashed."""


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
        return "sbsec_" + self._derived("signing-key", key_id)

    def access_token(self, token_id: str) -> str:
        """Return a person's access token."""
        return "sba_" + self._derived("access-token", token_id)

    def invitation_code(self, invitation_id: str) -> str:
        """Return what takes an invitation up: its id, a dot, and the proof."""
        return f"{invitation_id}.{self._derived('invitation', invitation_id)}"

    def invitation_of(self, code: str) -> str | None:
        """Return the id of the invitation that a code was made for."""
        if len(code) > _LONGEST_CODE:
            return None
        invitation_id = code.partition(".")[0]
        real = self.invitation_code(invitation_id)
        return invitation_id if hmac.compare_digest(code.encode(), real.encode()) else None

    def _derived(self, purpose: str, name: str) -> str:
        digest = hmac.digest(self._server_key, f"{purpose}:{name}".encode(), "sha256")
        return urlsafe_b64encode(digest).decode().rstrip("=")


def token_digest(token: str) -> bytes:
    """Return what is stored of an access token: it cannot be guessed, so a plain hash protects it."""
    return hashlib.sha256(token.encode()).digest()
