"""Machines, versions, modules and stored outcomes, in dictionaries.

The roles `Catalog` and `Requests` of the memory store. Contracts are in `ports/store.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stateward_server.model.machine import Machine, Module, RequestRecord, Version
from stateward_server.model.names import MachineName, OrgId, VersionId
from stateward_server.store.memory.tables import Tables


class MemoryCatalog:
    """The catalog's half of the memory store."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def create_machine(self, machine: Machine, request: RequestRecord | None) -> bool:
        if (machine.org, machine.name) in self._tables.machines:
            return False
        self._tables.machines[machine.org, machine.name] = machine
        self._tables.record(request)
        return True

    async def get_machine(self, org: OrgId, name: MachineName) -> Machine | None:
        return self._tables.machines.get((org, name))

    async def list_machines(self, org: OrgId, after: str, limit: int) -> Sequence[Machine]:
        machines = [
            machine
            for machine in self._tables.machines.values()
            if machine.org == org and machine.name > after
        ]
        return sorted(machines, key=lambda machine: machine.name)[:limit]

    async def delete_machine(self, org: OrgId, name: MachineName, request: RequestRecord | None) -> bool:
        if self._tables.instances_of(org, name):
            return False
        self._tables.machines.pop((org, name), None)
        for version in self._tables.versions_of(org, name):
            del self._tables.versions[version.id], self._tables.modules[version.id]
        for letter in list(self._tables.letters.values()):
            if (letter.owner.org, letter.owner.machine) == (org, name):
                del self._tables.letters[letter.id]
        self._tables.record(request)
        return True

    async def create_version(
        self, version: Version, module: Module, request: RequestRecord | None, *, make_current: bool
    ) -> bool:
        if (version.org, version.machine) not in self._tables.machines:
            return False
        self._tables.versions[version.id] = version
        self._tables.modules[version.id] = module
        if make_current:
            self._set_current(version)
        self._tables.record(request)
        return True

    async def set_current_version(
        self, org: OrgId, machine: MachineName, version: VersionId, request: RequestRecord | None
    ) -> bool:
        found = await self.get_version(org, machine, version)
        if found is None:
            return False
        self._set_current(found)
        self._tables.record(request)
        return True

    async def get_version(self, org: OrgId, machine: MachineName, version: VersionId) -> Version | None:
        return next((found for found in self._tables.versions_of(org, machine) if found.id == version), None)

    async def list_versions(
        self, org: OrgId, machine: MachineName, after: tuple[int, str], limit: int
    ) -> Sequence[Version]:
        versions = [version for version in self._tables.versions_of(org, machine) if _place(version) > after]
        return sorted(versions, key=_place)[:limit]

    async def get_module(self, version: VersionId) -> Module | None:
        return self._tables.modules.get(version)

    async def get_request(self, org: OrgId, request_id: str) -> RequestRecord | None:
        return self._tables.requests.get((org, request_id))

    def _set_current(self, version: Version) -> None:
        place = (version.org, version.machine)
        self._tables.machines[place] = replace(self._tables.machines[place], current_version=version)


def _place(version: Version) -> tuple[int, str]:
    return (version.created_at, version.id)
