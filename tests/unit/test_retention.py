"""Old history is forgotten in small steps, at the pace of the clock, and trouble does not end it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from stateward_server.model.audit import AuditQuery
from stateward_server.model.ledger import Commit
from stateward_server.model.names import InstanceUid
from stateward_server.retention import DAY_MS, Pruning
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy
from stateward_server.testing.faulty_store import FaultyStore
from stateward_server.testing.store_samples import ORG, UID, sample_instance, sample_transition, with_machine
from stateward_server.testing.store_suite_audit import sample_entry

NOW = 1_700_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def store(clock: ManualClock) -> MemoryStore:
    store = MemoryStore(clock=clock, entropy=SeededEntropy())
    await with_machine(store)
    return store


async def aged(store: MemoryStore, uid: int, count: int, days: float) -> None:
    """An instance whose transitions were made so many days ago."""
    then = NOW - int(days * DAY_MS)
    entries = tuple(replace(sample_transition(n), time_ms=then) for n in range(1, count + 1))
    await store.apply([Commit(sample_instance(uid), 0, entries, (), ())])


async def left(store: MemoryStore, uid: int) -> int:
    return len(await store.history(InstanceUid(uid), 0, 10_000))


async def test_what_is_older_goes_and_what_is_younger_stays(clock: ManualClock, store: MemoryStore) -> None:
    await aged(store, 1, 500, days=40)
    await aged(store, 2, 500, days=20)
    running = asyncio.ensure_future(Pruning(store, store, clock, history_days=30, audit_days=0).run())
    await clock.advance(60_000)
    assert (await left(store, 1), await left(store, 2)) == (1, 500)
    await clock.advance(11 * DAY_MS)
    assert (await left(store, 1), await left(store, 2)) == (1, 1)
    running.cancel()


async def test_entries_of_the_audit_log_have_a_time_of_their_own(
    clock: ManualClock, store: MemoryStore
) -> None:
    await aged(store, 1, 10, days=40)
    old = [replace(sample_entry(n), time_ms=NOW - 40 * DAY_MS) for n in range(500)]
    young = replace(sample_entry(500), time_ms=NOW - 20 * DAY_MS)
    await store.write_audit([*old, young], [])
    running = asyncio.ensure_future(Pruning(store, store, clock, history_days=0, audit_days=30).run())
    await clock.advance(60_000)
    assert await store.list_audit(AuditQuery(ORG), None, 1_000) == [young]
    assert await left(store, 1) == 10
    await clock.advance(11 * DAY_MS)
    assert await store.list_audit(AuditQuery(ORG), None, 1_000) == []
    running.cancel()


async def test_it_takes_small_steps_with_pauses_between(clock: ManualClock, store: MemoryStore) -> None:
    await aged(store, 1, 1_000, days=40)
    running = asyncio.ensure_future(Pruning(store, store, clock, history_days=30, audit_days=0).run())
    before = await left(store, 1)
    for _ in range(3):
        await clock.advance(50)
        now = await left(store, 1)
        assert 0 < before - now <= 400
        before = now
    running.cancel()


async def test_trouble_of_the_store_only_puts_it_off(clock: ManualClock, store: MemoryStore) -> None:
    await aged(store, 1, 10, days=40)
    faulty = FaultyStore(store)
    faulty.fail("prune")
    with capture_logs() as logs:
        running = asyncio.ensure_future(
            Pruning(faulty.store, store, clock, history_days=30, audit_days=0).run()
        )
        await clock.advance(1_000)
        assert await left(store, 1) == 10
        await clock.advance(3_600_000)
    assert await store.oldest_revision(UID) == 10
    assert [entry["event"] for entry in logs] == ["pruning_failed", "history_pruned"]
    running.cancel()
