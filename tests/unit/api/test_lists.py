"""Lists, page by page: whatever the page size, every entry comes once, in messages a client takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest

from stateward.v1 import instance_service_pb2 as instance_pb
from stateward.v1 import machine_service_pb2 as machine_pb
from stateward_server.api.caller import caller
from stateward_server.api.instances import InstanceServicer
from stateward_server.api.machines import MachineServicer
from stateward_server.api.outcomes import Outcomes
from stateward_server.api.paging import PageTokens
from stateward_server.catalog.catalog import Machines
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.ledger import Cause, Commit, Instance, InstanceKey, Transition
from stateward_server.model.machine import Language, Machine, Module, Version
from stateward_server.model.names import OrgId, VersionId, instance_name, machine_name, mint
from stateward_server.model.principal import Principal
from stateward_server.model.step import Status, View
from stateward_server.query.query import Query
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy

ORG = OrgId("org_a")
M = machine_name("m")
VERSION = VersionId(mint("ver", bytes(16)))
List = Callable[[int, str], Awaitable[tuple[list[str], str]]]


class Kit:
    """The two servicers that list, over one store."""

    def __init__(self) -> None:
        clock = ManualClock()
        self.store = MemoryStore(clock=clock, entropy=SeededEntropy())
        nobody = cast(Any, None)
        machines = Machines(self.store, nobody, clock, SeededEntropy())
        outcomes, pages = Outcomes(self.store, clock), PageTokens(b"k" * 32)
        query = Query(self.store, self.store, self.store, self.store)
        self.machines = MachineServicer(machines, outcomes, pages)
        self.instances = InstanceServicer(
            nobody, machines, query, outcomes, pages, readers=nobody, wait_ms=90_000
        )

    async def fill(self, count: int, *, event: str = '{"type":"go"}', public: str = "{}") -> None:
        """`count` each of machines, versions of m, instances of m, and transitions of the instance i0."""
        await self.store.create_machine(Machine(ORG, M, None, 0), None)
        for number in range(count):
            name = machine_name(f"x{number}")
            await self.store.create_machine(Machine(ORG, name, None, 0), None)
            version = VersionId(mint("ver", bytes([*bytes(15), number])))
            made = Version(version, ORG, M, "v5", "", 1, number // 2)
            await self.store.create_version(made, Module("", Language.JAVASCRIPT), None, make_current=False)
            view = View('"a"', ("a",), (), public, Status.ACTIVE, settled=True)
            key = InstanceKey(ORG, M, instance_name(f"i{number}"))
            head = Instance(await self.store.allocate_uid(), key, VERSION, 0)
            entries = tuple(
                Transition(n + 1, 1, 0, Cause.EVENT, event, "{}", view, VERSION, None)
                for n in range(1 if number else count)
            )
            await self.store.apply([Commit(head, 0, entries, (), ())])

    def lists(self) -> dict[str, List]:
        return {
            "machines": self._machines,
            "versions": self._versions,
            "instances": self._instances,
            "transitions": self._transitions,
        }

    async def _machines(self, size: int, token: str) -> tuple[list[str], str]:
        request = machine_pb.ListMachinesRequest(page_size=size, page_token=token)
        response = await self.machines.ListMachines(request, cast(Any, None))
        return [each.name for each in response.machines], response.next_page_token

    async def _versions(self, size: int, token: str) -> tuple[list[str], str]:
        request = machine_pb.ListMachineVersionsRequest(parent="machines/m", page_size=size, page_token=token)
        response = await self.machines.ListMachineVersions(request, cast(Any, None))
        return [each.name for each in response.machine_versions], response.next_page_token

    async def _instances(self, size: int, token: str) -> tuple[list[str], str]:
        request = instance_pb.ListInstancesRequest(parent="machines/m", page_size=size, page_token=token)
        response = await self.instances.ListInstances(request, cast(Any, None))
        return [each.name for each in response.instances], response.next_page_token

    async def _transitions(self, size: int, token: str) -> tuple[list[str], str]:
        parent = "machines/m/instances/i0"
        request = instance_pb.ListTransitionsRequest(parent=parent, page_size=size, page_token=token)
        response = await self.instances.ListTransitions(request, cast(Any, None))
        assert response.ByteSize() < 4 * 1024 * 1024
        return [each.name for each in response.transitions], response.next_page_token


@pytest.fixture
def kit() -> Iterator[Kit]:
    before = caller.set(Principal(ORG, frozenset(), "{}", "admin"))
    yield Kit()
    caller.reset(before)


async def pages(entries: List, size: int) -> list[list[str]]:
    found, token = [], ""
    while True:
        names, token = await entries(size, token)
        found.append(names)
        if not token:
            return found


KINDS = pytest.mark.parametrize("kind", ["machines", "versions", "instances", "transitions"])


@KINDS
@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8, 0])
async def test_every_entry_comes_once_whatever_the_page_size(kit: Kit, kind: str, size: int):
    await kit.fill(6)
    entries = kit.lists()[kind]
    [whole] = await pages(entries, 1000)
    assert len(whole) == len(set(whole)) == (7 if kind == "machines" else 6)
    found = await pages(entries, size)
    assert [name for page in found for name in page] == whole
    assert all(len(page) == (size or len(whole)) for page in found[:-1])
    assert found[-1]


@KINDS
async def test_a_token_of_one_list_is_refused_by_the_others(kit: Kit, kind: str):
    await kit.fill(3)
    _, token = await kit.lists()[kind](1, "")
    assert token
    for other, entries in kit.lists().items():
        if other != kind:
            with pytest.raises(InvalidArgument) as refused:
                await entries(1, token)
            assert refused.value.reason == "PAGE_TOKEN_MISMATCH"


@KINDS
async def test_a_token_is_worth_nothing_to_another_organisation(kit: Kit, kind: str):
    await kit.fill(3)
    _, token = await kit.lists()[kind](1, "")
    caller.set(Principal(OrgId("org_b"), frozenset(), "{}", "admin"))
    with pytest.raises(InvalidArgument) as refused:
        await kit.lists()[kind](1, token)
    assert refused.value.reason == "PAGE_TOKEN_MISMATCH"


@pytest.mark.parametrize(("event", "public"), [(400_000, 2), (2, 400_000), (400_000, 400_000)])
async def test_a_page_of_large_transitions_is_one_that_a_client_takes(kit: Kit, event: int, public: int):
    await kit.fill(20, event='"' + "é" * (event // 2) + '"', public='"' + "x" * public + '"')
    found = await pages(kit.lists()["transitions"], 1000)
    names = [name for page in found for name in page]
    assert names == [f"machines/m/instances/i0/transitions/{revision}" for revision in range(1, 21)]
    assert len(found) > 1
