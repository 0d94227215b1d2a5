"""The schema is brought forward step by step, each step whole, and never guessed at."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zlib import compress

import pytest

from stateward_server.model.index import IndexQuery
from stateward_server.model.ledger import Commit
from stateward_server.ports.store import StoreFault
from stateward_server.store.sqlite import SqliteStore
from stateward_server.store.sqlite.schema import APPLICATION_ID, migrate, scripts
from stateward_server.store.sqlite.store import DATABASE
from stateward_server.testing.clock import ManualClock, SeededEntropy
from stateward_server.testing.store_samples import (
    MACHINE,
    ORG,
    VERSION,
    apply_one,
    sample_instance,
    sample_transition,
)

OLD_ROWS = f"""
INSERT INTO meta (id, store_id, epoch, last_uid) VALUES (1, 'old', 7, 1000);
INSERT INTO machines (org, name, current_version, created_at) VALUES ('{ORG}', '{MACHINE}', '{VERSION}', 1);
INSERT INTO versions (id, org, machine, dialect, client_info, source_bytes, created_at)
  VALUES ('{VERSION}', '{ORG}', '{MACHINE}', 'v5', '', 1, 1);
INSERT INTO modules (version, language, source) VALUES ('{VERSION}', 'js', x'{compress(b"1").hex()}');
INSERT INTO instances (uid, org, machine, name, created_at) VALUES (1, '{ORG}', '{MACHINE}', 'order-1', 1);
INSERT INTO transitions (uid, revision, epoch, time_ms, cause, version, status, settled, value, states, tags,
  event, snapshot) VALUES (1, 1, 7, 1, 'created', '{VERSION}', 'active', 1, '"a"', '["a"]', '[]',
  '{{"type":"xstate.init"}}', '{{"context":{{"owner":"ann"}}}}');
"""
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


async def test_file_that_is_no_database_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreFault, match=r"stateward\.db cannot be opened: file is not a database$"):
        await SqliteStore.open(tmp_path, clock=ManualClock(), entropy=SeededEntropy())


async def test_instances_from_before_there_were_indexes_come_into_them_with_their_next_commit(
    tmp_path: Path,
) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        migrate(db, scripts()[:4])
        db.executescript(OLD_ROWS)
    store = await SqliteStore.open(tmp_path, clock=ManualClock(), entropy=SeededEntropy())
    try:
        loaded = await store.load(sample_instance().key)
        assert loaded is not None
        assert (loaded.last.revision, loaded.last.indexes) == (1, frozenset())
        machine, module = await store.get_machine(ORG, MACHINE), await store.get_module(VERSION)
        assert machine is not None
        assert machine.current_version is not None
        assert module is not None
        assert (machine.indexes, machine.current_version.selectors, module.selectors) == ((), (), ())
        page = await store.changes_after(ORG, MACHINE, 0, 9)
        assert [each.transition for each in page.changes] == [loaded.last]
        entry = sample_transition(2, indexes=frozenset({("owner", "ann")}))
        await apply_one(store, Commit(loaded.instance, 1, (entry,), (), ()))
        [found] = await store.query_index(ORG, MACHINE, IndexQuery("owner"), None, 9)
        assert (found.value, found.loaded.last) == ("ann", entry)
    finally:
        await store.close()
