"""The SQLite store keeps what every store promises, and what a disk adds to that."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from stateward_server.model.ledger import Committed
from stateward_server.model.names import InstanceUid
from stateward_server.ports.store import Store, StoreFault
from stateward_server.store.sqlite import SqliteStore
from stateward_server.testing.clock import ManualClock, SeededEntropy
from stateward_server.testing.store_samples import (
    MACHINE,
    MODULE,
    ORG,
    sample_commit,
    sample_machine,
    sample_request,
    sample_timer,
    sample_transition,
    sample_version,
    with_machine,
)
from stateward_server.testing.store_suite import StoreSuite

NOW = 1_700_000_000_000


async def open_store(directory: Path, now_ms: int = NOW) -> SqliteStore:
    return await SqliteStore.open(directory, clock=ManualClock(now_ms), entropy=SeededEntropy())


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(tmp_path)
    await with_machine(store)
    yield store
    await store.close()


class TestSqliteStore(StoreSuite):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        store = await open_store(tmp_path)
        yield store
        await store.close()


class TestRestart:
    async def test_everything_is_there_after_a_restart(self, tmp_path: Path) -> None:
        store = await open_store(tmp_path)
        await with_machine(store)
        commit = sample_commit(steps=3, request="r", timers=[sample_timer()])
        await store.apply([commit])
        await store.close()
        store = await open_store(tmp_path)
        assert tuple(await store.history(InstanceUid(1), 0, 10)) == commit.transitions
        assert list(await store.timers_of(InstanceUid(1))) == [sample_timer()]
        assert list(await store.apply([sample_commit(base=3)])) == [Committed(4)]
        await store.close()

    async def test_epoch_rises_with_every_opening_whatever_the_clock_says(self, tmp_path: Path) -> None:
        epochs, ids = [], set()
        for now in (NOW, NOW, NOW - 1_000_000, NOW + 5_000):
            store = await open_store(tmp_path, now)
            epochs.append(store.identity.epoch)
            ids.add(store.identity.store_id)
            await store.close()
        assert epochs == [NOW, NOW + 1, NOW + 2, NOW + 5_000]
        assert len(ids) == 1

    async def test_uids_are_not_reused_after_a_restart(self, tmp_path: Path) -> None:
        given: list[int] = []
        for _ in range(3):
            store = await open_store(tmp_path)
            given += [await store.allocate_uid() for _ in range(3)]
            await store.close()
        assert sorted(set(given)) == given

    async def test_positions_are_not_reused_after_deletion_and_restart(self, tmp_path: Path) -> None:
        store = await open_store(tmp_path)
        await with_machine(store)
        await store.apply([sample_commit(1, steps=5)])
        await store.delete_instance(InstanceUid(1), None)
        await store.close()
        store = await open_store(tmp_path)
        assert list(await store.apply([sample_commit(2)])) == [Committed(7)]
        await store.close()

    async def test_each_run_knows_which_positions_it_wrote(self, tmp_path: Path) -> None:
        epochs = []
        for base in range(3):
            store = await open_store(tmp_path)
            await with_machine(store)
            await store.apply([sample_commit(base=base)])
            epochs.append(store.identity.epoch)
            await store.close()
        store = await open_store(tmp_path)
        assert [await store.epoch_at(position) for position in (1, 2, 3)] == epochs
        await store.delete_instance(InstanceUid(1), None)
        assert [await store.epoch_at(position) for position in (1, 2, 3)] == epochs
        assert await store.epoch_at(4) == store.identity.epoch
        await store.close()

    async def test_how_far_history_was_pruned_survives_a_restart(self, tmp_path: Path) -> None:
        store = await open_store(tmp_path)
        await with_machine(store)
        await store.apply([sample_commit(steps=3)])
        await store.prune(0, NOW + 1_000, 10)
        await store.close()
        store = await open_store(tmp_path)
        assert await store.pruned() == 2
        await store.close()


class TestOwnership:
    async def test_a_second_store_on_the_directory_is_refused(self, tmp_path: Path) -> None:
        store = await open_store(tmp_path)
        with pytest.raises(StoreFault, match=str(tmp_path)):
            await open_store(tmp_path)
        await store.close()
        await (await open_store(tmp_path)).close()

    async def test_a_directory_that_cannot_be_made_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(StoreFault, match="cannot be used"):
            await open_store(tmp_path / "file" / "data")

    async def test_closing_twice_is_harmless(self, tmp_path: Path) -> None:
        store = await open_store(tmp_path)
        await store.close()
        await store.close()

    async def test_a_closed_store_refuses(self, tmp_path: Path) -> None:
        store = await open_store(tmp_path)
        await store.close()
        with pytest.raises(StoreFault, match="closed"):
            await store.apply([sample_commit()])
        with pytest.raises(StoreFault, match="closed"):
            await store.load_uid(InstanceUid(1))


class TestFaults:
    async def test_a_full_disk_is_a_fault_that_passes(self, sqlite: SqliteStore) -> None:
        await sqlite.apply([sample_commit(1)])
        await sqlite._writer.run(lambda db: _limit_pages(db, more=8))
        huge = [sample_commit(1, base=1, steps=99), sample_commit(2, steps=99, timers=[sample_timer(2)])]
        for _ in range(2):
            with pytest.raises(StoreFault) as caught:
                await sqlite.apply(huge)
            assert str(caught.value) == "the store could not write: database or disk is full"
            assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert len(await sqlite.history(InstanceUid(1), 0, 100)) == 1
        assert await sqlite.load_uid(InstanceUid(2)) is None
        await sqlite._writer.run(lambda db: _limit_pages(db, more=10_000))
        assert list(await sqlite.apply(huge)) == [Committed(100), Committed(199)]

    @pytest.mark.parametrize("statement", ["COMMIT", "INSERT OR ROLLBACK INTO transitions"])
    async def test_an_error_at_any_statement_leaves_nothing(
        self, sqlite: SqliteStore, statement: str
    ) -> None:
        def deny(action: int, name: str | None, *_: object) -> int:
            commit = action == sqlite3.SQLITE_TRANSACTION and name == "COMMIT"
            insert = action == sqlite3.SQLITE_INSERT and name == "transitions"
            denied = commit if statement == "COMMIT" else insert
            return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK

        await sqlite._writer.run(lambda db: db.set_authorizer(deny))
        with pytest.raises(StoreFault):
            await sqlite.apply([sample_commit(1, timers=[sample_timer()]), sample_commit(2)])
        await sqlite._writer.run(lambda db: db.set_authorizer(None))
        assert await sqlite.load_uid(InstanceUid(1)) is None
        assert list(await sqlite.due_after((0, InstanceUid(0), ""), 9)) == []
        assert list(await sqlite.apply([sample_commit(1)])) == [Committed(1)]

    async def test_a_value_that_no_column_holds_is_a_fault(self, sqlite: SqliteStore) -> None:
        with pytest.raises(StoreFault):
            await sqlite.create_machine(sample_machine("\ud800"), None)
        with pytest.raises(StoreFault):
            await sqlite.history(InstanceUid(2**70), 0, 1)
        unwritable = sample_transition(1)
        unwritable = replace(unwritable, view=replace(unwritable.view, states=(1, {})))  # type: ignore[arg-type]  # a lie
        with pytest.raises(StoreFault):
            await sqlite.apply([replace(sample_commit(), transitions=(unwritable,))])
        assert await sqlite.get_machine(ORG, MACHINE) is not None

    async def test_a_version_id_used_twice_is_a_fault(self, sqlite: SqliteStore) -> None:
        # Ids are random, so this never happens; if it does, nothing must be overwritten.
        await sqlite.create_version(sample_version(), MODULE, None, make_current=True)
        with pytest.raises(StoreFault):
            await sqlite.create_version(sample_version(), MODULE, sample_request(), make_current=True)
        assert await sqlite.get_request(ORG, sample_request().id) is None


class TestCancellation:
    async def test_a_commit_completes_when_its_caller_is_cancelled(self, sqlite: SqliteStore) -> None:
        applying = asyncio.create_task(sqlite.apply([sample_commit(1, steps=2)]))
        await asyncio.sleep(0)
        applying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await applying
        assert list(await sqlite.apply([sample_commit(1, base=2)])) == [Committed(3)]
        assert not await sqlite._writer.run(lambda db: db.in_transaction)

    async def test_closing_waits_for_commits_under_way(self, tmp_path: Path) -> None:
        store = await open_store(tmp_path)
        await with_machine(store)
        applying = [asyncio.create_task(store.apply([sample_commit(uid)])) for uid in range(1, 20)]
        await asyncio.sleep(0)
        await store.close()
        assert [list(await task) for task in applying] == [[Committed(position)] for position in range(1, 20)]


async def test_transitions_are_durable_by_default(sqlite: SqliteStore) -> None:
    def setting(db: sqlite3.Connection, name: str) -> object:
        return db.execute(f"PRAGMA {name}").fetchone()[0]

    names = ("journal_mode", "synchronous", "foreign_keys")
    assert [await sqlite._writer.run(partial(setting, name=name)) for name in names] == ["wal", 2, 1]


async def test_a_plain_transition_is_written_by_one_statement(sqlite: SqliteStore) -> None:
    await sqlite.apply([sample_commit(1), sample_commit(2)])
    statements: list[str] = []
    await sqlite._writer.run(lambda db: db.set_trace_callback(statements.append))
    await sqlite.apply([sample_commit(1, base=1, request="r"), sample_commit(2, base=1, request="r")])
    await sqlite._writer.run(lambda db: db.set_trace_callback(None))
    assert [statement.split(" (")[0] for statement in statements] == ["INSERT OR ROLLBACK INTO transitions"]
    assert await sqlite.find_request(InstanceUid(2), "r") == sample_transition(2, "r")


def _limit_pages(db: sqlite3.Connection, more: int) -> None:
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + more}")
