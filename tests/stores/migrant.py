"""Migrates copies of a database, and dies by SIGKILL at every statement: at the n-th with the n-th copy.

Run as `migrant.py DATABASE`; the copies are beside it, named after their number. The last one gets through.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from itertools import count
from pathlib import Path

from stateward_server.store.sqlite.schema import migrate, scripts


def migrate_until(path: Path, statement: int) -> None:
    """Migrate, but for the statements from the given one on."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    numbers = count()

    def traced(_: str) -> None:
        if next(numbers) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    db.set_trace_callback(traced)
    migrate(db, scripts())


def main(original: Path) -> None:
    """Fork once for each copy."""
    for number in count():
        copy = original.with_name(f"{number}.db")
        shutil.copyfile(original, copy)
        child = os.fork()
        if child == 0:
            migrate_until(copy, number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
