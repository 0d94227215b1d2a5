"""The part of the store suite about machines, versions and requests."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

from dataclasses import replace

from stateward_server.model.ledger import (
    Conflict,
)
from stateward_server.model.machine import (
    Language,
    Module,
)
from stateward_server.model.names import (
    MachineName,
    VersionId,
)
from stateward_server.ports.store import (
    Store,
)
from stateward_server.testing.store_samples import (
    BORN,
    MACHINE,
    MODULE,
    ORG,
    OTHER_ORG,
    UID,
    VERSION,
    apply_one,
    sample_commit,
    sample_machine,
    sample_request,
    sample_version,
    with_machine,
)


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
        await apply_one(store, sample_commit())
        assert not await store.delete_machine(ORG, MACHINE, sample_request())
        assert await store.get_version(ORG, MACHINE, VERSION) is not None
        assert await store.get_request(ORG, sample_request().id) is None

    async def test_a_deleted_machine_takes_its_versions(self, store: Store) -> None:
        await with_machine(store)
        await store.create_machine(sample_machine("others"), None)
        await store.create_version(sample_version(), MODULE, None, make_current=True)
        await store.create_version(sample_version("ver_o", machine="others"), MODULE, None, make_current=True)
        await apply_one(store, sample_commit())
        await store.delete_instance(UID, None)
        assert await store.delete_machine(ORG, MACHINE, sample_request())
        assert await store.get_machine(ORG, MACHINE) is None
        assert await store.get_version(ORG, MACHINE, VERSION) is None
        assert await store.get_module(VERSION) is None
        assert await store.get_module(VersionId("ver_o")) == MODULE
        assert await store.get_request(ORG, sample_request().id) == sample_request()
        assert await apply_one(store, sample_commit(2)) == Conflict()

    async def test_requests_belong_to_their_org_and_the_first_stays(self, store: Store) -> None:
        await store.create_machine(sample_machine("a"), sample_request("r", "first"))
        await store.create_machine(sample_machine("b"), sample_request("r", "second"))
        assert await store.get_request(ORG, "r") == sample_request("r", "first")
        assert await store.get_request(OTHER_ORG, "r") is None
