"""Sealing under keys derived from the server's own: what is kept of a secret, and what clients carry for us.

A kept value is sealed with AES-256-GCM: a byte for the format, 12 random bytes of nonce, the ciphertext and
its tag. It is bound to the place it was made for, so whoever can write the database cannot move it to another
organisation or provider.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from stateward_server.auth.secrets import Secrets
from stateward_server.model.names import OrgId
from stateward_server.ports.clock import Entropy

_FORMAT = b"\1"
_NONCE_BYTES = 12


class SealBroken(Exception):
    """A sealed value was altered or moved, or belongs to another server key."""


class Carried:
    """Seals what a client brings back to us and shall not read: with AES-SIV, the same each time, as text."""

    def __init__(self, key: bytes) -> None:
        """`key` has 32 bytes."""
        self._cipher = AESSIV(key)

    def seal(self, body: bytes, place: bytes) -> str:
        """Return a body of one byte at least, sealed for the place that it is good for."""
        return urlsafe_b64encode(self._cipher.encrypt(body, [place])).decode()

    def open(self, sealed: str, place: bytes) -> bytes:
        """Return what was sealed. Raises SealBroken."""
        try:
            return self._cipher.decrypt(urlsafe_b64decode(sealed.encode("utf-8", "replace")), [place])
        except (InvalidTag, ValueError):
            raise SealBroken("it was not sealed here, or for another place") from None


class ProviderKeys:
    """Seals and opens the verification keys of identity providers."""

    def __init__(self, secrets: Secrets, entropy: Entropy) -> None:
        self._cipher = AESGCM(secrets.purpose("provider-keys"))
        self._entropy = entropy

    def seal(self, key: bytes, org: OrgId, issuer: str | None, audience: str | None) -> bytes:
        """Return `key` sealed for the provider with this issuer and audience; each time differently."""
        nonce = self._entropy.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, key, _place(org, issuer, audience))

    def open(self, sealed: bytes, org: OrgId, issuer: str | None, audience: str | None) -> bytes:
        """Return what was sealed. Raises SealBroken."""
        head, nonce, body = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if head != _FORMAT or len(nonce) != _NONCE_BYTES:
                raise InvalidTag
            return self._cipher.decrypt(nonce, body, _place(org, issuer, audience))
        except InvalidTag:
            raise SealBroken(f"the key of an identity provider of {org} cannot be opened") from None


def _place(org: OrgId, issuer: str | None, audience: str | None) -> bytes:
    """Name a provider unambiguously, whatever characters its names have."""
    return json.dumps(["provider-key", org, issuer, audience]).encode()
