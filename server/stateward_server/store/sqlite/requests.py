"""Recording a request in the transaction of the change it asked for.

Called by the roles of this package that write under a caller's request id.
"""

from __future__ import annotations

import sqlite3
from typing import TypeVar

from stateward_server.model.machine import RequestRecord
from stateward_server.ports.access import Change
from stateward_server.store.sqlite import queries
from stateward_server.store.sqlite.readers import Row
from stateward_server.store.sqlite.writer import Work, Writer, transaction

T = TypeVar("T")


async def recorded(writer: Writer, change: Work[T], request: RequestRecord | None, *, done: T) -> T:
    """Do `change` in a transaction and, if it returns `done`, record the request with it."""

    def work(db: sqlite3.Connection) -> T:
        with transaction(db):
            outcome = change(db)
            if outcome == done and request:
                put_request(db, request)
        return outcome

    return await writer.run(work)


async def changed(writer: Writer, change: Work[Change], request: RequestRecord | None) -> Change:
    """The same for a change that says what became of it."""
    return await recorded(writer, change, request, done=Change.DONE)


async def deleted(writer: Writer, sql: str, values: tuple[str, str], request: RequestRecord | None) -> Change:
    """Run a statement that deletes one row, if it is there."""

    def change(db: sqlite3.Connection) -> Change:
        return Change.DONE if db.execute(sql, values).rowcount else Change.ABSENT

    return await changed(writer, change, request)


def put_request(db: sqlite3.Connection, record: RequestRecord) -> None:
    """Record a request in the open transaction; of two that ran at once, the first stays on record."""
    db.execute(f"{queries.PUT_REQUESTS} {queries.REQUEST}", request_row(record))


def request_row(record: RequestRecord) -> Row:
    return (record.org, record.id, record.digest, record.outcome, record.time_ms)
