"""The schema is brought forward step by step, each step whole, and never guessed at."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stateward_server.ports.store import StoreFault
from stateward_server.store.sqlite import SqliteStore
from stateward_server.store.sqlite.schema import APPLICATION_ID, migrate, scripts
from stateward_server.store.sqlite.store import DATABASE
from stateward_server.testing.clock import ManualClock, SeededEntropy

FIRST = f"PRAGMA application_id = {APPLICATION_ID}; CREATE TABLE a (x);"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def version(db: sqlite3.Connection) -> int:
    number: int = db.execute("PRAGMA user_version").fetchone()[0]
    return number


def tables(db: sqlite3.Connection) -> list[str]:
    return [
        name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    ]


def test_fresh_database_gets_every_migration_once(db: sqlite3.Connection) -> None:
    migrate(db, scripts())
    migrate(db, scripts())
    assert version(db) == len(scripts())
    assert {"instances", "transitions", "timers", "machines", "meta"} <= set(tables(db))


def test_older_database_gets_what_it_lacks(db: sqlite3.Connection) -> None:
    migrate(db, [FIRST])
    migrate(db, [FIRST, "CREATE TABLE b (x);", "CREATE TABLE c (x);"])
    assert (version(db), tables(db)) == (3, ["a", "b", "c"])


def test_migration_that_fails_halfway_leaves_nothing(db: sqlite3.Connection) -> None:
    broken = "CREATE TABLE b (x); CREATE TABLE a (x);"
    with pytest.raises(StoreFault, match="from schema 1 to 2"):
        migrate(db, [FIRST, broken])
    db.rollback()
    assert (version(db), tables(db)) == (1, ["a"])
    migrate(db, [FIRST, "CREATE TABLE b (x);"])
    assert version(db) == 2


def test_scripts_leave_transactions_to_the_caller() -> None:
    words = {word.upper() for script in scripts() for word in script.replace(";", " ").split()}
    assert not words & {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "VACUUM"}


async def test_database_of_a_newer_server_is_refused_and_left_alone(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path, clock=ManualClock(), entropy=SeededEntropy())
    await store.close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("PRAGMA user_version = 99")
    for _ in range(2):  # the second time also shows that the directory was given up
        with pytest.raises(StoreFault, match=r"newer server has written the database \(schema 99"):
            await SqliteStore.open(tmp_path, clock=ManualClock(), entropy=SeededEntropy())


async def test_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("CREATE TABLE recipes (name)")
    with pytest.raises(StoreFault, match="another program"):
        await SqliteStore.open(tmp_path, clock=ManualClock(), entropy=SeededEntropy())


async def test_file_that_is_no_database_is_refused_in_our_words(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreFault, match=r"stateward\.db cannot be opened$"):
        await SqliteStore.open(tmp_path, clock=ManualClock(), entropy=SeededEntropy())
