"""The connections that only read, a few of them so that one long list does not hold up the rest.

Each read is one statement and one hop; it sees every commit that was acknowledged before it began.
Called by the roles of this package; never writes, and translates every SQLite error into StoreFault.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import aiosqlite

from stateward_server.ports.store import StoreFault

_COUNT = 2
_PRAGMAS = ("PRAGMA query_only = ON", "PRAGMA busy_timeout = 5000")

Row = tuple[Any, ...]


class Readers:
    """Reads by turns from a few connections."""

    def __init__(self, connections: Sequence[aiosqlite.Connection], closing: AsyncExitStack) -> None:
        self._turn = cycle(connections)
        self._closing = closing
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> Readers:
        """Connect to a database that the writer has made ready."""
        try:
            async with AsyncExitStack() as stack:
                connections = [
                    await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
                    for _ in range(_COUNT)
                ]
                for connection in connections:
                    await _configure(connection)
                return cls(connections, stack.pop_all())
        except sqlite3.Error as error:
            raise StoreFault(f"the database cannot be read: {error}") from error

    async def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Return all rows of a query."""
        if self._closed:
            raise StoreFault("the store is closed")
        try:
            return await next(self._turn).execute_fetchall(sql, parameters)  # type: ignore[return-value]
        except sqlite3.Error as error:
            raise StoreFault(f"the store could not read: {error}") from error
        except (OverflowError, UnicodeError) as error:
            raise StoreFault("the store could not read") from error

    async def row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """Return the first row of a query, if there is one."""
        rows = await self.rows(sql, parameters)
        return rows[0] if rows else None

    async def close(self) -> None:
        """Finish the reads asked for so far, then disconnect."""
        self._closed = True
        await self._closing.aclose()


async def _configure(connection: aiosqlite.Connection) -> None:
    for pragma in _PRAGMAS:
        await connection.execute_fetchall(pragma)
    # Modules are inflated here, on the reader's thread: a large one would hold up the event loop.
    await connection.create_function("inflate", 1, _inflate, deterministic=True)


def _inflate(blob: bytes) -> str:
    return zlib.decompress(blob).decode()
