"""Signs bearer tokens for end users with a key of the organisation, as State Backed's token package does.

Run it where the key is safe: on a server of yours. Does no I/O.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from ._json import encode_object

__all__ = ["AUDIENCE", "sign"]

AUDIENCE = "https://api.statebacked.dev/"
"""The fixed audience of every token, whatever the host."""


def sign(
    key_id: str,
    key_secret: str,
    claims: Mapping[str, object],
    *,
    expires_in: float = 3600.0,
    issuer: str | None = None,
) -> str:
    """Return a token that lets its bearer act as `claims` say.

    Args:
        key_id: The key's id, `sbk_…`.
        key_secret: The key's secret, `sbsec_…`.
        claims: What the machine's allowRead and allowWrite see as the auth context, such as `{"sub":
            "user-1"}`.
        expires_in: Seconds until the token expires.
        issuer: The `iss` claim, which the server ignores.

    Raises:
        TypeError: The claims are not JSON.
        ValueError: The claims hold a value that JSON cannot carry, or `expires_in` is not positive.
    """
    if not expires_in > 0:
        raise ValueError(f"a token needs time to live, got expires_in={expires_in}")
    import jwt  # noqa: PLC0415 - it loads all of cryptography, which only who signs should wait for

    encode_object(claims, "claims")
    now = int(time.time())
    payload = {
        "iss": issuer or f"https://{key_id}.client.statebacked.dev/",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + max(1, int(expires_in)),
        "act": dict(claims),
    }
    return jwt.encode(payload, key_secret, algorithm="HS256", headers={"kid": key_id})
