"""Machines, versions, modules and the outcomes of calls about them, in SQLite.

The roles `Catalog` and `Requests` of the store. Every write is one transaction. Contracts are in
`ports/store.py`.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence

import orjson

from stateward_server.model.index import Selectors
from stateward_server.model.machine import Language, Machine, Module, RequestRecord, Version
from stateward_server.model.names import MachineName, OrgId, VersionId
from stateward_server.store.sqlite import queries
from stateward_server.store.sqlite.readers import Readers, Row
from stateward_server.store.sqlite.requests import recorded
from stateward_server.store.sqlite.writer import Work, Writer


class SqliteCatalog:
    """The catalog's half of the store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def create_machine(self, machine: Machine, request: RequestRecord | None) -> bool:
        current = machine.current_version.id if machine.current_version else None
        indexes = orjson.dumps(machine.indexes).decode()
        values = (machine.org, machine.name, current, machine.created_at, indexes)
        return await self._change(
            lambda db: db.execute(queries.CREATE_MACHINE, values).rowcount == 1, request
        )

    async def get_machine(self, org: OrgId, name: MachineName) -> Machine | None:
        row = await self._readers.row(queries.GET_MACHINE, (org, name))
        return _machine(row) if row else None

    async def list_machines(self, org: OrgId, after: str, limit: int) -> Sequence[Machine]:
        return [_machine(row) for row in await self._readers.rows(queries.LIST_MACHINES, (org, after, limit))]

    async def delete_machine(self, org: OrgId, name: MachineName, request: RequestRecord | None) -> bool:
        def change(db: sqlite3.Connection) -> bool:
            if db.execute(queries.HAS_INSTANCES, (org, name)).fetchone():
                return False
            db.execute(queries.DELETE_MACHINE, (org, name))
            db.execute(queries.DELETE_LETTERS_OF_MACHINE, (org, name))
            return True

        return await self._change(change, request)

    async def create_version(
        self, version: Version, module: Module, request: RequestRecord | None, *, make_current: bool
    ) -> bool:
        def change(db: sqlite3.Connection) -> bool:
            if not db.execute(queries.HAS_MACHINE, place).fetchone():
                return False
            db.execute(queries.CREATE_VERSION, values)
            source = zlib.compress(module.source.encode())
            db.execute(queries.CREATE_MODULE, (version.id, module.language.value, source))
            if make_current:
                db.execute(queries.SET_CURRENT, (version.id, *place))
            return True

        place = (version.org, version.machine)
        details = (version.dialect, version.client_info, version.source_bytes, version.created_at)
        values = (version.id, *place, *details, orjson.dumps(version.selectors).decode())
        return await self._change(change, request)

    async def set_current_version(
        self, org: OrgId, machine: MachineName, version: VersionId, request: RequestRecord | None
    ) -> bool:
        values = (version, org, machine)
        return await self._change(lambda db: db.execute(queries.SET_CURRENT, values).rowcount == 1, request)

    async def get_version(self, org: OrgId, machine: MachineName, version: VersionId) -> Version | None:
        row = await self._readers.row(queries.GET_VERSION, (version, org, machine))
        return _version(row) if row else None

    async def list_versions(
        self, org: OrgId, machine: MachineName, after: tuple[int, str], limit: int
    ) -> Sequence[Version]:
        return [
            _version(row)
            for row in await self._readers.rows(queries.LIST_VERSIONS, (org, machine, *after, limit))
        ]

    async def get_module(self, version: VersionId) -> Module | None:
        row = await self._readers.row(queries.GET_MODULE, (version,))
        return Module(row[0], Language(row[1]), _selectors(row[2])) if row else None

    async def get_request(self, org: OrgId, request_id: str) -> RequestRecord | None:
        row = await self._readers.row(queries.GET_REQUEST, (org, request_id))
        return RequestRecord(*row) if row else None

    async def _change(self, change: Work[bool], request: RequestRecord | None) -> bool:
        """Do `change` and, if it says that it changed something, record the request with it."""
        return await recorded(self._writer, change, request, done=True)


def _machine(row: Row) -> Machine:
    org, name, created_at, indexes, *version = row
    current = _version(tuple(version)) if version[0] is not None else None
    return Machine(org, name, current, created_at, tuple(orjson.loads(indexes)))


def _version(row: Row) -> Version:
    id_, org, machine, dialect, client_info, source_bytes, created_at, selectors = row
    return Version(id_, org, machine, dialect, client_info, source_bytes, created_at, _selectors(selectors))


def _selectors(text: str) -> Selectors:
    return tuple((index, selector) for index, selector in orjson.loads(text))
