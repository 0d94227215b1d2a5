"""What every store must do, as a test class: subclass it and give it a `store` fixture with a fresh store.

    class TestMyStore(StoreSuite):
        @pytest.fixture
        async def store(self): ...

Bound to each store in `tests/stores/`. Says nothing about disks and restarts; stores that have them test those.
"""

# ruff: noqa: S101 - these are tests, and there are as many as there are promises

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from stateward_server.model.ledger import Commit, CommitResult, Committed, Conflict, Repeated, TimerRow
from stateward_server.model.machine import Language, Module
from stateward_server.model.names import InstanceUid, MachineName, OrgId, VersionId
from stateward_server.ports.store import Loaded, Store
from stateward_server.testing.store_samples import (
    BORN,
    MACHINE,
    MODULE,
    ORG,
    OTHER_ORG,
    VERSION,
    sample_commit,
    sample_instance,
    sample_machine,
    sample_request,
    sample_timer,
    sample_transition,
    sample_version,
    with_machine,
)

UID = InstanceUid(1)
START = (0, InstanceUid(0), "")


async def one(store: Store, commit: Commit) -> CommitResult:
    """Apply a single commit."""
    (result,) = await store.apply([commit])
    return result


class CommitSuite:
    """How commits are written, and when they are not."""

    async def test_creation_can_be_loaded_by_key_and_uid(self, store: Store) -> None:
        await with_machine(store)
        commit = sample_commit(request="r")
        assert await one(store, commit) == Committed(1)
        loaded = Loaded(commit.instance, commit.transitions[0])
        assert await store.load(commit.instance.key) == loaded
        assert await store.load_uid(UID) == loaded

    async def test_every_field_comes_back_as_it_was(self, store: Store) -> None:
        await with_machine(store)
        commit = sample_commit(steps=12, request="r")
        await one(store, commit)
        assert tuple(await store.history(UID, 0, 100)) == commit.transitions

    async def test_commit_follows_the_last_revision(self, store: Store) -> None:
        await with_machine(store)
        await one(store, sample_commit())
        assert await one(store, sample_commit(base=1, steps=3)) == Committed(4)
        assert await one(store, sample_commit(base=4)) == Committed(5)

    async def test_positions_count_the_transitions_of_all_instances(self, store: Store) -> None:
        await with_machine(store)
        batch = [sample_commit(1, steps=2), sample_commit(2), sample_commit(3, steps=3)]
        assert list(await store.apply(batch)) == [Committed(2), Committed(3), Committed(6)]

    async def test_batch_larger_than_any_statement_is_whole(self, store: Store) -> None:
        await with_machine(store)
        batch = [sample_commit(uid, steps=3, timers=[sample_timer(uid)]) for uid in range(1, 121)]
        assert list(await store.apply(batch)) == [Committed(3 * uid) for uid in range(1, 121)]
        assert [len(await store.history(InstanceUid(uid), 0, 9)) for uid in (1, 60, 120)] == [3, 3, 3]
        assert await one(store, sample_commit(1, base=3, steps=200)) == Committed(560)

    async def test_an_empty_batch_is_nothing(self, store: Store) -> None:
        assert list(await store.apply([])) == []

    @pytest.mark.parametrize("base", [1, 3, 7])
    async def test_commit_on_another_revision_is_a_conflict(self, store: Store, base: int) -> None:
        await with_machine(store)
        await one(store, sample_commit(steps=2))
        before = await store.history(UID, 0, 10)
        assert await one(store, sample_commit(base=base, timers=[sample_timer()])) == Conflict()
        assert await store.history(UID, 0, 10) == before
        assert await store.timers_of(UID) == []

    async def test_commit_of_an_absent_instance_is_a_conflict(self, store: Store) -> None:
        await with_machine(store)
        assert await one(store, sample_commit(base=1)) == Conflict()

    async def test_a_bad_commit_does_not_spoil_its_batch(self, store: Store) -> None:
        await with_machine(store)
        await store.apply([sample_commit(1), sample_commit(2), sample_commit(3, request="r")])
        stale, repeated = sample_commit(2, base=5), sample_commit(3, base=1, request="r")
        fresh = sample_commit(4, timers=[sample_timer(4)])
        results = await store.apply([sample_commit(1, base=1, steps=2), stale, repeated, fresh])
        stored = sample_transition(1, "r")
        assert list(results) == [Committed(5), Conflict(), Repeated(stored), Committed(6)]
        assert [loaded.last.revision for loaded in await store.list_instances(ORG, MACHINE, 0, 9)] == [
            3,
            1,
            1,
            1,
        ]
        assert await one(store, sample_commit(1, base=3)) == Committed(7)

    async def test_creation_with_a_taken_name_is_a_conflict(self, store: Store) -> None:
        await with_machine(store)
        await one(store, sample_commit(1, name="same", request="a"))
        assert await one(store, sample_commit(2, name="same", request="b")) == Conflict()
        assert await one(store, sample_commit(2, name="same")) == Conflict()
        assert await store.load_uid(InstanceUid(2)) is None

    async def test_creation_of_one_name_twice_in_a_batch_is_a_conflict(self, store: Store) -> None:
        await with_machine(store)
        results = await store.apply([sample_commit(1, name="same"), sample_commit(2, name="same")])
        assert list(results) == [Committed(1), Conflict()]

    async def test_creation_with_a_used_uid_is_a_conflict(self, store: Store) -> None:
        await with_machine(store)
        await one(store, sample_commit(1))
        assert await one(store, sample_commit(1, name="other")) == Conflict()

    async def test_creation_without_its_machine_is_a_conflict(self, store: Store) -> None:
        assert await one(store, sample_commit()) == Conflict()
        assert await store.load_uid(UID) is None

    async def test_repeated_creation_returns_the_first_transition(self, store: Store) -> None:
        await with_machine(store)
        await one(store, sample_commit(1, name="same", request="r"))
        repeat = sample_commit(2, name="same", request="r")
        assert await one(store, repeat) == Repeated(sample_transition(1, "r"))
        await one(store, sample_commit(1, base=1, name="same", request="later"))
        assert await one(store, sample_commit(2, name="same", request="later")) == Conflict()

    async def test_repeated_request_returns_what_was_stored(self, store: Store) -> None:
        await with_machine(store)
        await one(store, sample_commit())
        await one(store, sample_commit(base=1, steps=2, request="r"))
        stored = Repeated(sample_transition(2, "r"))
        # Whatever revision the repeat believes in: a retry after a conflict finds its first try.
        assert await one(store, sample_commit(base=3, request="r", timers=[sample_timer()])) == stored
        assert await one(store, sample_commit(base=1, request="r")) == stored
        assert len(await store.history(UID, 0, 10)) == 3
        assert await store.timers_of(UID) == []

    async def test_repeat_is_found_behind_a_fresh_transition(self, store: Store) -> None:
        await with_machine(store)
        await one(store, sample_commit(request="a"))
        commit = replace(
            sample_commit(base=1), transitions=(sample_transition(2, "b"), sample_transition(3, "a"))
        )
        assert await one(store, commit) == Repeated(sample_transition(1, "a"))
        assert await store.find_request(UID, "b") is None

    async def test_request_ids_of_two_instances_are_unrelated(self, store: Store) -> None:
        await with_machine(store)
        results = await store.apply([sample_commit(1, request="r"), sample_commit(2, request="r")])
        assert list(results) == [Committed(1), Committed(2)]

    async def test_commit_without_transitions_changes_timers_only(self, store: Store) -> None:
        await with_machine(store)
        await one(store, sample_commit(timers=[sample_timer(id_="a"), sample_timer(id_="b")]))
        timers_only = sample_commit(base=1, steps=0, timers=[sample_timer(id_="c")], gone=["a"])
        assert await one(store, timers_only) == Committed(0)
        assert [timer.id for timer in await store.timers_of(UID)] == ["b", "c"]
        assert await one(store, replace(timers_only, base_revision=2)) == Conflict()
        assert await one(store, sample_commit(base=1)) == Committed(2)

    @pytest.mark.parametrize(
        "batch",
        [
            [sample_commit(1), sample_commit(1, base=1)],
            [sample_commit(1, steps=0)],
            [replace(sample_commit(1), base_revision=1)],
            [replace(sample_commit(1), transitions=(sample_transition(1, "r"), sample_transition(2, "r")))],
            [replace(sample_commit(1), instance=sample_instance(version=VersionId("ver_other")))],
            [sample_commit(1, timers=[sample_timer(2)])],
            [sample_commit(1, timers=[sample_timer(due_ms=2**63)])],
        ],
        ids=[
            "instance-twice",
            "creation-empty",
            "gap",
            "request-twice",
            "version",
            "timer-of-other",
            "never",
        ],
    )
    async def test_misshapen_batch_is_a_bug_of_the_caller(
        self, store: Store, batch: Sequence[Commit]
    ) -> None:
        await with_machine(store)
        with pytest.raises(ValueError, match=r"\w"):
            await store.apply(batch)
        assert await store.load_uid(UID) is None


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
        await one(store, sample_commit(steps=5))
        assert [item.revision for item in await store.history(UID, 0, 2)] == [1, 2]
        assert [item.revision for item in await store.history(UID, 2, 2)] == [3, 4]
        assert [item.revision for item in await store.history(UID, 4, 2)] == [5]
        assert list(await store.history(UID, 5, 2)) == []
        assert await store.oldest_revision(UID) == 1

    async def test_find_request_returns_its_transition(self, store: Store) -> None:
        await with_machine(store)
        commit = sample_commit(steps=2, request="r")
        await one(store, commit)
        assert await store.find_request(UID, "r") == commit.transitions[0]
        assert await store.find_request(UID, "other") is None
        assert await store.find_request(InstanceUid(2), "r") is None

    async def test_version_of_an_instance_is_that_of_its_last_transition(self, store: Store) -> None:
        await with_machine(store)
        await one(store, sample_commit())
        newer = VersionId("ver_BBBBBBBBBBBBBBBBBBBBBA")
        migrated = replace(
            sample_commit(base=1),
            instance=sample_instance(version=newer),
            transitions=(sample_transition(2, version=newer),),
        )
        await one(store, migrated)
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
        await one(store, sample_commit(timers=[sample_timer(due_ms=50)]))
        later = sample_timer(due_ms=70, target="child")
        await one(store, sample_commit(base=1, timers=[later], gone=["t"]))
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
        await one(store, sample_commit(steps=2))
        await store.delete_instance(UID, None)
        assert await one(store, sample_commit(base=2)) == Conflict()
        assert await one(store, sample_commit(base=2, steps=0, timers=[sample_timer()])) == Conflict()

    async def test_a_name_can_be_used_again_and_positions_cannot(self, store: Store) -> None:
        await with_machine(store)
        await one(store, sample_commit(1, name="same", steps=2))
        await store.delete_instance(UID, None)
        assert await one(store, sample_commit(2, name="same")) == Committed(3)

    async def test_deleting_an_absent_instance_changes_nothing(self, store: Store) -> None:
        await store.delete_instance(UID, None)
        assert await store.load_uid(UID) is None


class CatalogSuite:
    """Machines, versions, and the requests that made them."""

    async def test_machine_name_is_taken_once_per_org(self, store: Store) -> None:
        assert await store.create_machine(sample_machine(), sample_request("a"))
        assert not await store.create_machine(replace(sample_machine(), created_at=1), sample_request("b"))
        assert await store.create_machine(sample_machine(org=OTHER_ORG), None)
        assert await store.get_machine(ORG, MACHINE) == sample_machine()
        assert await store.get_request(ORG, "a") == sample_request("a")
        assert await store.get_request(ORG, "b") is None

    async def test_machines_are_listed_by_name(self, store: Store) -> None:
        for name in ("b", "a", "C", "_"):
            await store.create_machine(sample_machine(name), None)
        await store.create_machine(sample_machine("x", OTHER_ORG), None)
        assert [machine.name for machine in await store.list_machines(ORG, "", 10)] == ["C", "_", "a", "b"]
        assert [machine.name for machine in await store.list_machines(ORG, "C", 2)] == ["_", "a"]

    async def test_current_version_is_the_one_that_was_chosen(self, store: Store) -> None:
        await with_machine(store)
        first, second = sample_version("ver_1"), sample_version("ver_2", BORN + 1)
        assert await store.create_version(first, MODULE, sample_request("a", "ver_1"), make_current=True)
        assert await store.create_version(second, MODULE, None, make_current=False)
        assert await store.get_machine(ORG, MACHINE) == replace(sample_machine(), current_version=first)
        assert await store.set_current_version(ORG, MACHINE, second.id, sample_request("b"))
        assert list(await store.list_machines(ORG, "", 9)) == [
            replace(sample_machine(), current_version=second)
        ]
        assert await store.get_request(ORG, "a") == sample_request("a", "ver_1")
        assert await store.get_request(ORG, "b") == sample_request("b")

    async def test_version_of_an_absent_machine_is_not_made(self, store: Store) -> None:
        version = sample_version()
        assert not await store.create_version(version, MODULE, sample_request(), make_current=True)
        assert await store.get_version(ORG, MACHINE, version.id) is None
        assert await store.get_module(version.id) is None
        assert await store.get_request(ORG, sample_request().id) is None

    async def test_only_a_version_of_the_machine_can_be_current(self, store: Store) -> None:
        await with_machine(store)
        await store.create_machine(sample_machine("others"), None)
        await store.create_version(sample_version(), MODULE, None, make_current=False)
        assert not await store.set_current_version(ORG, MachineName("others"), VERSION, sample_request())
        assert not await store.set_current_version(ORG, MACHINE, VersionId("ver_absent"), sample_request())
        assert not await store.set_current_version(OTHER_ORG, MACHINE, VERSION, sample_request())
        assert await store.get_machine(ORG, MACHINE) == sample_machine()
        assert await store.get_request(ORG, sample_request().id) is None

    async def test_versions_are_listed_by_age(self, store: Store) -> None:
        await with_machine(store)
        versions = [sample_version(f"ver_{place}", age) for place, age in (("c", 5), ("a", 5), ("b", 4))]
        for version in versions:
            await store.create_version(version, MODULE, None, make_current=False)
        in_order = [versions[2], versions[1], versions[0]]
        assert list(await store.list_versions(ORG, MACHINE, (0, ""), 10)) == in_order
        assert list(await store.list_versions(ORG, MACHINE, (5, "ver_a"), 10)) == in_order[2:]
        assert list(await store.list_versions(ORG, MACHINE, (0, ""), 1)) == in_order[:1]
        assert await store.get_version(ORG, MACHINE, versions[0].id) == versions[0]
        assert await store.get_version(OTHER_ORG, MACHINE, versions[0].id) is None

    async def test_module_comes_back_as_it_was(self, store: Store) -> None:
        await with_machine(store)
        module = Module("const 猫 = `\u0000`;\n" * 10_000, Language.TYPESCRIPT)
        await store.create_version(sample_version(), module, None, make_current=True)
        assert await store.get_module(VERSION) == module
        assert await store.get_module(VersionId("ver_absent")) is None

    async def test_a_machine_with_instances_cannot_be_deleted(self, store: Store) -> None:
        await with_machine(store)
        await store.create_version(sample_version(), MODULE, None, make_current=True)
        await one(store, sample_commit())
        assert not await store.delete_machine(ORG, MACHINE, sample_request())
        assert await store.get_version(ORG, MACHINE, VERSION) is not None
        assert await store.get_request(ORG, sample_request().id) is None

    async def test_a_deleted_machine_takes_its_versions(self, store: Store) -> None:
        await with_machine(store)
        await store.create_machine(sample_machine("others"), None)
        await store.create_version(sample_version(), MODULE, None, make_current=True)
        await store.create_version(sample_version("ver_o", machine="others"), MODULE, None, make_current=True)
        await one(store, sample_commit())
        await store.delete_instance(UID, None)
        assert await store.delete_machine(ORG, MACHINE, sample_request())
        assert await store.get_machine(ORG, MACHINE) is None
        assert await store.get_version(ORG, MACHINE, VERSION) is None
        assert await store.get_module(VERSION) is None
        assert await store.get_module(VersionId("ver_o")) == MODULE
        assert await store.get_request(ORG, sample_request().id) == sample_request()
        assert await one(store, sample_commit(2)) == Conflict()

    async def test_requests_belong_to_their_org_and_the_first_stays(self, store: Store) -> None:
        await store.create_machine(sample_machine("a"), sample_request("r", "first"))
        await store.create_machine(sample_machine("b"), sample_request("r", "second"))
        assert await store.get_request(ORG, "r") == sample_request("r", "first")
        assert await store.get_request(OTHER_ORG, "r") is None


class AccessSuite:
    """Organisations and who may act for them."""

    async def test_orgs_are_listed_once(self, store: Store) -> None:
        for org in (OTHER_ORG, ORG, ORG):
            await store.create_org(org, BORN)
        assert list(await store.list_orgs()) == [ORG, OTHER_ORG]

    async def test_credential_is_found_by_digest(self, store: Store) -> None:
        await store.put_credential(b"\x00one", ORG, BORN)
        await store.put_credential(b"\x00one", OTHER_ORG, BORN + 1)
        await store.put_credential(b"\x00two", ORG, BORN)
        assert await store.find_credential(b"\x00one") == OTHER_ORG
        assert await store.find_credential(b"\x00two") == ORG
        assert await store.find_credential(b"\x00") is None

    async def test_key_is_found_by_id(self, store: Store) -> None:
        await store.put_key("sbk_1", ORG, ["events.write", "machines.read"], BORN)
        await store.put_key("sbk_2", OrgId(OTHER_ORG), [], BORN)
        assert await store.find_key("sbk_1") == (ORG, ("events.write", "machines.read"))
        assert await store.find_key("sbk_2") == (OTHER_ORG, ())
        assert await store.find_key("sbk_3") is None


class StoreSuite(CommitSuite, ReadSuite, TimerSuite, DeletionSuite, CatalogSuite, AccessSuite):
    """Everything above, for one store."""

    @pytest.fixture
    async def store(self) -> Store:
        """Return a fresh store; overridden by whoever binds the suite."""
        raise NotImplementedError

    async def test_identity_names_the_store(self, store: Store) -> None:
        assert store.identity.store_id
        assert store.identity.epoch > 0


def _place(timer: TimerRow) -> tuple[int, InstanceUid, str]:
    return (timer.due_ms, timer.uid, timer.id)
