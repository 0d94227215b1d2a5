"""The faulty store is the store it wraps, until it is told to fail."""

from __future__ import annotations

import asyncio

import pytest

from stateward_server.model.names import InstanceUid
from stateward_server.ports.store import Store, StoreFault
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy
from stateward_server.testing.faulty_store import FaultyStore, Point
from stateward_server.testing.store_samples import UID, sample_commit, with_machine
from stateward_server.testing.store_suite import StoreSuite


def memory() -> MemoryStore:
    return MemoryStore(clock=ManualClock(), entropy=SeededEntropy())


class TestUntold(StoreSuite):
    @pytest.fixture
    async def store(self) -> Store:
        return FaultyStore(memory()).store


@pytest.mark.parametrize("point", list(Point))
async def test_fault_happens_once_at_its_point(point: Point) -> None:
    faulty = FaultyStore(memory())
    await with_machine(faulty.store)
    faulty.fail("apply", point)
    with pytest.raises(StoreFault, match=f"{point.value} apply"):
        await faulty.store.apply([sample_commit(1)])
    assert (await faulty.store.load_uid(UID) is not None) is (point is Point.AFTER)
    await faulty.store.apply([sample_commit(2)])
    assert await faulty.store.load_uid(InstanceUid(2)) is not None


async def test_held_call_waits_for_its_release() -> None:
    faulty = FaultyStore(memory())
    await with_machine(faulty.store)
    release = faulty.hold("apply", Point.AFTER)
    applying = asyncio.create_task(faulty.store.apply([sample_commit()]))
    await asyncio.sleep(0)
    assert not applying.done()
    assert await faulty.store.load_uid(UID) is not None
    release.set()
    await applying
    assert faulty.calls == ["create_machine", "apply", "load_uid"]


def test_fault_of_no_method_is_a_mistake_of_the_test() -> None:
    with pytest.raises(AttributeError):
        FaultyStore(memory()).fail("aply")
