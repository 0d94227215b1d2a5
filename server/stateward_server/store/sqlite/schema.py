"""Brings a database to the schema this code knows, by the numbered scripts in `store/migrations`.

Runs once, on the writer's thread, before anything else. Each script is one transaction together with the
number it raises `user_version` to, so a half-applied one cannot exist. Refuses what it cannot be right about:
a database of a newer server, and a file that is not ours. Never goes backwards.
"""

from __future__ import annotations

import re
import sqlite3
from importlib.resources import files

from stateward_server.ports.store import StoreFault

APPLICATION_ID = 0x53545744
_NAME = re.compile(r"(\d{4})_\w+\.sql")


def scripts() -> list[str]:
    """Return the text of every migration, oldest first; the n-th leads to schema n."""
    folder = files("stateward_server.store") / "migrations"
    named = sorted((entry.name, entry) for entry in folder.iterdir() if _NAME.fullmatch(entry.name))
    for number, (name, _) in enumerate(named, start=1):
        if int(name[:4]) != number:
            raise RuntimeError(f"migration {number:04} is missing or there are two of it, before {name}")
    return [entry.read_text("utf-8") for _, entry in named]


def migrate(db: sqlite3.Connection, migrations: list[str]) -> None:
    """Apply the migrations the database has not seen. Raises StoreFault if it is newer or foreign."""
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if found > len(migrations):
        raise StoreFault(
            f"a newer server has written the database (schema {found}, this one knows {len(migrations)}):"
            " run that server, or restore a backup"
        )
    _check_ours(db, found)
    for number, script in enumerate(migrations[found:], start=found + 1):
        try:
            db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite3.Error as error:
            raise StoreFault(
                f"the database could not be brought from schema {number - 1} to {number}"
            ) from error


def _check_ours(db: sqlite3.Connection, found: int) -> None:
    application = int(db.execute("PRAGMA application_id").fetchone()[0])
    empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if application != APPLICATION_ID and not (found == 0 and application == 0 and empty):
        raise StoreFault("the database is of another program")
