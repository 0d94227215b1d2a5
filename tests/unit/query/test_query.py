"""History in portions: bounded in number and in size, without a gap between them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stateward_server.model.errors import NotFound
from stateward_server.model.index import IndexQuery
from stateward_server.model.ledger import Cause, Commit, Instance, InstanceKey, Transition
from stateward_server.model.machine import Machine
from stateward_server.model.names import OrgId, VersionId, instance_name, machine_name
from stateward_server.model.step import Status, View
from stateward_server.query import query
from stateward_server.query.query import Query
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy

KEY = InstanceKey(OrgId("org_a"), machine_name("m"), instance_name("i"))
VERSION = VersionId("ver_1")


async def filled(count: int, size: int = 2) -> Query:
    store = MemoryStore(clock=ManualClock(), entropy=SeededEntropy())
    await store.create_machine(Machine(KEY.org, KEY.machine, None, 0), None)
    head = Instance(await store.allocate_uid(), KEY, VERSION, 0)
    view = View('"a"', ("a",), (), None, Status.ACTIVE, settled=True)
    entries = tuple(
        Transition(n + 1, 1, 0, Cause.EVENT, '""', " " * size, view, VERSION, None) for n in range(count)
    )
    await store.apply([Commit(head, 0, entries, (), ())])
    return Query(store, store, store, store)


@pytest.mark.parametrize(
    ("after", "limit", "first", "last", "more"),
    [
        (0, 1000, 1, 200, False),
        (0, 200, 1, 200, False),
        (0, 199, 1, 199, True),
        (0, 1, 1, 1, True),
        (63, 64, 64, 127, True),
        (136, 64, 137, 200, False),
        (199, 1, 200, 200, False),
    ],
)
async def test_as_many_as_asked_and_whether_more_follow(
    after: int, limit: int, first: int, last: int, more: bool
):
    found, follow = await (await filled(200)).transitions(KEY, after, limit)
    assert [each.revision for each in found] == list(range(first, last + 1))
    assert follow is more


async def test_after_the_last_there_is_nothing():
    assert await (await filled(3)).transitions(KEY, 3, 10) == ([], False)


@pytest.mark.parametrize("size", [500, 1_000, 5_000])
async def test_large_ones_come_in_smaller_portions(monkeypatch: pytest.MonkeyPatch, size: int):
    monkeypatch.setattr(query, "_ROOM", 1_000)
    history = await filled(10, size)
    seen: list[int] = []
    more = True
    while more:
        found, more = await history.transitions(KEY, seen[-1] if seen else 0, 100)
        assert 1 <= len(found) <= 3
        seen += [each.revision for each in found]
    assert seen == list(range(1, 11))


async def test_entries_of_an_index_come_in_portions_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(query, "_ROOM", 1_000)
    store = MemoryStore(clock=ManualClock(), entropy=SeededEntropy())
    await store.create_machine(Machine(KEY.org, KEY.machine, None, 0, ("owner",)), None)
    view = View('"a"', ("a",), (), None, Status.ACTIVE, settled=True)
    for number in range(10):
        key = replace(KEY, name=instance_name(f"i{number}"))
        entries = frozenset({("owner", f"{number % 2}")})
        entry = Transition(1, 1, 0, Cause.CREATED, '""', " " * 500, view, VERSION, None, entries)
        head = Instance(await store.allocate_uid(), key, VERSION, 0)
        await store.apply([Commit(head, 0, (entry,), (), ())])
    lists = Query(store, store, store, store)
    seen: list[tuple[str, str]] = []
    more = True
    while more:
        place = seen[-1] if seen else None
        found, more = await lists.index(KEY.org, KEY.machine, IndexQuery("owner"), place, 100)
        assert 1 <= len(found) <= 2
        seen += [(each.value, each.loaded.instance.key.name) for each in found]
    assert seen == [(f"{odd}", f"i{number}") for odd in (0, 1) for number in range(odd, 10, 2)]


async def test_what_is_not_there_has_no_lists():
    history = await filled(1)
    other = InstanceKey(OrgId("org_b"), KEY.machine, KEY.name)
    with pytest.raises(NotFound) as refused:
        await history.transitions(other, 0, 1)
    assert refused.value.reason == "INSTANCE_NOT_FOUND"
    with pytest.raises(NotFound) as refused:
        await history.instances(other.org, other.machine, 0, 1)
    assert refused.value.reason == "MACHINE_NOT_FOUND"
