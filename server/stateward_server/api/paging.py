"""Page sizes and page tokens. A token holds a position and a MAC over the list it belongs to.

Form: base64url(position JSON) "." base64url(first 16 bytes of HMAC-SHA-256 over list and position).
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import ApiLimits

_DEFAULT = ApiLimits().page_default
_MAXIMUM = ApiLimits().page
_RESPONSE = 2_000_000
"""Bytes of a page; clients take messages of 4 MiB, and one entry is never half of that."""

M = TypeVar("M", bound=Message)
T = TypeVar("T")

Fetch = Callable[[str, int], Awaitable[Sequence[T]]]
"""Return up to so many items after one name."""


class Asked(Protocol):
    """A list request, whatever it lists."""

    @property
    def page_size(self) -> int: ...

    @property
    def page_token(self) -> str: ...


def page_size(asked: int) -> int:
    """0 is the default, too large is capped. Raises InvalidArgument (INVALID_FIELD) for a negative size."""
    if asked < 0:
        raise InvalidArgument(
            "INVALID_FIELD", f"page_size is {asked}, it must not be negative", field="page_size"
        )
    return min(asked or _DEFAULT, _MAXIMUM)


def fitting(messages: Iterable[M], size: int) -> list[M]:
    """Return the page: at most `size` messages, and no more than a client takes at once, but one at least."""
    page: list[M] = []
    room = _RESPONSE
    for message in messages:
        room -= message.ByteSize()
        if len(page) == size or (page and room < 0):
            break
        page.append(message)
    return page


class PageTokens:
    """Writes and reads page tokens with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, listing: Sequence[str], position: Sequence[int | str]) -> str:
        """`listing` names the list: organisation, method, parent and filter."""
        body = urlsafe_b64encode(json.dumps(list(position), separators=(",", ":")).encode())
        return f"{body.decode()}.{urlsafe_b64encode(self._mac(listing, body)).decode()}"

    def decode(self, listing: Sequence[str], token: str) -> list[Any]:
        """Raises InvalidArgument (PAGE_TOKEN_MISMATCH) unless the token was made for this very list."""
        body, _, mac = token.encode("utf-8", "replace").partition(b".")
        try:
            if hmac.compare_digest(urlsafe_b64decode(mac), self._mac(listing, body)):
                position: list[Any] = json.loads(urlsafe_b64decode(body))
                return position
        except ValueError:
            pass
        raise InvalidArgument(
            "PAGE_TOKEN_MISMATCH",
            "the page token belongs to another list: start again without it",
            field="page_token",
        )

    async def page(
        self, asked: Asked, listing: Sequence[str], fetch: Fetch[T], place: Callable[[T], str]
    ) -> tuple[Sequence[T], str]:
        """Return a page of what is listed by one name, which `place` tells, and the token of the next.

        Raises InvalidArgument (INVALID_FIELD, PAGE_TOKEN_MISMATCH).
        """
        size = page_size(asked.page_size)
        after = self.decode(listing, asked.page_token)[0] if asked.page_token else ""
        found = await fetch(after, size + 1)
        more = len(found) > size
        return found[:size], self.encode(listing, [place(found[size - 1])]) if more else ""

    def _mac(self, listing: Sequence[str], body: bytes) -> bytes:
        return hmac.digest(self._key, json.dumps(list(listing)).encode() + body, "sha256")[:16]
