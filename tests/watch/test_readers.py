"""`allowRead` is asked once per state and claims, and its faults are not remembered."""

from __future__ import annotations

import asyncio

import pytest
from tests.watch.kit import AUTH, KEY, transition

from stateward_server.model.errors import Unavailable
from stateward_server.model.ledger import Instance, Transition
from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.testing.clock import settle
from stateward_server.watch.readers import Readers

INSTANCE = Instance(InstanceUid(1), KEY, VersionId("ver_1"), 0)
OTHER = Instance(InstanceUid(2), KEY, VersionId("ver_1"), 0)


class Machine:
    """An authoriser that takes until it is let go."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, str]] = []
        self.verdict = True
        self.fault: Exception | None = None
        self.held = asyncio.Event()
        self.held.set()

    async def may_read(self, instance: Instance, entry: Transition, auth_json: str) -> bool:
        self.asked.append((instance.uid, entry.revision, auth_json))
        await self.held.wait()
        if self.fault is not None:
            raise self.fault
        return self.verdict


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def readers(machine: Machine) -> Readers:
    return Readers(machine.may_read, size=2)


@pytest.mark.parametrize("verdict", [True, False])
async def test_a_verdict_is_remembered(machine: Machine, readers: Readers, verdict: bool):
    machine.verdict = verdict
    assert await readers.allows(INSTANCE, transition(1), AUTH) is verdict
    assert await readers.allows(INSTANCE, transition(1), AUTH) is verdict
    assert len(machine.asked) == 1


async def test_those_who_ask_at_once_share_one_question(machine: Machine, readers: Readers):
    machine.held.clear()
    asking = [asyncio.ensure_future(readers.allows(INSTANCE, transition(1), AUTH)) for _ in range(9)]
    await settle()
    machine.held.set()
    assert await asyncio.gather(*asking) == [True] * 9
    assert len(machine.asked) == 1


async def test_each_state_instance_history_and_caller_is_a_question_of_its_own(machine: Machine):
    readers = Readers(machine.may_read)
    await readers.allows(INSTANCE, transition(1), AUTH)
    await readers.allows(INSTANCE, transition(2), AUTH)
    await readers.allows(INSTANCE, transition(1, epoch=2), AUTH)
    await readers.allows(OTHER, transition(1), AUTH)
    await readers.allows(INSTANCE, transition(1), "{}")
    assert len(machine.asked) == 5


async def test_a_fault_is_told_to_all_who_asked_and_then_forgotten(machine: Machine, readers: Readers):
    machine.held.clear()
    machine.fault = Unavailable("HOST_UNAVAILABLE", "lost")
    asking = [asyncio.ensure_future(readers.allows(INSTANCE, transition(1), AUTH)) for _ in range(2)]
    await settle()
    machine.held.set()
    assert await asyncio.gather(*asking, return_exceptions=True) == [machine.fault, machine.fault]
    machine.fault = None
    assert await readers.allows(INSTANCE, transition(1), AUTH)


async def test_one_who_leaves_does_not_end_the_question_for_the_others(machine: Machine, readers: Readers):
    machine.held.clear()
    leaving, staying = [
        asyncio.ensure_future(readers.allows(INSTANCE, transition(1), AUTH)) for _ in range(2)
    ]
    await settle()
    leaving.cancel()
    await settle()
    machine.held.set()
    assert await staying
    assert len(machine.asked) == 1


async def test_a_fault_that_nobody_waits_for_any_more_makes_no_noise(machine: Machine, readers: Readers):
    machine.held.clear()
    machine.fault = Unavailable("HOST_UNAVAILABLE", "lost")
    leaving = asyncio.ensure_future(readers.allows(INSTANCE, transition(1), AUTH))
    await settle()
    leaving.cancel()
    machine.held.set()
    await settle()
    machine.fault = None
    assert await readers.allows(INSTANCE, transition(1), AUTH)


async def test_a_fault_is_told_also_to_who_waits_for_another_verdict_first():
    answers = {1: asyncio.Event(), 2: asyncio.Event()}

    async def may_read(_instance: Instance, entry: Transition, _auth_json: str) -> bool:
        await answers[entry.revision].wait()
        if entry.revision == 2:
            raise fault
        return True

    fault = Unavailable("HOST_UNAVAILABLE", "lost")
    readers = Readers(may_read)
    states = [transition(1), transition(2)]
    asking = [
        asyncio.ensure_future(readers.allowed(INSTANCE, states, AUTH)),
        asyncio.ensure_future(readers.ask([(OTHER, each) for each in states], AUTH)),
    ]
    await settle()
    answers[2].set()
    await settle()
    answers[1].set()
    assert await asyncio.gather(*asking, return_exceptions=True) == [fault, fault]


async def test_memory_is_bounded(machine: Machine, readers: Readers):
    for revision in (1, 2, 3, 1):
        await readers.allows(INSTANCE, transition(revision), AUTH)
    assert [revision for _, revision, _ in machine.asked] == [1, 2, 3, 1]
