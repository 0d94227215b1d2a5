"""Where the token of each call comes from: it is fixed, or it is fetched and renewed.

Promises of a renewed token: however many callers, one fetch at a time; no call waits for a fetch, or fails
with one, while the token it could use is still valid; a token that the server refused is replaced.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from .errors import DeadlineExceeded, StatewardError, Unavailable

Result = TypeVar("Result")

FETCH_LIMIT = 30.0
"""Seconds that fetching a token may take."""
EARLY_SHARE = 0.2
"""How much of a token's life is left when it is renewed, ..."""
EARLY_LIMIT = 300.0
"""... and at most this many seconds."""
PAUSE = 10.0
"""Seconds until the next attempt, after a fetch failed that was not urgent."""

log = logging.getLogger("stateward")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A token, and until when it is valid: the clock's seconds, infinite if that is unknown."""

    token: str = field(repr=False)
    expires_at: float = math.inf


Fetch = Callable[[], Awaitable[Fetched]]
"""Gets a new token."""


class TokenSource(Protocol):
    """Gives each call its token."""

    @property
    def renews(self) -> bool:
        """Whether asking again may bring another token."""

    async def token(self, deadline: float | None = None) -> str | None:
        """Return the token to use now.

        Raises DeadlineExceeded if there is none by the loop's time `deadline`, and whatever else keeps it
        from getting one.
        """

    def refused(self, token: str | None) -> None:
        """Take note that the server did not accept a token."""

    def close(self) -> None:
        """Stop fetching."""


class FixedToken:
    """The same token for every call, or none."""

    renews = False

    def __init__(self, token: str | None) -> None:
        self._token = token

    async def token(self, deadline: float | None = None) -> str | None:  # noqa: ARG002 - it never waits
        return self._token

    def refused(self, token: str | None) -> None:
        pass

    def close(self) -> None:
        pass


class RenewedToken:
    """Fetches a token when one is needed, and the next before it expires. Belongs to one event loop."""

    renews = True

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` returns the seconds in which fetched tokens expire."""
        self._fetch = fetch
        self._clock = clock
        self._held: Fetched | None = None
        self._renew_at = 0.0
        self._fetching: asyncio.Task[str] | None = None

    async def token(self, deadline: float | None = None) -> str:
        held, now = self._held, self._clock()
        if held is None or now >= held.expires_at:
            late = DeadlineExceeded("there was no token in time; the call was not sent")
            # Nobody who stops waiting may take the token away from the others.
            return await _by(asyncio.shield(self._renewed()), asyncio.timeout_at(deadline), late)
        if now >= self._renew_at:
            self._renewed()
        return held.token

    def refused(self, token: str | None) -> None:
        # By now another caller may have brought a newer one.
        if self._held is not None and self._held.token == token:
            self._held = None

    def close(self) -> None:
        if self._fetching is not None and not self._fetching.get_loop().is_closed():
            self._fetching.cancel()

    def _renewed(self) -> asyncio.Task[str]:
        """Return the fetch that is under way; begin it if there is none."""
        if self._fetching is None:
            self._fetching = asyncio.ensure_future(self._renew())
            self._fetching.add_done_callback(_heard)
        return self._fetching

    async def _renew(self) -> str:
        try:
            fresh = await self._fetch_in_time()
        except Exception as error:
            now = self._clock()
            if self._held is not None and now < self._held.expires_at:
                self._renew_at = now + PAUSE
                log.warning("the old token stays in use, as there was no new one: %s", type(error).__name__)
            raise
        finally:
            self._fetching = None
        now = self._clock()
        early = min(EARLY_LIMIT, EARLY_SHARE * (fresh.expires_at - now))
        self._held, self._renew_at = fresh, fresh.expires_at - early
        return fresh.token

    async def _fetch_in_time(self) -> Fetched:
        late = Unavailable(f"there was no token within {FETCH_LIMIT:g} s")
        return await _by(self._fetch(), asyncio.timeout(FETCH_LIMIT), late)


async def _by(work: Awaitable[Result], limit: asyncio.Timeout, late: StatewardError) -> Result:
    """Return what comes of the work, or raise `late` after the limit; a timeout of its own is passed on."""
    try:
        async with limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        raise late from None


def _heard(task: asyncio.Task[str]) -> None:
    """Take note of an error, as nobody may be waiting for it."""
    if not task.cancelled():
        task.exception()
