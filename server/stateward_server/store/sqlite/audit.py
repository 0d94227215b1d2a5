"""The audit log, in SQLite: the role `AuditLog`. See `ports/audit.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from stateward_server.model.audit import AuditEntry, AuditOutcome, AuditQuery
from stateward_server.store.sqlite.readers import Readers, Row
from stateward_server.store.sqlite.writer import Writer, transaction

_COLUMNS = "id, org, time, subject, method, resource, acting, sub, sid, peer, outcome"
_WRITE = f"INSERT INTO audit_entries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CLOSE = "UPDATE audit_entries SET org = ?, resource = ?, outcome = ? WHERE (org, time, id) = (?, ?, ?)"
_LIST = (
    f"SELECT {_COLUMNS} FROM audit_entries WHERE org = ? AND time >= ? AND (time, id) < (?, ?)"
    "{conditions} ORDER BY time DESC, id DESC LIMIT ?"
)
_PRUNE = (
    "DELETE FROM audit_entries WHERE (org, time, id) IN"
    " (SELECT org, time, id FROM audit_entries WHERE time < ? ORDER BY time LIMIT ?)"
)


class SqliteAudit:
    """The part of the store that says who did what."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._written_by = writer
        self._read_by = readers

    async def write_audit(self, entries: Sequence[AuditEntry], outcomes: Sequence[AuditOutcome]) -> None:
        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.executemany(_WRITE, map(_row, entries))
                db.executemany(_CLOSE, map(_closing, outcomes))

        await self._written_by.run(work)

    async def list_audit(
        self, query: AuditQuery, before: tuple[int, str] | None, limit: int
    ) -> Sequence[AuditEntry]:
        wanted = {"subject": query.subject, "method": query.method}
        given = {column: value for column, value in wanted.items() if value}
        conditions = "".join(f" AND {column} = ?" for column in given)
        place = min(before or (query.until_ms, ""), (query.until_ms, ""))
        values = (query.org, query.from_ms, *place, *given.values(), limit)
        rows = await self._read_by.rows(_LIST.format(conditions=conditions), values)
        return [_entry(row) for row in rows]

    async def prune_audit(self, before_ms: int, limit: int) -> int:
        def work(db: sqlite3.Connection) -> int:
            with transaction(db):
                return db.execute(_PRUNE, (before_ms, limit)).rowcount

        return await self._written_by.run(work)


def _row(entry: AuditEntry) -> Row:
    what = (entry.subject, entry.method, entry.resource, entry.acting, entry.sub, entry.sid)
    return (entry.id, entry.org, entry.time_ms, *what, entry.peer, entry.outcome)


def _closing(outcome: AuditOutcome) -> Row:
    entry = outcome.entry
    return (outcome.org, outcome.resource, outcome.outcome, entry.org, entry.time_ms, entry.id)


def _entry(row: Row) -> AuditEntry:
    entry = AuditEntry(*row)
    return replace(entry, acting=bool(entry.acting))
