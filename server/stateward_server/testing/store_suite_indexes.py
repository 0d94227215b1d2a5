"""The part of the store suite about indexes: they say what the last transitions say, in order."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

from dataclasses import replace

from stateward_server.model.index import Comparison, IndexQuery
from stateward_server.model.ledger import Commit
from stateward_server.model.names import MachineName
from stateward_server.ports.store import Store
from stateward_server.testing.store_samples import (
    MACHINE,
    MODULE,
    ORG,
    OTHER_ORG,
    UID,
    VERSION,
    apply_one,
    sample_instance,
    sample_machine,
    sample_transition,
    sample_version,
    with_machine,
)

OWNER = IndexQuery("owner")
SELECTORS = (("due", "$.due"), ("owner", "$['public'].owner"))


class IndexSuite:
    """Instances by the values of their last transitions."""

    async def test_an_index_lists_values_in_order_and_then_instances(self, store: Store) -> None:
        await with_machine(store)
        for uid, owner in enumerate(("bob", "ann", "bob", "Zoë", "", "\U0001f600", "\uffff"), start=1):
            await apply_one(store, _put(uid, 0, owner=[owner]))
        await apply_one(store, _put(8, 0, due=["ann"]))
        in_order = ["", "Zoë", "ann", "bob", "bob", "\uffff", "\U0001f600"]
        found = await store.query_index(ORG, MACHINE, OWNER, None, 10)
        assert [each.value for each in found] == in_order
        assert [each.loaded.instance.uid for each in found] == [5, 4, 2, 1, 3, 7, 6]
        assert found[0].loaded == await store.load(found[0].loaded.instance.key)
        down = await store.query_index(ORG, MACHINE, replace(OWNER, descending=True), None, 10)
        assert list(reversed(down)) == list(found)

    async def test_a_query_compares_values(self, store: Store) -> None:
        await with_machine(store)
        for uid, owner in enumerate("abc", start=1):
            await apply_one(store, _put(uid, 0, owner=[owner]))
        for comparison, values in (
            (Comparison.EQUAL, "b"),
            (Comparison.NOT_EQUAL, "ac"),
            (Comparison.LESS, "a"),
            (Comparison.LESS_OR_EQUAL, "ab"),
            (Comparison.GREATER, "c"),
            (Comparison.GREATER_OR_EQUAL, "bc"),
        ):
            for descending in (False, True):
                query = IndexQuery("owner", comparison, "b", descending)
                found = "".join(each.value for each in await store.query_index(ORG, MACHINE, query, None, 9))
                assert found == (values[::-1] if descending else values)

    async def test_a_place_is_between_two_entries(self, store: Store) -> None:
        await with_machine(store)
        for uid, owner in enumerate(("b", "a", "b"), start=1):
            await apply_one(store, _put(uid, 0, owner=[owner]))
        a, b, later = ("a", "order-2"), ("b", "order-1"), ("b", "order-3")
        for comparison, value, wanted in (
            (None, "", [a, b, later]),
            (Comparison.EQUAL, "b", [b, later]),
            (Comparison.NOT_EQUAL, "a", [b, later]),
            (Comparison.GREATER_OR_EQUAL, "a", [a, b, later]),
            (Comparison.LESS, "c", [a, b, later]),
        ):
            for descending in (False, True):
                query = IndexQuery("owner", comparison, value, descending)
                found: list[tuple[str, str]] = []
                while page := await store.query_index(ORG, MACHINE, query, found[-1] if found else None, 1):
                    found.extend((each.value, each.loaded.instance.key.name) for each in page)
                assert found == (wanted[::-1] if descending else wanted)

    async def test_an_instance_with_several_values_has_as_many_entries(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, _put(1, 0, owner=["ann", "bob"], due=["ann"]))
        assert await _values(store) == ["ann", "bob"]
        assert await _values(store, "due") == ["ann"]
        assert await _values(store, "other") == []

    async def test_values_move_with_each_commit(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, _put(1, 0, owner=["ann", "bob"]))
        await apply_one(store, _put(1, 1, owner=["bob", "cid"]))
        assert await _values(store) == ["bob", "cid"]
        await apply_one(store, _put(1, 2, owner=["bob", "cid"]))
        assert await _values(store) == ["bob", "cid"]
        await apply_one(store, _put(1, 3))
        assert await _values(store) == []
        await apply_one(store, _put(1, 4, owner=["dan"]))
        assert await _values(store) == ["dan"]

    async def test_only_the_last_of_several_transitions_counts(self, store: Store) -> None:
        await with_machine(store)
        first = sample_transition(1, indexes=frozenset({("owner", "ann")}))
        second = sample_transition(2, indexes=frozenset({("owner", "bob")}))
        await apply_one(store, Commit(sample_instance(), 0, (first, second), (), ()))
        assert await _values(store) == ["bob"]
        assert list(await store.history(UID, 0, 9)) == [first, second]
        page = await store.changes_after(ORG, MACHINE, 0, 9)
        assert [each.transition for each in page.changes] == [first, second]

    async def test_what_does_not_fit_changes_nothing(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, _put(1, 0, owner=["ann"]))
        await store.apply([_put(1, 5, owner=["bob"]), _put(2, 0, owner=["cid"])])
        assert await _values(store) == ["ann", "cid"]

    async def test_many_instances_move_in_one_batch(self, store: Store) -> None:
        await with_machine(store)
        uids = range(1, 101)
        await store.apply([_put(uid, 0, owner=[f"a{uid}", "all"]) for uid in uids])
        await store.apply([_put(uid, 1, owner=[f"b{uid}", "all"]) for uid in uids])
        assert await _values(store) == ["all"] * 100 + sorted(f"b{uid}" for uid in uids)

    async def test_a_deleted_instance_is_in_no_index(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, _put(1, 0, owner=["ann"]))
        await apply_one(store, _put(2, 0, owner=["bob"]))
        await store.delete_instance(UID, None)
        assert await _values(store) == ["bob"]
        await apply_one(store, _put(3, 0, owner=["cid"], name="order-1"))
        assert await _values(store) == ["bob", "cid"]

    async def test_indexes_of_others_are_left_out(self, store: Store) -> None:
        await with_machine(store)
        await store.create_machine(sample_machine("others"), None)
        await apply_one(store, _put(1, 0, owner=["ann"]))
        assert await store.query_index(ORG, MachineName("others"), OWNER, None, 9) == []
        assert await store.query_index(OTHER_ORG, MACHINE, OWNER, None, 9) == []

    async def test_machines_and_versions_keep_what_is_indexed(self, store: Store) -> None:
        machine = replace(sample_machine(), indexes=("due", "owner"))
        version = replace(sample_version(), selectors=SELECTORS)
        module = replace(MODULE, selectors=SELECTORS)
        await store.create_machine(machine, None)
        await store.create_version(version, module, None, make_current=True)
        assert await store.get_machine(ORG, MACHINE) == replace(machine, current_version=version)
        assert await store.get_version(ORG, MACHINE, VERSION) == version
        assert await store.get_module(VERSION) == module


async def _values(store: Store, index: str = "owner") -> list[str]:
    return [each.value for each in await store.query_index(ORG, MACHINE, IndexQuery(index), None, 1000)]


def _put(uid: int, base: int, *, name: str | None = None, **values: list[str]) -> Commit:
    """Return a commit after which indexes find the instance by these values."""
    entries = frozenset((index, value) for index, found in values.items() for value in found)
    entry = sample_transition(base + 1, indexes=entries)
    return Commit(sample_instance(uid, name), base, (entry,), (), ())
