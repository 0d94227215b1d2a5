"""The part of the store suite about the total order, and about forgetting the old end of it."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

from dataclasses import replace

from stateward_server.model.ledger import Commit, Transition
from stateward_server.model.names import InstanceUid, MachineName
from stateward_server.ports.store import ChangePage, Store
from stateward_server.testing.store_samples import (
    BORN,
    MACHINE,
    ORG,
    OTHER_ORG,
    UID,
    apply_one,
    sample_commit,
    sample_instance,
    sample_machine,
    sample_transition,
    with_machine,
)

Brief = tuple[int, int, int | None]
"""Position, uid and revision of a change; no revision means that it is a deletion."""


class ChangeSuite:
    """The order of everything that happened to the instances of a machine."""

    async def test_transitions_and_deletions_share_one_order(self, store: Store) -> None:
        await with_machine(store)
        await store.apply([sample_commit(1, steps=2), sample_commit(2)])
        assert await store.delete_instance(InstanceUid(2), None) == 4
        await store.apply([sample_commit(1, base=2), sample_commit(3, name="order-2")])
        page = await store.changes_after(ORG, MACHINE, 0, 10)
        assert _brief(page) == [(1, 1, 1), (2, 1, 2), (4, 2, None), (5, 1, 3), (6, 3, 1)]
        assert (page.end, page.complete) == (6, True)
        assert await store.position() == 6

    async def test_what_comes_after_a_position_is_returned(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(1, steps=2))
        deleted = await store.delete_instance(UID, None)
        assert _brief(await store.changes_after(ORG, MACHINE, deleted - 1, 10)) == [(deleted, 1, None)]
        page = await store.changes_after(ORG, MACHINE, deleted, 10)
        assert page == ChangePage([], deleted, complete=True)

    async def test_a_full_page_says_where_to_go_on(self, store: Store) -> None:
        await with_machine(store)
        await store.apply([sample_commit(1, steps=3), sample_commit(2)])
        await store.delete_instance(InstanceUid(2), None)
        first = await store.changes_after(ORG, MACHINE, 0, 2)
        assert (_brief(first), first.end, first.complete) == ([(1, 1, 1), (2, 1, 2)], 2, False)
        second = await store.changes_after(ORG, MACHINE, first.end, 2)
        assert (_brief(second), second.complete) == ([(3, 1, 3), (5, 2, None)], True)

    async def test_other_machines_and_organisations_are_left_out(self, store: Store) -> None:
        await with_machine(store)
        await store.create_machine(sample_machine("others"), None)
        foreign = sample_instance(2)
        key = replace(foreign.key, machine=MachineName("others"))
        others = replace(sample_commit(2), instance=replace(foreign, key=key))
        await store.apply([sample_commit(1), others])
        await store.delete_instance(InstanceUid(2), None)
        page = await store.changes_after(ORG, MACHINE, 0, 10)
        assert (_brief(page), page.end, page.complete) == ([(1, 1, 1)], 3, True)
        assert _brief(await store.changes_after(ORG, MachineName("others"), 0, 10)) == [(3, 2, None)]
        assert _brief(await store.changes_after(OTHER_ORG, MACHINE, 0, 10)) == []

    async def test_deleting_nothing_has_no_position(self, store: Store) -> None:
        assert await store.delete_instance(UID, None) == 0
        assert await store.position() == 0

    async def test_every_position_knows_its_run(self, store: Store) -> None:
        await with_machine(store)
        entry = replace(sample_transition(1), epoch=store.identity.epoch)
        await apply_one(store, Commit(sample_instance(), 0, (entry,), (), ()))
        await store.delete_instance(UID, None)
        assert await store.epoch_at(0) == 0
        assert await store.epoch_at(1) == store.identity.epoch
        assert await store.epoch_at(2) == store.identity.epoch


class RetentionSuite:
    """Pruning: history begins later, and is whole from there."""

    async def test_what_is_old_goes_but_never_the_last(self, store: Store) -> None:
        await with_machine(store)
        await store.apply([_aged(1, 10, 20, 30, 40), _aged(2, 10)])
        done = await store.prune(0, BORN + 35, 100)
        assert done.count == 3
        assert [each.revision for each in await store.history(UID, 0, 10)] == [4]
        assert [each.revision for each in await store.history(InstanceUid(2), 0, 10)] == [1]
        assert await store.oldest_revision(UID) == 4
        assert await store.pruned() == 3
        assert (await store.load_uid(UID)) is not None

    async def test_what_is_younger_stays(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, _aged(1, 10, 20, 30))
        assert (await store.prune(0, BORN + 10, 100)).count == 0
        assert (await store.prune(0, BORN + 21, 100)).count == 2
        assert [each.revision for each in await store.history(UID, 0, 10)] == [3]

    async def test_nothing_is_pruned_behind_something_that_stays(self, store: Store) -> None:
        """The clock was set back once."""
        await with_machine(store)
        await apply_one(store, _aged(1, 10, 500, 20, 30))
        assert (await store.prune(0, BORN + 100, 100)).count == 1
        assert [each.revision for each in await store.history(UID, 0, 10)] == [2, 3, 4]

    async def test_pruning_goes_on_in_small_steps(self, store: Store) -> None:
        await with_machine(store)
        await store.apply([_aged(1, 1, 2, 3, 4, 5), _aged(2, 1, 2, 3), _aged(3, 1, 90)])
        after = rounds = count = 0
        exhausted = False
        while not exhausted:
            done = await store.prune(after, BORN + 50, 2)
            assert done.end > after or done.exhausted
            after, exhausted, count, rounds = done.end, done.exhausted, count + done.count, rounds + 1
        assert count == 7
        assert rounds > 3
        for uid, oldest in ((1, 5), (2, 3), (3, 2)):
            assert await store.oldest_revision(InstanceUid(uid)) == oldest

    async def test_an_instance_goes_on_after_its_history_was_pruned(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, _aged(1, 10, 20))
        await store.prune(0, BORN + 50, 100)
        await apply_one(store, sample_commit(base=2))
        assert [each.revision for each in await store.history(UID, 0, 10)] == [2, 3]
        await store.prune(0, BORN + 50, 100)
        assert await store.oldest_revision(UID) == 3

    async def test_deletions_are_forgotten_with_what_is_around_them(self, store: Store) -> None:
        await with_machine(store)
        await store.apply([_aged(1, 10), _aged(2, 10)])
        await store.delete_instance(UID, None)
        await apply_one(store, _after(2, 20, 90))
        assert (await store.prune(0, BORN + 50, 100)).count == 2
        page = await store.changes_after(ORG, MACHINE, 0, 10)
        assert _brief(page) == [(5, 2, 3)]

    async def test_an_empty_store_has_nothing_to_prune(self, store: Store) -> None:
        done = await store.prune(0, BORN, 100)
        assert (done.count, done.exhausted) == (0, True)
        assert await store.pruned() == 0


def _brief(page: ChangePage) -> list[Brief]:
    return [
        (each.position, each.instance.uid, each.transition.revision if each.transition else None)
        for each in page.changes
    ]


def _aged(uid: int, *ages: int) -> Commit:
    """Return a creation with transitions made so many milliseconds after the beginning."""
    return Commit(sample_instance(uid), 0, _entries(0, ages), (), ())


def _after(uid: int, *ages: int) -> Commit:
    return Commit(sample_instance(uid), 1, _entries(1, ages), (), ())


def _entries(base: int, ages: tuple[int, ...]) -> tuple[Transition, ...]:
    return tuple(
        replace(sample_transition(base + number), time_ms=BORN + age)
        for number, age in enumerate(ages, start=1)
    )
