"""The one connection that writes. A unit of work is a function that runs whole, in one hop, on its thread.

Promises: work is done in the order it was asked for, never two at a time, and each leaves no transaction open
behind it, also if it fails or if the caller that waits for it is cancelled (the work then completes unheard).
Called by the stores' roles in this package; translates every SQLite error into StoreFault.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import aiosqlite

from stateward_server.ports.store import StoreFault

T = TypeVar("T")

Work = Callable[[sqlite3.Connection], T]
"""Reads and writes on the writer's thread; opens and ends its own transaction, see `transaction`."""

# WAL with FULL: a commit returns once its pages in the log are flushed. The log goes back into the database
# every 4,000 pages (16 MB): rarer is slower on the whole (the log outgrows caches), more often stalls more
# commits.
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA cache_size = -32768",
)
_LOG_BYTES = 16_000_000


class _Staged(Generic[T]):
    """A unit of work and, once it is done, what it returned."""

    result: T

    def __init__(self, work: Work[T]) -> None:
        self.work = work

    def run(self, db: sqlite3.Connection) -> None:
        try:
            self.result = self.work(db)
        except BaseException:
            # The worst errors (disk full, I/O) end the transaction by themselves.
            if db.in_transaction:
                db.rollback()
            raise


class _Desk(sqlite3.Connection):
    """A connection whose commit() means: do the oldest staged work, and commit it.

    aiosqlite runs each method of the real connection in a hop of its own (loop to thread and back, some 60
    µs), and has no public call to run a function there. It does offer `factory`, and its commit() calls ours:
    one hop. Work is staged and commit() queued without an await between, so the n-th commit finds the n-th
    work.
    """

    def __init__(self, staged: deque[_Staged[Any]], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._staged = staged

    def commit(self) -> None:
        self._staged.popleft().run(self)


class Writer:
    """Runs units of work on the writing connection."""

    def __init__(self, database: aiosqlite.Connection, staged: deque[_Staged[Any]]) -> None:
        self._database = database
        self._staged = staged
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> Writer:
        """Connect to the database, which is made if it does not exist."""
        staged: deque[_Staged[Any]] = deque()
        # No implicit transactions; as many prepared statements as `rows.MultiRow` can make, and the rest.
        connecting = aiosqlite.connect(
            path, factory=partial(_Desk, staged), isolation_level=None, cached_statements=256
        )
        try:
            writer = cls(await connecting, staged)
        except sqlite3.Error as error:
            raise StoreFault(f"the database {path} cannot be opened: {error}") from error
        try:
            configure = partial(_configure, log=path.with_name(path.name + "-wal"))
            await writer.run(configure, failing=f"the database {path} cannot be opened")
        except BaseException:
            await writer.close()
            raise
        return writer

    async def run(self, work: Work[T], *, failing: str = "the store could not write") -> T:
        """Do `work` on the writer's thread and return what it returns.

        Raises StoreFault for whatever SQLite refuses, and for values it cannot hold.
        """
        if self._closed:
            raise StoreFault("the store is closed")
        staged = _Staged(work)
        self._staged.append(staged)
        try:
            await self._database.commit()
        except sqlite3.Error as error:
            # Whoever reads the log has to learn that the disk is full; SQLite quotes no values.
            raise StoreFault(f"{failing}: {error}") from error
        except (OverflowError, UnicodeError, TypeError) as error:
            raise StoreFault(failing) from error
        return staged.result

    async def close(self) -> None:
        """Finish the work asked for so far, then disconnect."""
        self._closed = True
        await self._database.close()


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit at the end of the block. After an error the writer rolls back, as it does for any work."""
    db.execute("BEGIN IMMEDIATE")
    yield
    db.execute("COMMIT")


def _configure(db: sqlite3.Connection, log: Path) -> None:
    if db.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise StoreFault("the data directory is on a file system without shared memory, which the log needs")
    for pragma in _PRAGMAS:
        db.execute(pragma)
    _reserve(log)


def _reserve(log: Path) -> None:
    """Grow the log to its usual size once, so that commits overwrite it instead of lengthening it.

    A flush that need not write a new file length is faster, and steadier. SQLite reads a log up to the first
    frame that is not of its making, so zeros behind the frames of an earlier run end it where they did.
    """
    size = log.stat().st_size if log.exists() else 0
    try:
        with log.open("ab") as file:
            file.write(bytes(max(0, _LOG_BYTES - size)))
    except OSError:
        # A disk too full for this may still hold what matters.
        with suppress(OSError):
            os.truncate(log, size)
