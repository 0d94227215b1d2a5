"""Every statement finds its rows by an index, in SQLite's own words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from stateward_server.model.index import Comparison
from stateward_server.store.sqlite import batch, queries
from stateward_server.store.sqlite.schema import migrate, scripts

# A table of one row or two, or all rows by design.
SCANS = {
    "LIST_ORGS", "POSITION", "NEXT_POSITION", "RESERVE_UIDS", "LAST_UID", "RAISE_EPOCH", "IDENTITY", "PRUNED",
    "RAISE_PRUNED",
}  # fmt: skip

WHOLE = {
    name: text
    for name, text in vars(queries).items()
    if not name.startswith("_")
    and isinstance(text, str)
    and text.startswith(("SELECT", "UPDATE", "DELETE"))
    and not text.endswith("WHERE")
}


@pytest.fixture(scope="module")
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.create_function("inflate", 1, lambda blob: blob)
        migrate(connection, scripts())
        yield connection


def plan(db: sqlite3.Connection, text: str) -> str:
    parameters = [1] * (3 if "?1" in text else text.count("?"))
    return " / ".join(step[3] for step in db.execute(f"EXPLAIN QUERY PLAN {text}", parameters))


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_statement_uses_an_index(db: sqlite3.Connection, name: str) -> None:
    steps = plan(db, WHOLE[name])
    assert "TEMP B-TREE" not in steps
    assert ("SCAN" in steps) is (name in SCANS), steps


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("comparison", [None, *Comparison])
def test_entries_of_an_index_are_read_in_its_order(
    db: sqlite3.Connection, comparison: Comparison | None, descending: bool
) -> None:
    steps = plan(db, queries.query_index(comparison, descending=descending))
    assert steps.startswith("SEARCH e USING COVERING INDEX index_entries_by_value"), steps
    assert "SCAN" not in steps
    assert "TEMP B-TREE" not in steps


@pytest.mark.parametrize("count", [1, 2, 128])
def test_deletion_of_many_rows_uses_an_index(db: sqlite3.Connection, count: int) -> None:
    for statement in (batch._TIMERS_GONE, batch._SETTLED, batch._ENTRIES_GONE):
        assert "SCAN" not in plan(db, statement._text(count))


@pytest.mark.parametrize(
    "table", ["transitions", "timers", "unsettled", "index_entries", "versions", "modules"]
)
def test_cascade_finds_its_rows_by_an_index(db: sqlite3.Connection, table: str) -> None:
    columns = [key[3] for key in db.execute(f"PRAGMA foreign_key_list({table})")]
    matches = " AND ".join(f"{column} = ?" for column in columns)
    assert "SCAN" not in plan(db, f"SELECT 1 FROM {table} WHERE {matches}")
