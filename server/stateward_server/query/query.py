"""Lists of instances, entries of indexes, transitions and dead letters of one organisation.

Never private context, but for what a machine's indexes select.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from stateward_server.model.errors import no_instance, no_machine
from stateward_server.model.index import IndexQuery, no_index
from stateward_server.model.ledger import DeadLetter, InstanceKey, Transition
from stateward_server.model.names import InstanceName, MachineName, OrgId
from stateward_server.ports.store import Catalog, DeadLetters, Found, Indexes, Ledger, Loaded


class Query:
    """Reads for lists. Raises NotFound for what the organisation does not have."""

    def __init__(self, ledger: Ledger, catalog: Catalog, letters: DeadLetters, indexes: Indexes) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._letters = letters
        self._indexes = indexes

    async def instances(self, org: OrgId, machine: MachineName, after: int, limit: int) -> Sequence[Loaded]:
        """Return instances above the uid `after`, in the order of creation."""
        if await self._catalog.get_machine(org, machine) is None:
            raise no_machine(machine)
        return await self._ledger.list_instances(org, machine, after, limit)

    async def index(
        self, org: OrgId, machine: MachineName, query: IndexQuery, after: tuple[str, str] | None, limit: int
    ) -> Sequence[Found]:
        """Return entries beyond the place (value, instance name), as the query asks."""
        await self.check_indexes(org, machine, {query.index})
        return await self._indexes.query_index(org, machine, query, after, limit)

    async def check_indexes(self, org: OrgId, machine: MachineName, names: Collection[str]) -> None:
        """Raise NotFound unless the machine exists and has all these indexes."""
        found = await self._catalog.get_machine(org, machine)
        if found is None:
            raise no_machine(machine)
        for name in sorted(names):
            if name not in found.indexes:
                raise no_index(machine, name)

    async def instance(self, key: InstanceKey) -> Loaded:
        """Return one instance."""
        loaded = await self._ledger.load(key)
        if loaded is None:
            raise no_instance(key.machine, key.name)
        return loaded

    async def letters(
        self, org: OrgId, machine: MachineName, name: InstanceName | None, after: int, limit: int
    ) -> Sequence[DeadLetter]:
        """Return dead letters of a machine's instances, or of one, above the id `after`, oldest first."""
        if await self._catalog.get_machine(org, machine) is None:
            raise no_machine(machine)
        return await self._letters.list_letters(org, machine, name, after, limit)

    async def transitions(self, key: InstanceKey, after: int, limit: int) -> Sequence[Transition]:
        """Return transitions above the revision `after`, oldest first."""
        uid = (await self.instance(key)).instance.uid
        return await self._ledger.history(uid, after, limit)
