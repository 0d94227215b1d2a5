"""Lists of instances, entries of indexes, transitions and dead letters of one organisation.

Never private context, but for what a machine's indexes select.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from stateward_server.model.errors import no_instance, no_machine
from stateward_server.model.index import IndexQuery, no_index
from stateward_server.model.ledger import DeadLetter, InstanceKey, Transition
from stateward_server.model.names import InstanceName, MachineName, OrgId
from stateward_server.ports.store import Catalog, DeadLetters, Found, Indexes, Ledger, Loaded

T = TypeVar("T")

_CHUNK = 64
_ROOM = 8_000_000
"""Characters of snapshots and events held for one page."""


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
    ) -> tuple[Sequence[Found], bool]:
        """Return entries beyond the place (value, instance name), as the query asks, and whether more follow.

        At most `limit`, fewer if their snapshots are large, but one at least if there is any.
        """
        await self.check_indexes(org, machine, {query.index})

        async def read(last: Found | None, count: int) -> Sequence[Found]:
            place = (last.value, last.loaded.instance.key.name) if last else after
            return await self._indexes.query_index(org, machine, query, place, count)

        return await _portion(read, lambda found: _size(found.loaded.last), limit)

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

    async def transitions(
        self, key: InstanceKey, after: int, limit: int
    ) -> tuple[Sequence[Transition], bool]:
        """Return transitions above the revision `after`, oldest first, and whether more follow.

        At most `limit`, fewer if they are large, but one at least if there is any.
        """
        uid = (await self.instance(key)).instance.uid

        async def read(last: Transition | None, count: int) -> Sequence[Transition]:
            return await self._ledger.history(uid, last.revision if last else after, count)

        return await _portion(read, _size, limit)


async def _portion(
    read: Callable[[T | None, int], Awaitable[Sequence[T]]], size: Callable[[T], int], limit: int
) -> tuple[Sequence[T], bool]:
    """Return what `read` finds after the last one it has found, bounded in number and size."""
    found: list[T] = []
    room = _ROOM
    while True:
        asked = min(_CHUNK, limit + 1 - len(found))
        chunk = await read(found[-1] if found else None, asked)
        for each in chunk:
            if len(found) == limit or (found and room <= 0):
                return found, True
            found.append(each)
            room -= size(each)
        if len(chunk) < asked:
            return found, False


def _size(transition: Transition) -> int:
    return len(transition.snapshot_json) + len(transition.event_json)
