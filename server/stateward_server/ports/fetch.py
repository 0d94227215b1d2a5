"""Documents that other people's servers publish, such as the key sets of identity providers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class FetchFailed(Exception):
    """No document came. The text says why, for the server's log; callers could map a network by it."""


@dataclass(frozen=True, slots=True)
class Document:
    """What an address answered."""

    body: bytes
    max_age_s: int | None
    """How long its server says it may be kept; None when it says nothing."""


class Fetch(Protocol):
    """Reads addresses that tenants have chosen: nothing it is asked for may reach what they could not."""

    def objection(self, url: str) -> str | None:
        """Say why this address is never fetched, as far as its text shows; None when it may be."""
        ...

    async def fetch(self, url: str) -> Document:
        """Read one document, of bounded size in bounded time. Raises FetchFailed."""
        ...
