"""What is owed and what could not be delivered, in SQLite: the roles `Outbox` and `DeadLetters` of the store.

Parcels come in with the commits that made them, see `batch.py`; here they go out. Contracts are in
`ports/store.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from stateward_server.model.ledger import DeadLetter, InstanceKey, Owed
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import InstanceName, MachineName, OrgId
from stateward_server.model.outbox import Parcel
from stateward_server.store.sqlite import mail_rows, queries
from stateward_server.store.sqlite.readers import Readers
from stateward_server.store.sqlite.requests import put_request
from stateward_server.store.sqlite.writer import Writer, transaction


class SqliteMail:
    """The store's outbox, and the letters that came back."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._mail_writer = writer
        self._mail_readers = readers

    async def owed_after(self, position: int, limit: int) -> Sequence[Owed]:
        found = await self._mail_readers.rows(queries.OWED_AFTER, (position, limit))
        return [mail_rows.owed(row) for row in found]

    async def acknowledge(self, positions: Sequence[int]) -> None:
        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.executemany(queries.ACKNOWLEDGE, [(position,) for position in positions])

        await self._mail_writer.run(work)

    async def postpone(self, position: int, attempt: int, not_before_ms: int) -> None:
        await self._mail_writer.run(
            lambda db: db.execute(queries.POSTPONE, (attempt, not_before_ms, position)).rowcount
        )

    async def bury(self, letter: DeadLetter, word: Parcel | None = None) -> None:
        def work(db: sqlite3.Connection) -> None:
            with transaction(db):
                if db.execute(queries.ACKNOWLEDGE, (letter.position,)).rowcount:
                    db.execute(f"{queries.INSERT_LETTERS} {queries.LETTER}", mail_rows.letter_row(letter))
                    if word is not None:
                        row = mail_rows.word_row(letter, word)
                        db.execute(f"{queries.INSERT_PARCELS} {queries.PARCEL}", row)

        await self._mail_writer.run(work)

    async def list_letters(
        self, org: OrgId, machine: MachineName, name: InstanceName | None, after: int, limit: int
    ) -> Sequence[DeadLetter]:
        if name is None:
            found = await self._mail_readers.rows(queries.LIST_LETTERS, (org, machine, after, limit))
        else:
            found = await self._mail_readers.rows(queries.LIST_LETTERS_OF, (org, machine, name, after, limit))
        return [mail_rows.letter(row) for row in found]

    async def get_letter(self, owner: InstanceKey, letter: int) -> DeadLetter | None:
        where = (letter, owner.org, owner.machine, owner.name)
        row = await self._mail_readers.row(queries.GET_LETTER, where)
        return mail_rows.letter(row) if row else None

    async def put_back(self, letter: DeadLetter, request: RequestRecord | None) -> bool:
        if not isinstance(letter.what, Parcel):
            raise TypeError("timers are put back by a commit of their instance")
        parcel = replace(letter.what, attempt=0, not_before_ms=0)
        row = mail_rows.returned_row(letter, parcel)

        def work(db: sqlite3.Connection) -> bool:
            with transaction(db):
                if not db.execute(queries.DELETE_LETTER, (letter.id,)).rowcount:
                    return False
                db.execute(queries.RETURN_PARCEL, row)
                if request:
                    put_request(db, request)
            return True

        return await self._mail_writer.run(work)

    async def discard_letter(self, letter: int, request: RequestRecord | None) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            with transaction(db):
                gone = db.execute(queries.DELETE_LETTER, (letter,)).rowcount > 0
                if gone and request:
                    put_request(db, request)
            return gone

        return await self._mail_writer.run(work)
