"""Lists of instances and transitions of one organisation. Shows heads and history, never private context."""

from __future__ import annotations

from collections.abc import Sequence

from stateward_server.model.errors import no_instance, no_machine
from stateward_server.model.ledger import InstanceKey, Transition
from stateward_server.model.names import MachineName, OrgId
from stateward_server.ports.store import Catalog, Ledger, Loaded


class Query:
    """Reads for lists. Raises NotFound for what the organisation does not have."""

    def __init__(self, ledger: Ledger, catalog: Catalog) -> None:
        self._ledger = ledger
        self._catalog = catalog

    async def instances(self, org: OrgId, machine: MachineName, after: int, limit: int) -> Sequence[Loaded]:
        """Return instances above the uid `after`, in the order of creation."""
        if await self._catalog.get_machine(org, machine) is None:
            raise no_machine(machine)
        return await self._ledger.list_instances(org, machine, after, limit)

    async def transitions(self, key: InstanceKey, after: int, limit: int) -> Sequence[Transition]:
        """Return transitions above the revision `after`, oldest first."""
        loaded = await self._ledger.load(key)
        if loaded is None:
            raise no_instance(key.machine, key.name)
        return await self._ledger.history(loaded.instance.uid, after, limit)
