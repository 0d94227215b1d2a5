"""Whatever is done to both, the SQLite store answers like the memory store, restarts included."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stateward_server.model.index import Comparison, IndexQuery
from stateward_server.model.ledger import Commit, Extra, Transition
from stateward_server.model.names import InstanceUid
from stateward_server.model.outbox import Parcel
from stateward_server.store.memory import MemoryStore
from stateward_server.store.sqlite import SqliteStore
from stateward_server.store.sqlite.batch import BatchWriter
from stateward_server.testing.clock import ManualClock, SeededEntropy
from stateward_server.testing.store_samples import (
    BORN,
    MACHINE,
    ORG,
    sample_commit,
    sample_request,
    sample_timer,
    sample_transition,
    with_machine,
)
from stateward_server.testing.store_suite_mail import BARE, sample_letter

T = TypeVar("T")
Plan: TypeAlias = tuple[int, str, int, Any, Any, Any, Any]
"""Slot, name, how far the base revision is off, steps, timers set, timers gone, parcels and letters."""

SLOTS = st.integers(0, 4)
"""Places for instances; each is filled again with a new uid after a deletion."""
NAMES = st.sampled_from(["a", "b", "c"])
REQUESTS = st.one_of(st.none(), st.sampled_from(["r1", "r2", "r3", "r4", "r5"]))
TIMERS = st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 3)), max_size=3)
GONE = st.lists(st.sampled_from("xyz"), unique=True, max_size=2)
VALUES = st.frozensets(st.tuples(st.sampled_from(["owner", "due"]), st.sampled_from("uvw")), max_size=3)
STEPS = st.lists(st.tuples(REQUESTS, st.booleans(), VALUES), max_size=3)
EXTRAS = st.none() | st.tuples(st.integers(0, 2), st.integers(0, 1), st.lists(st.integers(1, 5), max_size=2))
QUERIES = (
    IndexQuery("due"),
    IndexQuery("owner", descending=True),
    IndexQuery("owner", Comparison.NOT_EQUAL, "v"),
)
PLANS = st.lists(
    st.tuples(SLOTS, NAMES, st.sampled_from([0, 0, 0, 0, 0, -1, 1]), STEPS, TIMERS, GONE, EXTRAS),
    min_size=1,
    max_size=4,
    unique_by=lambda plan: plan[0],
)


class Ledgers(RuleBasedStateMachine):
    """Both stores side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.memory = MemoryStore(clock=ManualClock(), entropy=SeededEntropy())
        self.sqlite = self.run(self.opened())
        self.uids = list(range(1, 6))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def opened(self) -> SqliteStore:
        store = await SqliteStore.open(
            Path(self.directory.name), clock=ManualClock(), entropy=SeededEntropy()
        )
        store._batch = BatchWriter(heads_kept=2)  # so small that heads are forgotten all the time
        return store

    @initialize()
    def machine(self) -> None:
        for store in (self.memory, self.sqlite):
            self.run(with_machine(store))

    @rule(plans=PLANS)
    def apply(self, plans: list[Plan]) -> None:
        batch = [commit for plan in plans if (commit := self.commit(plan))]
        assert self.run(self.sqlite.apply(batch)) == self.run(self.memory.apply(batch))

    def commit(self, plan: Plan) -> Commit | None:
        slot, name, off, steps, timers, gone, extra = plan
        uid = self.uids[slot]
        loaded = self.run(self.memory.load_uid(InstanceUid(uid)))
        base = max(0, (loaded.last.revision if loaded else 0) + off)
        requests: set[str] = set()
        transitions = []
        for number, (request, settled, values) in enumerate(steps, start=1):
            fresh = None if request in requests else request
            requests.add(request)
            made = sample_transition(base + number, fresh, settled=settled, indexes=values)
            transitions.append(made)
        if base == 0 and not transitions:
            return None
        rows = {id_: sample_timer(uid, id_, due) for id_, due in timers}
        commit = sample_commit(uid, base, name=name, timers=list(rows.values()), gone=gone)
        if loaded:
            commit = replace(commit, instance=loaded.instance)
        if extra is not None:
            parcels, letters, letters_gone = extra
            buried = (sample_letter(uid),) * letters
            commit = replace(commit, extra=Extra((BARE,) * parcels, buried, tuple(letters_gone)))
        return replace(commit, transitions=tuple(transitions))

    @rule(skip=st.integers(0, 3), acknowledged=st.integers(0, 3))
    def deliver(self, skip: int, acknowledged: int) -> None:
        rows = self.run(self.memory.owed_after(0, 100))[skip:]
        for store in (self.memory, self.sqlite):
            self.run(store.acknowledge([row.position for row in rows[:acknowledged]]))
            for row in rows[acknowledged : acknowledged + 1]:
                self.run(store.postpone(row.position, row.parcel.attempt + 1, 77))

    @rule(number=st.integers(0, 3))
    def bury(self, number: int) -> None:
        for row in self.run(self.memory.owed_after(0, 100))[number : number + 1]:
            letter = replace(sample_letter(row.uid, row.parcel, row.position), owner=row.sender)
            for store in (self.memory, self.sqlite):
                self.run(store.bury(letter))

    @rule(number=st.integers(0, 3), back=st.booleans())
    def decide(self, number: int, back: bool) -> None:
        letters = self.run(self.memory.list_letters(ORG, MACHINE, None, 0, 100))
        for letter in letters[number : number + 1]:
            for store in (self.memory, self.sqlite):
                if back and isinstance(letter.what, Parcel):
                    assert self.run(store.put_back(letter, None))
                else:
                    assert self.run(store.discard_letter(letter.id, None))

    @rule(slot=SLOTS)
    def delete(self, slot: int) -> None:
        uid = InstanceUid(self.uids[slot])
        for store in (self.memory, self.sqlite):
            self.run(store.delete_instance(uid, sample_request(f"delete-{uid}")))
        self.uids[slot] = max(self.uids) + 1

    @rule(before=st.integers(0, 6), limit=st.integers(1, 5))
    def prune(self, before: int, limit: int) -> None:
        """Sweep once, as the server does; times of the samples grow with their revisions."""
        after, exhausted = 0, False
        while not exhausted:
            done = [
                self.run(store.prune(after, BORN + before, limit)) for store in (self.memory, self.sqlite)
            ]
            assert done[0] == done[1]
            after, exhausted = done[0].end, done[0].exhausted

    @rule()
    def delete_machine(self) -> None:
        done = [self.run(store.delete_machine(ORG, MACHINE, None)) for store in (self.memory, self.sqlite)]
        assert done[0] == done[1]

    @precondition(lambda self: self.run(self.memory.get_machine(ORG, MACHINE)) is None)
    @rule()
    def create_machine_again(self) -> None:
        self.machine()

    @rule()
    def restart(self) -> None:
        self.run(self.sqlite.close())
        self.sqlite = self.run(self.opened())

    @invariant()
    def same_to_every_reader(self) -> None:
        assert self.run(seen(self.sqlite, self.uids)) == self.run(seen(self.memory, self.uids))

    def teardown(self) -> None:
        self.run(self.sqlite.close())
        self.runner.close()
        self.directory.cleanup()


async def seen(store: SqliteStore | MemoryStore, uids: list[int]) -> list[object]:
    """Return everything that can be read of the ledger."""
    all_ = [InstanceUid(uid) for uid in uids]
    return [
        await store.get_machine(ORG, MACHINE),
        list(await store.list_instances(ORG, MACHINE, 0, 100)),
        list(await store.due_after((0, InstanceUid(0), ""), 100)),
        list(await store.unsettled(InstanceUid(0), 100)),
        [list(await store.query_index(ORG, MACHINE, query, None, 100)) for query in QUERIES],
        [list(await store.history(uid, 0, 100)) for uid in all_],
        [list(await store.timers_of(uid)) for uid in all_],
        [await store.oldest_revision(uid) for uid in all_],
        await store.position(),
        await store.pruned(),
        await whole_order(store),
        list(await store.owed_after(0, 100)),
        list(await store.list_letters(ORG, MACHINE, None, 0, 100)),
        [await store.find_request(uid, request) for uid in all_ for request in ("r1", "r2", "r3")],
        [await store.get_request(ORG, f"delete-{uid}") for uid in range(1, max(uids))],
    ]


async def whole_order(store: SqliteStore | MemoryStore) -> list[tuple[int, InstanceUid, Transition | None]]:
    """Return the total order of the machine's changes, read in small pages."""
    found: list[tuple[int, InstanceUid, Transition | None]] = []
    end, complete = 0, False
    while not complete:
        page = await store.changes_after(ORG, MACHINE, end, 3)
        found += [(each.position, each.instance.uid, each.transition) for each in page.changes]
        end, complete = page.end, page.complete
    return found


TestLedgers = pytest.mark.timeout(300)(Ledgers.TestCase)  # many fsyncs: on a slow disk they add up
TestLedgers.settings = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
