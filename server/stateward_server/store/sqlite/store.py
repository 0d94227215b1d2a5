"""The SQLite store, put together: takes the data directory, opens the database, plays all roles of `Store`.

Called by `app.py` and by tests. Promises that one process at a time owns the directory, that the schema is
the one this code knows, and that every opening gets an epoch above all earlier ones. Holds no query of its
own but that.
"""

from __future__ import annotations

import sqlite3
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from stateward_server.ports.clock import Clock, Entropy
from stateward_server.ports.store import StoreIdentity
from stateward_server.store.sqlite import queries
from stateward_server.store.sqlite.audit import SqliteAudit
from stateward_server.store.sqlite.catalog import SqliteCatalog
from stateward_server.store.sqlite.changes import SqliteChanges
from stateward_server.store.sqlite.keys import SqliteKeys
from stateward_server.store.sqlite.ledger import SqliteLedger
from stateward_server.store.sqlite.lock import DirectoryLock
from stateward_server.store.sqlite.mail import SqliteMail
from stateward_server.store.sqlite.orgs import SqliteOrgs
from stateward_server.store.sqlite.readers import Readers
from stateward_server.store.sqlite.schema import migrate, scripts
from stateward_server.store.sqlite.writer import Writer, transaction

DATABASE = "stateward.db"


class SqliteStore(
    SqliteLedger, SqliteChanges, SqliteMail, SqliteCatalog, SqliteOrgs, SqliteKeys, SqliteAudit
):
    """One data directory, open. Make it with `SqliteStore.open`."""

    def __init__(
        self, writer: Writer, readers: Readers, identity: StoreIdentity, closing: AsyncExitStack
    ) -> None:
        SqliteLedger.__init__(self, writer, readers)
        SqliteChanges.__init__(self, writer, readers)
        SqliteMail.__init__(self, writer, readers)
        SqliteAudit.__init__(self, writer, readers)
        self._identity = identity
        self._closing = closing

    @classmethod
    async def open(cls, directory: Path, *, clock: Clock, entropy: Entropy) -> SqliteStore:
        """Take `directory`, made if it does not exist, and open the database in it.

        Raises StoreFault if another server has it, or if the database is newer than this code, or broken.
        """
        async with AsyncExitStack() as stack:
            stack.callback(DirectoryLock(directory).release)
            writer = await Writer.open(directory / DATABASE)
            stack.push_async_callback(writer.close)
            await writer.run(partial(migrate, migrations=scripts()))
            identity = await writer.run(
                partial(_begin_epoch, now_ms=clock.now_ms(), new_id=entropy.token_bytes(16).hex())
            )
            readers = await Readers.open(directory / DATABASE)
            stack.push_async_callback(readers.close)
            return cls(writer, readers, identity, stack.pop_all())

    @property
    def identity(self) -> StoreIdentity:
        return self._identity

    async def close(self) -> None:
        """Finish what was asked for and give the directory up. Closing twice does nothing."""
        await self._closing.aclose()


def _begin_epoch(db: sqlite3.Connection, now_ms: int, new_id: str) -> StoreIdentity:
    with transaction(db):
        db.execute(queries.CREATE_META, (new_id,))
        # The clock makes it pass the epochs of runs that a restore has wiped out.
        db.execute(queries.RAISE_EPOCH, (now_ms,))
        store_id, epoch = db.execute(queries.IDENTITY).fetchone()
        db.execute(queries.BEGIN_EPOCH, (epoch,))
    return StoreIdentity(store_id, epoch)
