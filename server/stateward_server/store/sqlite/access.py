"""Organisations, administrators' credentials and signing keys, in SQLite: the role `Access`.

Holds digests and public facts only, never a secret. Contracts are in `ports/store.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from stateward_server.model.names import OrgId
from stateward_server.store.sqlite import queries
from stateward_server.store.sqlite.readers import Readers
from stateward_server.store.sqlite.writer import Writer


class SqliteAccess:
    """The part of the store that says who may come in."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def create_org(self, org: OrgId, created_at: int) -> None:
        await self._put(queries.CREATE_ORG, org, created_at)

    async def list_orgs(self) -> Sequence[OrgId]:
        return [row[0] for row in await self._readers.rows(queries.LIST_ORGS)]

    async def put_credential(self, digest: bytes, org: OrgId, created_at: int) -> None:
        await self._put(queries.PUT_CREDENTIAL, digest, org, created_at)

    async def find_credential(self, digest: bytes) -> OrgId | None:
        row = await self._readers.row(queries.FIND_CREDENTIAL, (digest,))
        return row[0] if row else None

    async def put_key(self, key_id: str, org: OrgId, scopes: Sequence[str], created_at: int) -> None:
        await self._put(queries.PUT_KEY, key_id, org, orjson.dumps(list(scopes)).decode(), created_at)

    async def find_key(self, key_id: str) -> tuple[OrgId, tuple[str, ...]] | None:
        row = await self._readers.row(queries.FIND_KEY, (key_id,))
        return (row[0], tuple(orjson.loads(row[1]))) if row else None

    async def _put(self, sql: str, *values: object) -> None:
        await self._writer.run(lambda db: db.execute(sql, values).rowcount)
