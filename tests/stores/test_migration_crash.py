"""A migration that is killed at any of its statements has happened or not, and is done the next time."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from stateward_server.store.sqlite.schema import migrate, scripts

MIGRANT = Path(__file__).with_name("migrant.py")
OLDEST = """
INSERT INTO meta VALUES (1, 'store', 7, 1000);
INSERT INTO orgs VALUES ('org', 1);
INSERT INTO machines VALUES ('org', 'desk', 'ver', 1);
INSERT INTO versions VALUES ('ver', 'org', 'desk', 'v5', '', 1, 1);
INSERT INTO modules VALUES (1, 'ver', 'javascript', x'00');
INSERT INTO instances VALUES (1, 'org', 'desk', 'one', 1);
INSERT INTO transitions VALUES
  (1, 1, 1, 7, 1, 'created', 'ver', 'active', 1, '"a"', '[]', '[]', '{}', '{}', 'id', x'01', '{}'),
  (2, 1, 2, 7, 2, 'event', 'ver', 'active', 0, '"b"', '[]', '[]', '{}', '{}', NULL, NULL, '{}');
INSERT INTO unsettled VALUES (1);
INSERT INTO timers VALUES (1, 'soon', 5, NULL, '{}');
"""


def content(path: Path) -> list[str]:
    """Return everything in a database, its schema number too."""
    with closing(sqlite3.connect(path)) as db:
        return [*db.iterdump(), str(db.execute("PRAGMA user_version").fetchone())]


def migrated(path: Path, migrations: list[str]) -> list[str]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, migrations)
    return content(path)


@pytest.mark.slow
def test_a_database_survives_kills_at_every_statement_of_its_migrations(tmp_path: Path) -> None:
    whole = scripts()
    original = tmp_path / "original.db"
    migrated(original, whole[:1])
    with closing(sqlite3.connect(original)) as db:
        db.executescript(OLDEST)
    subprocess.run([sys.executable, str(MIGRANT), str(original)], check=True, timeout=50)
    killed = sorted(tmp_path.glob("[0-9]*.db"), key=lambda path: int(path.stem))
    # Between two migrations a database is of the schema before or after, and nothing else.
    stages = [migrated(original, whole[:number]) for number in range(1, len(whole) + 1)]
    reached = [stages.index(content(path)) for path in killed]
    assert reached == sorted(reached)
    assert set(reached) == set(range(len(whole)))
    for path in killed:
        assert migrated(path, whole) == stages[-1]
