"""The part of the store suite about what can be read, what is pending, and what deletion leaves."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import asyncio
from dataclasses import replace

from stateward_server.model.ledger import (
    Committed,
    Conflict,
    TimerRow,
)
from stateward_server.model.names import (
    InstanceUid,
    MachineName,
    VersionId,
)
from stateward_server.ports.store import (
    Store,
)
from stateward_server.testing.store_samples import (
    MACHINE,
    ORG,
    OTHER_ORG,
    UID,
    apply_one,
    sample_commit,
    sample_instance,
    sample_machine,
    sample_request,
    sample_timer,
    sample_transition,
    with_machine,
)

START = (0, InstanceUid(0), "")


class ReadSuite:
    """What can be asked of the ledger."""

    async def test_absent_instance_reads_as_nothing(self, store: Store) -> None:
        assert await store.load(sample_instance().key) is None
        assert await store.load_uid(UID) is None
        assert await store.find_request(UID, "r") is None
        assert list(await store.history(UID, 0, 10)) == []
        assert await store.oldest_revision(UID) == 0
        assert list(await store.timers_of(UID)) == []

    async def test_history_pages_upwards(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(steps=5))
        assert [item.revision for item in await store.history(UID, 0, 2)] == [1, 2]
        assert [item.revision for item in await store.history(UID, 2, 2)] == [3, 4]
        assert [item.revision for item in await store.history(UID, 4, 2)] == [5]
        assert list(await store.history(UID, 5, 2)) == []
        assert await store.oldest_revision(UID) == 1

    async def test_find_request_returns_its_transition(self, store: Store) -> None:
        await with_machine(store)
        commit = sample_commit(steps=2, request="r")
        await apply_one(store, commit)
        assert await store.find_request(UID, "r") == commit.transitions[0]
        assert await store.find_request(UID, "other") is None
        assert await store.find_request(InstanceUid(2), "r") is None

    async def test_version_of_an_instance_is_that_of_its_last_transition(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit())
        newer = VersionId("ver_BBBBBBBBBBBBBBBBBBBBBA")
        migrated = replace(
            sample_commit(base=1),
            instance=sample_instance(version=newer),
            transitions=(sample_transition(2, version=newer),),
        )
        await apply_one(store, migrated)
        loaded = await store.load_uid(UID)
        assert loaded is not None
        assert loaded.instance.version == newer

    async def test_instances_are_listed_by_machine_in_order_of_uid(self, store: Store) -> None:
        await with_machine(store)
        await store.create_machine(sample_machine("others"), None)
        foreign = sample_commit(2)
        key = replace(foreign.instance.key, machine=MachineName("others"))
        foreign = replace(foreign, instance=replace(foreign.instance, key=key))
        await store.apply([sample_commit(4, name="a"), foreign, sample_commit(3, steps=2), sample_commit(1)])
        listed = await store.list_instances(ORG, MACHINE, 0, 10)
        assert [(loaded.instance.uid, loaded.last.revision) for loaded in listed] == [(1, 1), (3, 2), (4, 1)]
        assert list(await store.list_instances(ORG, MACHINE, 1, 1)) == [listed[1]]
        assert list(await store.list_instances(OTHER_ORG, MACHINE, 0, 10)) == []

    async def test_unsettled_follows_the_last_transition(self, store: Store) -> None:
        await with_machine(store)
        await store.apply([sample_commit(uid, settled=uid % 2 == 0) for uid in range(1, 6)])
        assert list(await store.unsettled(InstanceUid(0), 10)) == [1, 3, 5]
        assert list(await store.unsettled(InstanceUid(1), 1)) == [3]
        await store.apply([sample_commit(1, base=1), sample_commit(2, base=1, settled=False)])
        await store.apply([sample_commit(3, base=1, settled=False), sample_commit(5, base=1, steps=0)])
        assert list(await store.unsettled(InstanceUid(0), 10)) == [2, 3, 5]
        await store.delete_instance(InstanceUid(3), None)
        assert list(await store.unsettled(InstanceUid(0), 10)) == [2, 5]

    async def test_uids_are_never_given_twice(self, store: Store) -> None:
        uids = await asyncio.gather(*(store.allocate_uid() for _ in range(50)))
        uids += [await store.allocate_uid() for _ in range(1500)]
        assert len(set(uids)) == len(uids)
        assert min(uids) > 0


class TimerSuite:
    """Pending timers."""

    async def test_timers_come_by_due_time_then_uid_then_id(self, store: Store) -> None:
        await with_machine(store)
        rows = [(2, "b", 50), (1, "z", 50), (1, "a", 50), (3, "a", 40), (2, "a", 60)]
        timers = [sample_timer(uid, id_, due, "child" if uid == 2 else None) for uid, id_, due in rows]
        await store.apply(
            [sample_commit(uid, timers=[timer for timer in timers if timer.uid == uid]) for uid in (1, 2, 3)]
        )
        in_order = sorted(timers, key=_place)
        assert list(await store.due_after(START, 10)) == in_order
        paged: list[TimerRow] = []
        while page := await store.due_after(_place(paged[-1]) if paged else START, 2):
            paged += page
        assert paged == in_order

    async def test_a_timer_of_the_same_id_is_replaced(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(timers=[sample_timer(due_ms=50)]))
        later = sample_timer(due_ms=70, target="child")
        await apply_one(store, sample_commit(base=1, timers=[later], gone=["t"]))
        assert list(await store.timers_of(UID)) == [later]
        assert list(await store.due_after(START, 10)) == [later]

    async def test_timers_of_one_instance_go_alone(self, store: Store) -> None:
        await with_machine(store)
        await store.apply(
            [sample_commit(uid, timers=[sample_timer(uid, "a"), sample_timer(uid, "b")]) for uid in (1, 2)]
        )
        await store.apply(
            [sample_commit(1, base=1, gone=["a", "absent"]), sample_commit(2, base=1, gone=["b"])]
        )
        assert list(await store.timers_of(UID)) == [sample_timer(1, "b")]
        assert list(await store.timers_of(InstanceUid(2))) == [sample_timer(2, "a")]


class DeletionSuite:
    """What is left of a deleted instance: nothing but its numbers."""

    async def test_deletion_takes_history_and_timers(self, store: Store) -> None:
        await with_machine(store)
        await store.apply(
            [sample_commit(uid, steps=2, request="r", timers=[sample_timer(uid)]) for uid in (1, 2)]
        )
        request = sample_request()
        await store.delete_instance(UID, request)
        assert await store.load(sample_instance().key) is None
        assert list(await store.history(UID, 0, 10)) == []
        assert await store.find_request(UID, "r") is None
        assert list(await store.due_after(START, 10)) == [sample_timer(2)]
        assert len(await store.history(InstanceUid(2), 0, 10)) == 2
        assert await store.get_request(ORG, request.id) == request

    async def test_commit_after_deletion_is_a_conflict(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(steps=2))
        await store.delete_instance(UID, None)
        assert await apply_one(store, sample_commit(base=2)) == Conflict()
        assert await apply_one(store, sample_commit(base=2, steps=0, timers=[sample_timer()])) == Conflict()

    async def test_a_name_can_be_used_again_and_positions_cannot(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(1, name="same", steps=2))
        await store.delete_instance(UID, None)
        assert await apply_one(store, sample_commit(2, name="same")) == Committed(4)

    async def test_deleting_an_absent_instance_changes_nothing(self, store: Store) -> None:
        await store.delete_instance(UID, None)
        assert await store.load_uid(UID) is None


def _place(timer: TimerRow) -> tuple[int, InstanceUid, str]:
    return (timer.due_ms, timer.uid, timer.id)
