"""Signs tokens (JWT, RFC 7519) with a shared secret. Verifies nothing: that is the server's."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping


def signed(claims: Mapping[str, object], secret: str, *, kid: str | None = None) -> str:
    """Return a token, signed with HMAC-SHA-256. `kid` names the key to whoever verifies it."""
    header = {"alg": "HS256", "typ": "JWT", **({} if kid is None else {"kid": kid})}
    text = f"{_part(header)}.{_part(claims)}"
    return f"{text}.{_base64(hmac.digest(secret.encode(), text.encode(), 'sha256'))}"


def _part(members: Mapping[str, object]) -> str:
    return _base64(json.dumps(members, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
