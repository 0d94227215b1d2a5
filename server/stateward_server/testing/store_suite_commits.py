"""The part of the store suite about commits: how they are written, and when they are not."""

# ruff: noqa: S101 - these are tests, and there are as many as there are promises

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from stateward_server.model.ledger import (
    Commit,
    Committed,
    Conflict,
    Repeated,
)
from stateward_server.model.names import (
    InstanceUid,
    VersionId,
)
from stateward_server.ports.store import (
    Loaded,
    Store,
)
from stateward_server.testing.store_samples import (
    MACHINE,
    ORG,
    UID,
    apply_one,
    sample_commit,
    sample_instance,
    sample_timer,
    sample_transition,
    with_machine,
)


class CommitSuite:
    """How commits are written, and when they are not."""

    async def test_creation_can_be_loaded_by_key_and_uid(self, store: Store) -> None:
        await with_machine(store)
        commit = sample_commit(request="r")
        assert await apply_one(store, commit) == Committed(1)
        loaded = Loaded(commit.instance, commit.transitions[0])
        assert await store.load(commit.instance.key) == loaded
        assert await store.load_uid(UID) == loaded

    async def test_every_field_comes_back_as_it_was(self, store: Store) -> None:
        await with_machine(store)
        commit = sample_commit(steps=12, request="r")
        await apply_one(store, commit)
        assert tuple(await store.history(UID, 0, 100)) == commit.transitions

    async def test_commit_follows_the_last_revision(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit())
        assert await apply_one(store, sample_commit(base=1, steps=3)) == Committed(4)
        assert await apply_one(store, sample_commit(base=4)) == Committed(5)

    async def test_positions_count_the_transitions_of_all_instances(self, store: Store) -> None:
        await with_machine(store)
        batch = [sample_commit(1, steps=2), sample_commit(2), sample_commit(3, steps=3)]
        assert list(await store.apply(batch)) == [Committed(2), Committed(3), Committed(6)]

    async def test_batch_larger_than_any_statement_is_whole(self, store: Store) -> None:
        await with_machine(store)
        batch = [sample_commit(uid, steps=3, timers=[sample_timer(uid)]) for uid in range(1, 121)]
        assert list(await store.apply(batch)) == [Committed(3 * uid) for uid in range(1, 121)]
        assert [len(await store.history(InstanceUid(uid), 0, 9)) for uid in (1, 60, 120)] == [3, 3, 3]
        assert await apply_one(store, sample_commit(1, base=3, steps=200)) == Committed(560)

    async def test_an_empty_batch_is_nothing(self, store: Store) -> None:
        assert list(await store.apply([])) == []

    @pytest.mark.parametrize("base", [1, 3, 7])
    async def test_commit_on_another_revision_is_a_conflict(self, store: Store, base: int) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(steps=2))
        before = await store.history(UID, 0, 10)
        assert await apply_one(store, sample_commit(base=base, timers=[sample_timer()])) == Conflict()
        assert await store.history(UID, 0, 10) == before
        assert await store.timers_of(UID) == []

    async def test_commit_of_an_absent_instance_is_a_conflict(self, store: Store) -> None:
        await with_machine(store)
        assert await apply_one(store, sample_commit(base=1)) == Conflict()

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
        assert await apply_one(store, sample_commit(1, base=3)) == Committed(7)

    async def test_creation_with_a_taken_name_is_a_conflict(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(1, name="same", request="a"))
        assert await apply_one(store, sample_commit(2, name="same", request="b")) == Conflict()
        assert await apply_one(store, sample_commit(2, name="same")) == Conflict()
        assert await store.load_uid(InstanceUid(2)) is None

    async def test_creation_of_one_name_twice_in_a_batch_is_a_conflict(self, store: Store) -> None:
        await with_machine(store)
        results = await store.apply([sample_commit(1, name="same"), sample_commit(2, name="same")])
        assert list(results) == [Committed(1), Conflict()]

    async def test_creation_with_a_used_uid_is_a_conflict(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(1))
        assert await apply_one(store, sample_commit(1, name="other")) == Conflict()

    async def test_creation_without_its_machine_is_a_conflict(self, store: Store) -> None:
        assert await apply_one(store, sample_commit()) == Conflict()
        assert await store.load_uid(UID) is None

    async def test_repeated_creation_returns_the_first_transition(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(1, name="same", request="r"))
        repeat = sample_commit(2, name="same", request="r")
        assert await apply_one(store, repeat) == Repeated(sample_transition(1, "r"))
        await apply_one(store, sample_commit(1, base=1, name="same", request="later"))
        assert await apply_one(store, sample_commit(2, name="same", request="later")) == Conflict()

    async def test_repeated_request_returns_what_was_stored(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit())
        await apply_one(store, sample_commit(base=1, steps=2, request="r"))
        stored = Repeated(sample_transition(2, "r"))
        # Whatever revision the repeat believes in: a retry after a conflict finds its first try.
        assert await apply_one(store, sample_commit(base=3, request="r", timers=[sample_timer()])) == stored
        assert await apply_one(store, sample_commit(base=1, request="r")) == stored
        assert len(await store.history(UID, 0, 10)) == 3
        assert await store.timers_of(UID) == []

    async def test_repeat_is_found_behind_a_fresh_transition(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(request="a"))
        commit = replace(
            sample_commit(base=1), transitions=(sample_transition(2, "b"), sample_transition(3, "a"))
        )
        assert await apply_one(store, commit) == Repeated(sample_transition(1, "a"))
        assert await store.find_request(UID, "b") is None

    async def test_request_ids_of_two_instances_are_unrelated(self, store: Store) -> None:
        await with_machine(store)
        results = await store.apply([sample_commit(1, request="r"), sample_commit(2, request="r")])
        assert list(results) == [Committed(1), Committed(2)]

    async def test_commit_without_transitions_changes_timers_only(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(timers=[sample_timer(id_="a"), sample_timer(id_="b")]))
        timers_only = sample_commit(base=1, steps=0, timers=[sample_timer(id_="c")], gone=["a"])
        assert await apply_one(store, timers_only) == Committed(0)
        assert [timer.id for timer in await store.timers_of(UID)] == ["b", "c"]
        assert await apply_one(store, replace(timers_only, base_revision=2)) == Conflict()
        assert await apply_one(store, sample_commit(base=1)) == Committed(2)

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
