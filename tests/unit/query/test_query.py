"""What lists read, and of whom."""

from __future__ import annotations

import pytest

from stateward_server.model.errors import NotFound
from stateward_server.model.ledger import Cause, Commit, Instance, InstanceKey, Transition
from stateward_server.model.machine import Machine
from stateward_server.model.names import OrgId, VersionId, instance_name, machine_name
from stateward_server.model.step import Status, View
from stateward_server.query.query import Query
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy

KEY = InstanceKey(OrgId("org_a"), machine_name("m"), instance_name("i"))
VERSION = VersionId("ver_1")


async def filled(count: int) -> Query:
    store = MemoryStore(clock=ManualClock(), entropy=SeededEntropy())
    await store.create_machine(Machine(KEY.org, KEY.machine, None, 0), None)
    head = Instance(await store.allocate_uid(), KEY, VERSION, 0)
    view = View('"a"', ("a",), (), None, Status.ACTIVE, settled=True)
    entries = tuple(
        Transition(n + 1, 1, 0, Cause.EVENT, '""', "{}", view, VERSION, None) for n in range(count)
    )
    await store.apply([Commit(head, 0, entries, (), ())])
    return Query(store, store, store, store)


async def test_transitions_come_in_order_after_a_revision():
    history = await filled(5)
    assert [each.revision for each in await history.transitions(KEY, 1, 3)] == [2, 3, 4]
    assert [each.revision for each in await history.transitions(KEY, 3, 10)] == [4, 5]
    assert await history.transitions(KEY, 5, 10) == []


async def test_what_is_not_there_has_no_lists():
    history = await filled(1)
    other = InstanceKey(OrgId("org_b"), KEY.machine, KEY.name)
    with pytest.raises(NotFound) as refused:
        await history.transitions(other, 0, 1)
    assert refused.value.reason == "INSTANCE_NOT_FOUND"
    with pytest.raises(NotFound) as refused:
        await history.instances(other.org, other.machine, 0, 1)
    assert refused.value.reason == "MACHINE_NOT_FOUND"
