"""The ledger's total order, in SQLite: the roles `ChangeLog` and `Retention`. See `ports/store.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from stateward_server.model.ledger import Instance, InstanceKey
from stateward_server.model.names import InstanceName, InstanceUid, MachineName, OrgId
from stateward_server.ports.store import ChangePage, LoggedChange, Pruned
from stateward_server.store.sqlite import queries, rows
from stateward_server.store.sqlite.readers import Readers
from stateward_server.store.sqlite.writer import Writer, transaction

_SCAN = 10_000
"""How many positions one read looks through: the log is ordered by nothing else, and other reads wait."""


class SqliteChanges:
    """What was committed and deleted, by position."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writes = writer
        self._reads = readers

    async def position(self) -> int:
        row = await self._reads.row(queries.POSITION, ())
        return int(row[0]) if row else 0

    async def epoch_at(self, position: int) -> int:
        row = await self._reads.row(queries.EPOCH_AT, (position,))
        return int(row[0]) if row else 0

    async def pruned(self) -> int:
        row = await self._reads.row(queries.PRUNED)
        return int(row[0]) if row else 0

    async def changes_after(self, org: OrgId, machine: MachineName, position: int, limit: int) -> ChangePage:
        newest = await self.position()
        end = min(position + _SCAN, newest)
        found = await self._reads.rows(queries.CHANGES_AFTER, (position, end, org, machine, limit))
        changes = [rows.logged(row) for row in found]
        if len(changes) == limit:
            end = changes[-1].position
        for row in await self._reads.rows(queries.DELETIONS_AFTER, (org, machine, position, end)):
            uid, name, version, created_at, at = row
            key = InstanceKey(org, machine, InstanceName(name))
            changes.append(LoggedChange(at, Instance(InstanceUid(uid), key, version, created_at), None))
        changes.sort(key=lambda change: change.position)
        return ChangePage(changes, end, complete=end >= newest)

    async def prune(self, after: int, before_ms: int, limit: int) -> Pruned:
        def work(db: sqlite3.Connection) -> Pruned:
            found: Sequence[tuple[int, int]] = db.execute(queries.TIMES_AFTER, (after, limit)).fetchall()
            old = [position for position, time_ms in found if time_ms < before_ms]
            if not old:
                return Pruned(found[-1][0] if found else after, 0, exhausted=True)
            with transaction(db):
                gone = [row[0] for row in db.execute(queries.PRUNE, (after, old[-1], before_ms))]
                if gone:
                    db.execute(queries.RAISE_PRUNED, (max(gone),))
                    db.execute(queries.PRUNE_DELETIONS, (max(gone),))
            return Pruned(old[-1], len(gone), exhausted=len(found) < limit)

        return await self._writes.run(work)
