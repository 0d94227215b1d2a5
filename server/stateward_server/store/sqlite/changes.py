"""The ledger's total order, in SQLite: the role `ChangeLog` of the store. See `ports/store.py`."""

from __future__ import annotations

from collections.abc import Sequence

from stateward_server.model.ledger import Instance, InstanceKey
from stateward_server.model.names import InstanceName, InstanceUid, MachineName, OrgId
from stateward_server.ports.store import LoggedChange
from stateward_server.store.sqlite import queries, rows
from stateward_server.store.sqlite.readers import Readers


class SqliteChanges:
    """What was committed and deleted, by position."""

    def __init__(self, readers: Readers) -> None:
        self._reads = readers

    async def position(self) -> int:
        row = await self._reads.row(queries.POSITION, ())
        return int(row[0]) if row else 0

    async def epoch_at(self, position: int) -> int:
        row = await self._reads.row(queries.EPOCH_AT, (position,))
        return int(row[0]) if row else 0

    async def changes_after(
        self, org: OrgId, machine: MachineName, position: int, limit: int
    ) -> Sequence[LoggedChange]:
        found = await self._reads.rows(queries.CHANGES_AFTER, (position, org, machine, limit))
        changes = [rows.logged(row) for row in found]
        # A full page ends before whatever was deleted later than its last transition.
        end = changes[-1].position if len(changes) == limit else _FOREVER
        for row in await self._reads.rows(queries.DELETIONS_AFTER, (org, machine, position, end)):
            uid, name, version, created_at, at = row
            key = InstanceKey(org, machine, InstanceName(name))
            changes.append(LoggedChange(at, Instance(InstanceUid(uid), key, version, created_at), None))
        # Of what shares a position the transition came first: sorting is stable.
        return sorted(changes, key=lambda change: change.position)


_FOREVER = (1 << 63) - 1
