"""Reads a list of the API to its end, or up to a limit."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import TypeVar

T = TypeVar("T")


async def take(items: AsyncIterable[T], limit: int | None) -> list[T]:
    """Collect at most `limit` items; all of them without a limit."""
    found: list[T] = []
    async for item in items:
        found.append(item)
        if limit is not None and len(found) >= limit:
            break
    return found
