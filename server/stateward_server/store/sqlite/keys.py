"""Signing keys, identity providers and token providers, in SQLite: the roles `Keys` and `Providers`.

Contracts are in `ports/access.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import orjson

from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import OrgId
from stateward_server.model.org import AnonymousAccess, IdentityProvider, Key, TokenProvider
from stateward_server.ports.access import Change
from stateward_server.store.sqlite import access_queries as queries
from stateward_server.store.sqlite.readers import Readers, Row
from stateward_server.store.sqlite.requests import changed, deleted
from stateward_server.store.sqlite.writer import Writer


class SqliteKeys:
    """The part of the store that says by what people come in."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def create_key(self, key: Key, most: int, request: RequestRecord | None) -> Change:
        def change(db: sqlite3.Connection) -> Change:
            if db.execute(queries.COUNT_KEYS, (key.org,)).fetchone()[0] >= most:
                return Change.FULL
            _put_key(db, key)
            return Change.DONE

        return await changed(self._writer, change, request)

    async def get_key(self, key: str) -> Key | None:
        row = await self._readers.row(queries.GET_KEY, (key,))
        return _key(row) if row else None

    async def list_keys(self, org: OrgId, after: str, limit: int) -> Sequence[Key]:
        return [_key(row) for row in await self._readers.rows(queries.LIST_KEYS, (org, after, limit))]

    async def delete_key(self, org: OrgId, key: str, request: RequestRecord | None) -> Change:
        return await deleted(self._writer, queries.DELETE_KEY, (org, key), request)

    async def put_identity_provider(
        self, provider: IdentityProvider, most: int, request: RequestRecord | None
    ) -> Change:
        def change(db: sqlite3.Connection) -> Change:
            others = (provider.org, provider.id)
            if db.execute(queries.COUNT_IDENTITY_PROVIDERS, others).fetchone()[0] >= most:
                return Change.FULL
            _put_identity_provider(db, provider)
            return Change.DONE

        return await changed(self._writer, change, request)

    async def get_identity_provider(self, org: OrgId, provider: str) -> IdentityProvider | None:
        row = await self._readers.row(queries.GET_IDENTITY_PROVIDER, (org, provider))
        return _identity_provider(row) if row else None

    async def find_identity_providers(self, org: OrgId, ids: Sequence[str]) -> Sequence[IdentityProvider]:
        rows = await self._readers.rows(queries.FIND_IDENTITY_PROVIDERS, (org, orjson.dumps(ids).decode()))
        return [_identity_provider(row) for row in rows]

    async def list_identity_providers(self, org: OrgId, after: str, limit: int) -> Sequence[IdentityProvider]:
        rows = await self._readers.rows(queries.LIST_IDENTITY_PROVIDERS, (org, after, limit))
        return [_identity_provider(row) for row in rows]

    async def delete_identity_provider(
        self, org: OrgId, provider: str, request: RequestRecord | None
    ) -> Change:
        return await deleted(self._writer, queries.DELETE_IDENTITY_PROVIDER, (org, provider), request)

    async def put_token_provider(
        self, provider: TokenProvider, most: int, request: RequestRecord | None
    ) -> Change:
        def change(db: sqlite3.Connection) -> Change:
            if not db.execute(queries.HAS_KEY, (provider.org, provider.key_id)).fetchone():
                return Change.ABSENT
            others = (provider.org, provider.service)
            if db.execute(queries.COUNT_TOKEN_PROVIDERS, others).fetchone()[0] >= most:
                return Change.FULL
            _put_token_provider(db, provider)
            return Change.DONE

        return await changed(self._writer, change, request)

    async def get_token_provider(self, org: OrgId, service: str) -> TokenProvider | None:
        row = await self._readers.row(queries.GET_TOKEN_PROVIDER, (org, service))
        return TokenProvider(*row) if row else None

    async def list_token_providers(self, org: OrgId, after: str, limit: int) -> Sequence[TokenProvider]:
        rows = await self._readers.rows(queries.LIST_TOKEN_PROVIDERS, (org, after, limit))
        return [TokenProvider(*row) for row in rows]

    async def delete_token_provider(self, org: OrgId, service: str, request: RequestRecord | None) -> Change:
        return await deleted(self._writer, queries.DELETE_TOKEN_PROVIDER, (org, service), request)


def put_anonymous(db: sqlite3.Connection, access: AnonymousAccess) -> None:
    """Let anonymous people in, in the open transaction."""
    _put_key(db, access.key)
    _put_identity_provider(db, access.identity)
    _put_token_provider(db, access.token)


def delete_anonymous(db: sqlite3.Connection, access: AnonymousAccess) -> None:
    """Let no anonymous people in, in the open transaction."""
    org = access.key.org
    db.execute(queries.DELETE_TOKEN_PROVIDER, (org, access.token.service))
    db.execute(queries.DELETE_IDENTITY_PROVIDER, (org, access.identity.id))
    db.execute(queries.DELETE_KEY, (org, access.key.id))


def _put_key(db: sqlite3.Connection, key: Key) -> None:
    scopes = orjson.dumps(list(key.scopes)).decode()
    db.execute(queries.PUT_KEY, (key.id, key.org, key.display_name, scopes, key.created_ms))


def _put_identity_provider(db: sqlite3.Connection, provider: IdentityProvider) -> None:
    head = (provider.id, provider.org, provider.issuer, provider.audience)
    algorithms = orjson.dumps(list(provider.algorithms)).decode()
    rest = (provider.jwks_url, provider.sealed_key, provider.mapping_json, provider.created_ms)
    db.execute(queries.PUT_IDENTITY_PROVIDER, (*head, algorithms, *rest))


def _put_token_provider(db: sqlite3.Connection, provider: TokenProvider) -> None:
    head = (provider.org, provider.service, provider.key_id)
    db.execute(queries.PUT_TOKEN_PROVIDER, (*head, provider.mapping_json, provider.created_ms))


def _key(row: Row) -> Key:
    id_, org, display_name, scopes, created_ms = row
    return Key(id_, org, display_name, tuple(orjson.loads(scopes)), created_ms)


def _identity_provider(row: Row) -> IdentityProvider:
    id_, org, issuer, audience, algorithms, *rest = row
    return IdentityProvider(id_, org, issuer, audience, tuple(orjson.loads(algorithms)), *rest)
