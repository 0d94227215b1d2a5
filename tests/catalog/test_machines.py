"""Machines and versions: a module is checked before its version exists; a refused one leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from stateward_server.catalog.catalog import Machines
from stateward_server.model.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    StatewardError,
)
from stateward_server.model.ledger import Cause, Commit, Instance, InstanceKey, Transition
from stateward_server.model.limits import ModuleLimits
from stateward_server.model.machine import Inspection, Language, Module, RequestRecord
from stateward_server.model.names import (
    MachineName,
    OrgId,
    VersionId,
    instance_name,
    machine_name,
    version_id,
)
from stateward_server.model.step import Status, View
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy, settle

ORG, OTHER = OrgId("org_a"), OrgId("org_b")
M = machine_name("m")
MODULE = Module("export default 1; // é", Language.JAVASCRIPT)
NONE = VersionId("ver_none")


class Inspector:
    """Takes every module, unless told otherwise."""

    def __init__(self) -> None:
        self.seen: list[Module] = []
        self.meanwhile: Callable[[], Any] | None = None
        self.refusal: Exception | None = None

    async def inspect(self, module: Module) -> Inspection:
        self.seen.append(module)
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.refusal is not None:
            raise self.refusal
        return Inspection("v5", "id")


class Kit:
    def __init__(self) -> None:
        self.clock = ManualClock(1000)
        self.store = MemoryStore(clock=self.clock, entropy=SeededEntropy())
        self.host = Inspector()
        self.machines = Machines(self.store, cast(Any, self.host), self.clock, SeededEntropy(1))

    async def publish(self, name: MachineName = M, org: OrgId = ORG, *, current: bool = True) -> VersionId:
        version = await self.machines.publish(org, name, MODULE, "note", make_current=current)
        return version.id

    async def start(self, name: MachineName = M) -> None:
        """Put an instance of the machine into the ledger."""
        uid = await self.store.allocate_uid()
        instance = Instance(uid, InstanceKey(ORG, name, instance_name("i")), NONE, 0)
        view = View('"a"', ("a",), (), None, Status.ACTIVE, settled=True)
        first = Transition(1, 1, 0, Cause.CREATED, '{"type":"xstate.init"}', "{}", view, NONE, None)
        await self.store.apply([Commit(instance, 0, (first,), (), ())])


@pytest.fixture
async def kit() -> Kit:
    kit = Kit()
    await kit.machines.create(ORG, M)
    return kit


async def refused(kind: type[StatewardError], reason: str, call: Any) -> StatewardError:
    with pytest.raises(kind) as caught:
        await call
    assert caught.value.reason == reason
    return caught.value


# ------------------------------------------------------------------ machines


async def test_a_machine_is_created_once_per_organisation(kit: Kit):
    assert (await kit.machines.get(ORG, M)).current_version is None
    error = await refused(AlreadyExists, "MACHINE_EXISTS", kit.machines.create(ORG, M))
    assert error.metadata == {"machine": "m"}
    await kit.machines.create(OTHER, M)


async def test_machines_are_listed_by_name_from_a_name_on(kit: Kit):
    for name in ("b", "a", "c"):
        await kit.machines.create(ORG, machine_name(name))
    await kit.machines.create(OTHER, machine_name("x"))
    assert [each.name for each in await kit.machines.list(ORG, "", 9)] == ["a", "b", "c", "m"]
    assert [each.name for each in await kit.machines.list(ORG, "a", 2)] == ["b", "c"]


async def test_what_another_organisation_has_is_not_there(kit: Kit):
    version = await kit.publish()
    calls = [
        kit.machines.get(OTHER, M),
        kit.machines.delete(OTHER, M),
        kit.publish(org=OTHER),
        kit.machines.choose(OTHER, M, version),
        kit.machines.version(OTHER, M, version),
        kit.machines.versions(OTHER, M, (-1, ""), 9),
        kit.machines.to_start(OTHER, M, None),
    ]
    for call in calls:
        error = await refused(NotFound, "MACHINE_NOT_FOUND", call)
        assert error.metadata == {"machine": "m"}
    assert len(kit.host.seen) == 1


async def test_a_machine_with_instances_cannot_be_deleted(kit: Kit):
    version = await kit.publish()
    await kit.start()
    error = await refused(FailedPrecondition, "MACHINE_HAS_INSTANCES", kit.machines.delete(ORG, M))
    assert error.metadata == {"machine": "m"}
    assert (await kit.machines.version(ORG, M, version)).id == version


async def test_a_deleted_machine_takes_its_versions_along(kit: Kit):
    version = await kit.publish()
    await kit.machines.delete(ORG, M)
    await refused(NotFound, "MACHINE_NOT_FOUND", kit.machines.get(ORG, M))
    assert await kit.store.get_module(version) is None
    await kit.machines.create(ORG, M)
    await refused(NotFound, "VERSION_NOT_FOUND", kit.machines.version(ORG, M, version))


# ------------------------------------------------------------------ versions


async def test_a_version_is_what_the_host_made_of_the_module(kit: Kit):
    made = await kit.machines.publish(ORG, M, MODULE, "note", make_current=False)
    assert version_id(made.id) == made.id
    assert (made.dialect, made.client_info, made.created_at) == ("v5", "note", 1000)
    assert made.source_bytes == len(MODULE.source.encode())
    assert await kit.machines.version(ORG, M, made.id) == made
    assert await kit.store.get_module(made.id) == MODULE


async def test_a_version_becomes_current_only_when_asked(kit: Kit):
    first = await kit.publish(current=False)
    assert (await kit.machines.get(ORG, M)).current_version is None
    second = await kit.publish(current=True)
    assert await kit.machines.to_start(ORG, M, None) == second
    assert await kit.machines.to_start(ORG, M, first) == first


async def test_a_refused_module_leaves_nothing(kit: Kit):
    kit.host.refusal = InvalidArgument("MODULE_SYNTAX_ERROR", "no")
    await refused(InvalidArgument, "MODULE_SYNTAX_ERROR", kit.publish())
    assert await kit.machines.versions(ORG, M, (-1, ""), 9) == []
    assert (await kit.machines.get(ORG, M)).current_version is None


async def test_a_machine_that_goes_while_its_module_is_checked_gets_no_version(kit: Kit):
    kit.host.meanwhile = lambda: kit.machines.delete(ORG, M)
    await refused(NotFound, "MACHINE_NOT_FOUND", kit.publish())


async def test_the_record_of_a_publication_names_its_version(kit: Kit):
    record = RequestRecord(ORG, "id", b"digest", "", 5)
    made = await kit.machines.publish(ORG, M, MODULE, "", make_current=True, request=record)
    kept = await kit.store.get_request(ORG, "id")
    assert kept is not None
    assert (kept.outcome, kept.digest) == (made.id, b"digest")


async def test_versions_are_listed_oldest_first(kit: Kit):
    versions = []
    for _ in range(3):
        versions.append(await kit.publish())
        await kit.clock.advance(1)
    listed = await kit.machines.versions(ORG, M, (-1, ""), 9)
    assert [each.id for each in listed] == versions
    after = (listed[0].created_at, listed[0].id)
    assert [each.id for each in await kit.machines.versions(ORG, M, after, 1)] == versions[1:2]


async def test_an_earlier_version_can_be_chosen_again(kit: Kit):
    first, _ = await kit.publish(), await kit.publish()
    machine = await kit.machines.choose(ORG, M, first)
    assert machine.current_version is not None
    assert machine.current_version.id == first


async def test_a_version_of_another_machine_cannot_be_chosen_or_started(kit: Kit):
    other = machine_name("other")
    await kit.machines.create(ORG, other)
    version = await kit.publish(other)
    for call in (kit.machines.choose(ORG, M, version), kit.machines.to_start(ORG, M, version)):
        error = await refused(NotFound, "VERSION_NOT_FOUND", call)
        assert error.metadata == {"machine": "m", "version": version}


async def test_without_a_current_version_nothing_starts(kit: Kit):
    error = await refused(FailedPrecondition, "NO_CURRENT_VERSION", kit.machines.to_start(ORG, M, None))
    assert error.metadata == {"machine": "m"}


# ------------------------------------------------------------------ checking in turn


async def test_two_modules_of_an_organisation_are_checked_at_once_and_others_do_not_wait(kit: Kit):
    await kit.machines.create(OTHER, M)
    over = asyncio.Event()
    kit.host.meanwhile = over.wait
    mine = [asyncio.ensure_future(kit.publish()) for _ in range(ModuleLimits().checks_asked)]
    await settle()
    assert len(kit.host.seen) == ModuleLimits().checks
    error = await refused(ResourceExhausted, "RATE_LIMITED", kit.publish())
    assert error.retry_after == 1.0
    theirs = asyncio.ensure_future(kit.publish(org=OTHER))
    await settle()
    assert len(kit.host.seen) == ModuleLimits().checks + 1
    mine[-1].cancel()
    over.set()
    await asyncio.gather(*mine, theirs, return_exceptions=True)
    assert len(kit.host.seen) == ModuleLimits().checks_asked
    await kit.publish()
