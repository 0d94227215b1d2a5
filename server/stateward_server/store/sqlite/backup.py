"""A copy of the database, made while its server runs or not: one moment of it, whole.

SQLite copies it page by page in one read, which holds up no commit. A copy that could not be finished leaves
nothing behind.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from stateward_server.ports.store import StoreFault
from stateward_server.store.sqlite.schema import APPLICATION_ID
from stateward_server.store.sqlite.store import DATABASE


def back_up(directory: Path, target: Path) -> int:
    """Copy the database of a data directory into the new file `target`, for its owner only; return its bytes.

    Raises StoreFault if there is no database of ours, if `target` exists, or if the copy cannot be made.
    """
    source = directory / DATABASE
    if not source.is_file():
        raise StoreFault(f"there is no {DATABASE} in {directory}")
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreFault(f"cannot write {target}: {error.strerror}") from error
    try:
        _copy(source, target)
    except (sqlite3.Error, StoreFault, OSError) as error:
        target.unlink()
        raise StoreFault(f"cannot copy {source}: {error}") from error
    return target.stat().st_size


def _copy(source: Path, target: Path) -> None:
    # Not read-only: after a kill, whoever comes next has to take in the log.
    with closing(sqlite3.connect(source)) as found, closing(sqlite3.connect(target)) as copy:
        if found.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            raise StoreFault("it is of another program")
        found.backup(copy)
        # One file: a log beside it would be forgotten when it is moved.
        copy.execute("PRAGMA journal_mode = DELETE")
    with target.open("rb") as written:
        os.fsync(written.fileno())
