"""Lists, page by page. A page token holds a position, sealed for the list it belongs to.

Not only signed: a position may be that of an item which the caller may not see.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from stateward_server.auth.seal import Carried, SealBroken
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import ApiLimits

_DEFAULT = ApiLimits().page_default
_MAXIMUM = ApiLimits().page
_RESPONSE = 2_000_000
"""Bytes of a page; clients take messages of 4 MiB, and one entry is never half of that."""
_PASSED = 1_000
"""Items that one call passes over at most."""
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
        """`key` has 32 bytes."""
        self._seal = Carried(key)

    def encode(self, listing: Sequence[str], position: Sequence[int | str]) -> str:
        """`listing` names the list: organisation, method, parent and filter."""
        return self._seal.seal(json.dumps(list(position), separators=(",", ":")).encode(), _named(listing))

    def decode(self, listing: Sequence[str], token: str) -> list[Any]:
        """Raises InvalidArgument (PAGE_TOKEN_MISMATCH) unless the token was made for this very list."""
        try:
            position: list[Any] = json.loads(self._seal.open(token, _named(listing)))
        except SealBroken:
            raise InvalidArgument(
                "PAGE_TOKEN_MISMATCH",
                "the page token belongs to another list: start again without it",
                field="page_token",
            ) from None
        return position

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
        item without one is passed over, and neither the page nor whether there is a next one tells of it,
        unless so many are that one call cannot look at all of them. A page is no larger than a client takes,
        but has one item at least.

        Raises InvalidArgument (INVALID_FIELD, PAGE_TOKEN_MISMATCH).
        """
        size = page_size(asked.page_size)
        after = _place(self.decode(listing, asked.page_token)) if asked.page_token else start
        messages: list[M] = []
        passed, room = 0, _RESPONSE
        while True:
            limit = _CHUNK if passed else min(_CHUNK, size + 1 - len(messages))
            found = await fetch(after, limit)
            for item in found:
                message = show(item)
                if message is None:
                    passed += 1
                else:
                    room -= message.ByteSize()
                    if len(messages) == size or (messages and room < 0):
                        return messages, self.encode(listing, _position(after))
                    messages.append(message)
                after = place(item)
                if passed == _PASSED:
                    return messages, self.encode(listing, _position(after))
            if len(found) < limit:
                return messages, ""


def _named(listing: Sequence[str]) -> bytes:
    return json.dumps(list(listing)).encode()


def _position(place: Any) -> Sequence[int | str]:
    return place if isinstance(place, tuple) else (place,)


def _place(position: Sequence[int | str]) -> Any:
    return position[0] if len(position) == 1 else tuple(position)
