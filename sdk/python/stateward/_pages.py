"""Walks a paged list as one async iterator, asking for the next page only when it is needed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

from ._calls import Call, Page
from ._transport import Caller

Item = TypeVar("Item")


async def walk(
    caller: Caller, page: Callable[[int, str], Call[Page[Item]]], page_size: int | None
) -> AsyncGenerator[Item, None]:
    """Yield every item. `page` makes the call for a page size and a page token."""
    token = ""
    while True:
        current = await caller.call(page(page_size or 0, token))
        for item in current.items:
            yield item
        token = current.next_token
        if not token:
            return
