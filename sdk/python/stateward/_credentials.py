"""How a client says who it is: by a token, a function that brings one, an exchange, or an anonymous session.

Each becomes a `TokenSource`. What an anonymous session exchanges it signs itself, as with State Backed.
"""

from __future__ import annotations

import hmac
import inspect
import json
import math
import time
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ._names import token_provider_path
from ._renewal import Fetched, FixedToken, RenewedToken, TokenSource

TokenFunction: TypeAlias = Callable[[], str | Awaitable[str]]
"""A function (async or not) that returns a token. A plain one must not wait for long."""

Exchanger: TypeAlias = Callable[[str, str], Awaitable[Fetched]]
"""Gives the server a token provider's path and a subject token, and gets a token for it."""

Credentials: TypeAlias = Callable[[Exchanger], TokenSource]
"""What makes a client's token source once there is a server to ask."""

ANONYMOUS_SERVICE = "anonymous-statebacked-dev"
_SUBJECT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Exchange:
    """Tokens of the organisation for tokens of an identity provider.

    Args:
        service: The service of the organisation's token provider, such as `"web"`.
        subject: The identity provider's token, or a function that is asked for one before each exchange.
    """

    service: str
    subject: str | TokenFunction = field(repr=False)


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A session without an account: machines see `{"sid": …, "did": …, "auth": "anonymous"}`.

    Args:
        session_id: Who it is, `sid`; by default a random UUID. Keep it to come back. Whoever knows it can be
            that session, so choose one that cannot be guessed.
        device_id: Where it is, `did`; by default the session id.
    """

    session_id: str = field(default_factory=lambda: str(uuid.uuid4()), repr=False)
    device_id: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.session_id or self.device_id == "":
            raise ValueError("an anonymous session needs ids that are not empty")


def credentials(
    *,
    org: str | None,
    token: str | None,
    token_provider: TokenFunction | None,
    exchange: Exchange | None,
    anonymous: Anonymous | None,
) -> Credentials:
    """Return the one that is given. Raises TypeError, ValueError."""
    if sum(each is not None for each in (token, token_provider, exchange, anonymous)) > 1:
        raise ValueError("give one of token, token_provider, exchange and anonymous")
    if token is not None and not isinstance(token, str):
        raise TypeError("a token is text; a function that returns one is a token_provider")
    if token_provider is not None:
        provider = token_provider
        return lambda _: RenewedToken(lambda: _provided(provider))
    if exchange is not None:
        subject = exchange.subject
        return _exchanging(org, exchange.service, lambda: _asked(subject))
    if anonymous is not None:
        session = anonymous
        return _exchanging(org, ANONYMOUS_SERVICE, lambda: _minted(session, org or ""))
    return lambda _: FixedToken(token)


def anonymous_subject(session: Anonymous, org: str, now: float) -> str:
    """Return the token that a session exchanges, signed with the organisation's id, which is no secret."""
    place = f"https://{org}.anonymous.auth.statebacked.dev"
    claims = {
        "aud": place,
        "iss": place,
        "iat": int(now),
        "exp": int(now) + _SUBJECT_SECONDS,
        "sid": session.session_id,
        "did": session.device_id or session.session_id,
    }
    # Not with PyJWT: it warns of keys as short as that one.
    text = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    return f"{text}.{_base64(hmac.digest(org.encode(), text.encode(), 'sha256'))}"


def expiry(token: str) -> float:
    """Return when a JWT expires, in seconds since 1970: infinite if it does not say. Verifies nothing."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        seconds = float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return math.inf
    return seconds if math.isfinite(seconds) else math.inf


def _exchanging(org: str | None, service: str, subject: Callable[[], Awaitable[str]]) -> Credentials:
    if org is None:
        raise ValueError("an exchange needs to know the organisation: say org=")
    path = token_provider_path(org, service)

    def source(exchanger: Exchanger) -> TokenSource:
        async def fetch() -> Fetched:
            return await exchanger(path, await subject())

        return RenewedToken(fetch)

    return source


async def _provided(provider: TokenFunction) -> Fetched:
    token = await _asked(provider)
    return Fetched(token, expiry(token))


async def _asked(given: str | TokenFunction) -> str:
    answer = given() if callable(given) else given
    token = await answer if inspect.isawaitable(answer) else answer
    if not isinstance(token, str):
        raise TypeError(f"a token is text; the function that should bring one gave {type(token).__name__}")
    return token


async def _minted(session: Anonymous, org: str) -> str:
    return anonymous_subject(session, org, time.time())


def _part(members: Mapping[str, object]) -> str:
    return _base64(json.dumps(members, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
