"""Lists, page by page. A page token holds a position and a MAC over the list it belongs to.

Form: base64url(position JSON) "." base64url(first 16 bytes of HMAC-SHA-256 over list and position).
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import ApiLimits

_DEFAULT = ApiLimits().page_default
_MAXIMUM = ApiLimits().page
_RESPONSE = 2_000_000
"""Bytes of a page; clients take messages of 4 MiB, and one entry is never half of that."""
_CHUNK = 64
"""Items read at once: some have a megabyte, of which their message holds little."""

M = TypeVar("M", bound=Message)
P = TypeVar("P")
T = TypeVar("T")


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
        self,
        asked: Asked,
        listing: Sequence[str],
        fetch: Callable[[P, int], Awaitable[Sequence[T]]],
        *,
        start: P,
        place: Callable[[T], P],
        show: Callable[[T], M | None],
    ) -> tuple[list[M], str]:
        """Return a page of a list, and the token of the next page, blank where there is none.

        `fetch` returns up to so many items that come after a place: `start`, or that of another item, which
        `place` tells. A place is a number, a text, or several in a tuple. `show` makes an item's message; an
        item without one counts, but is left out. A page is no larger than a client takes, but has one item at
        least.

        Raises InvalidArgument (INVALID_FIELD, PAGE_TOKEN_MISMATCH).
        """
        size = page_size(asked.page_size)
        after = _place(self.decode(listing, asked.page_token)) if asked.page_token else start
        messages: list[M] = []
        taken, room = 0, _RESPONSE
        while True:
            limit = min(_CHUNK, size + 1 - taken)
            found = await fetch(after, limit)
            for item in found:
                message = show(item)
                room -= message.ByteSize() if message is not None else 0
                if taken == size or (taken and room < 0):
                    return messages, self.encode(listing, _position(after))
                if message is not None:
                    messages.append(message)
                after = place(item)
                taken += 1
            if len(found) < limit:
                return messages, ""

    def _mac(self, listing: Sequence[str], body: bytes) -> bytes:
        return hmac.digest(self._key, json.dumps(list(listing)).encode() + body, "sha256")[:16]


def _position(place: Any) -> Sequence[int | str]:
    return place if isinstance(place, tuple) else (place,)


def _place(position: Sequence[int | str]) -> Any:
    return position[0] if len(position) == 1 else tuple(position)
