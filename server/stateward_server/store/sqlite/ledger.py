"""Instances, their history, indexes and timers: the roles `Ledger`, `Indexes` and `Timers` of the store.

Writes go through the batch writer in one hop each; reads are one statement each. Contracts are in
`ports/store.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial

from stateward_server.model.index import Comparison, IndexQuery
from stateward_server.model.ledger import Commit, CommitResult, InstanceKey, Parent, TimerRow, Transition
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import InstanceUid, MachineName, OrgId
from stateward_server.ports.store import Found, Loaded
from stateward_server.store.shape import check_batch
from stateward_server.store.sqlite import queries, rows
from stateward_server.store.sqlite.batch import BatchWriter
from stateward_server.store.sqlite.readers import Readers
from stateward_server.store.sqlite.requests import put_request
from stateward_server.store.sqlite.writer import Writer, transaction

_UID_BLOCK = 1000
_BEFORE_ALL = ("", "")
_AFTER_ALL = (b"", b"")
"""In SQLite's order every blob comes after every text."""


class SqliteLedger:
    """The ledger's half of the store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._batch = BatchWriter()
        self._free_uids: Iterator[int] = iter(())

    async def apply(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        check_batch(commits)
        if not commits:
            return []
        return await self._writer.run(partial(self._batch.apply, commits=commits))

    async def load(self, key: InstanceKey) -> Loaded | None:
        row = await self._readers.row(queries.LOAD_BY_KEY, (key.org, key.machine, key.name))
        return rows.loaded(row) if row else None

    async def load_uid(self, uid: InstanceUid) -> Loaded | None:
        row = await self._readers.row(queries.LOAD_BY_UID, (uid,))
        return rows.loaded(row) if row else None

    async def find_request(self, uid: InstanceUid, request_id: str) -> Transition | None:
        row = await self._readers.row(queries.FIND_REQUEST, (uid, request_id))
        return rows.transition(row) if row else None

    async def allocate_uid(self) -> InstanceUid:
        uid = next(self._free_uids, None)
        if uid is None:
            # Reserved on disk before use; what is left of a block when the server stops is never used.
            # Of two callers that come here at once one block is wasted, which is cheaper than a lock.
            last = await self._writer.run(_reserve_uids)
            block = iter(range(last - _UID_BLOCK + 1, last + 1))
            uid = next(block)
            self._free_uids = block
        return InstanceUid(uid)

    async def history(self, uid: InstanceUid, after: int, limit: int) -> Sequence[Transition]:
        return [
            rows.transition(row) for row in await self._readers.rows(queries.HISTORY, (uid, after, limit))
        ]

    async def oldest_revision(self, uid: InstanceUid) -> int:
        row = await self._readers.row(queries.OLDEST, (uid,))
        return int(row[0]) if row and row[0] is not None else 0

    async def list_instances(
        self, org: OrgId, machine: MachineName, after: int, limit: int
    ) -> Sequence[Loaded]:
        return [
            rows.loaded(row)
            for row in await self._readers.rows(queries.LIST_INSTANCES, (org, machine, after, limit))
        ]

    async def unsettled(self, after: InstanceUid, limit: int) -> Sequence[InstanceUid]:
        return [row[0] for row in await self._readers.rows(queries.UNSETTLED, (after, limit))]

    async def delete_instance(self, uid: InstanceUid, request: RequestRecord | None) -> int:
        def work(db: sqlite3.Connection) -> int:
            position = 0
            with transaction(db):
                if db.execute(queries.HAS_UID, (uid,)).fetchone():
                    db.execute(queries.NEXT_POSITION)
                    position = db.execute(queries.POSITION).fetchone()[0]
                    db.execute(queries.RECORD_DELETION, (uid,))
                db.execute(queries.DELETE_INSTANCE, (uid,))
                db.execute(queries.DELETE_LETTERS_OF, (uid,))
                if request:
                    put_request(db, request)
            self._batch.forget(uid)
            return position

        return await self._writer.run(work)

    async def set_paused(self, uid: InstanceUid, request: RequestRecord | None, *, paused: bool) -> None:
        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.execute(queries.SET_PAUSED, (paused, uid))
                if request:
                    put_request(db, request)

        await self._writer.run(work)

    async def set_parent(self, uid: InstanceUid, parent: Parent) -> None:
        values = (parent.uid, parent.machine, parent.name, parent.child, uid)
        await self._writer.run(lambda db: db.execute(queries.SET_PARENT, values).rowcount)

    async def query_index(
        self, org: OrgId, machine: MachineName, query: IndexQuery, after: tuple[str, str] | None, limit: int
    ) -> Sequence[Found]:
        place: Sequence[str | bytes] = after or (_AFTER_ALL if query.descending else _BEFORE_ALL)
        if query.comparison is not None:
            place = (query.value, *(place[1:] if query.comparison is Comparison.EQUAL else place))
        statement = queries.query_index(query.comparison, descending=query.descending)
        values = (org, machine, query.index, *place, limit)
        return [Found(row[0], rows.loaded(row[1:])) for row in await self._readers.rows(statement, values)]

    async def due_after(self, after: tuple[int, InstanceUid, str], limit: int) -> Sequence[TimerRow]:
        return [rows.timer(row) for row in await self._readers.rows(queries.DUE_AFTER, (*after, limit))]

    async def timers_of(self, uid: InstanceUid) -> Sequence[TimerRow]:
        return [rows.timer(row) for row in await self._readers.rows(queries.TIMERS_OF, (uid,))]


def _reserve_uids(db: sqlite3.Connection) -> int:
    with transaction(db):
        db.execute(queries.RESERVE_UIDS, (_UID_BLOCK,))
        last: int = db.execute(queries.LAST_UID).fetchone()[0]
    return last
