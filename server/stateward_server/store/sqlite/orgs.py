"""Organisations, members, invitations and access tokens, in SQLite.

The roles `Orgs`, `Members` and `AccessTokens`. Holds digests and public facts only, never a secret. Contracts
are in `ports/access.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import OrgId
from stateward_server.model.org import AccessToken, AnonymousAccess, Invitation, Member, Org, Role, User
from stateward_server.ports.access import Change, Newcomer
from stateward_server.store.sqlite import access_queries as queries
from stateward_server.store.sqlite.keys import delete_anonymous, put_anonymous
from stateward_server.store.sqlite.readers import Readers, Row
from stateward_server.store.sqlite.requests import changed, deleted
from stateward_server.store.sqlite.writer import Writer


class SqliteOrgs:
    """The part of the store that says who belongs where."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def create_org(
        self, org: Org, owner: User, anonymous: AnonymousAccess | None, request: RequestRecord | None
    ) -> None:
        def change(db: sqlite3.Connection) -> Change:
            db.execute(queries.CREATE_ORG, (org.id, org.display_name, org.created_ms))
            _put_member(db, Member(org.id, owner, Role.OWNER, org.created_ms))
            if anonymous:
                put_anonymous(db, anonymous)
            return Change.DONE

        await changed(self._writer, change, request)

    async def get_org(self, org: OrgId) -> Org | None:
        row = await self._readers.row(queries.GET_ORG, (org,))
        return Org(*row) if row else None

    async def list_orgs(self, after: str, limit: int) -> Sequence[Org]:
        return [Org(*row) for row in await self._readers.rows(queries.LIST_ORGS, (after, limit))]

    async def orgs_of(self, user: str, after: str, limit: int) -> Sequence[tuple[Org, Role]]:
        rows = await self._readers.rows(queries.ORGS_OF, (user, after, limit))
        return [(Org(*org), Role(role)) for *org, role in rows]

    async def rename_org(self, org: OrgId, display_name: str, request: RequestRecord | None) -> None:
        def change(db: sqlite3.Connection) -> Change:
            db.execute(queries.RENAME_ORG, (display_name, org))
            return Change.DONE

        await changed(self._writer, change, request)

    async def open_to_anonymous(self, access: AnonymousAccess, request: RequestRecord | None) -> None:
        def change(db: sqlite3.Connection) -> Change:
            put_anonymous(db, access)
            return Change.DONE

        await changed(self._writer, change, request)

    async def close_to_anonymous(self, access: AnonymousAccess, request: RequestRecord | None) -> None:
        def change(db: sqlite3.Connection) -> Change:
            delete_anonymous(db, access)
            return Change.DONE

        await changed(self._writer, change, request)

    async def get_member(self, org: OrgId, user: str) -> Member | None:
        row = await self._readers.row(queries.GET_MEMBER, (org, user))
        return _member(row) if row else None

    async def list_members(self, org: OrgId, after: str, limit: int) -> Sequence[Member]:
        return [_member(row) for row in await self._readers.rows(queries.LIST_MEMBERS, (org, after, limit))]

    async def set_role(self, org: OrgId, user: str, role: Role, request: RequestRecord | None) -> Change:
        def change(db: sqlite3.Connection) -> Change:
            if role is not Role.OWNER and _is_last_owner(db, org, user):
                return Change.LAST_OWNER
            return _done(db.execute(queries.SET_ROLE, (role.value, org, user)))

        return await changed(self._writer, change, request)

    async def delete_member(self, org: OrgId, user: str, request: RequestRecord | None) -> Change:
        def change(db: sqlite3.Connection) -> Change:
            if _is_last_owner(db, org, user):
                return Change.LAST_OWNER
            return _done(db.execute(queries.DELETE_MEMBER, (org, user)))

        return await changed(self._writer, change, request)

    async def create_invitation(
        self, invitation: Invitation, most: int, request: RequestRecord | None
    ) -> Change:
        def change(db: sqlite3.Connection) -> Change:
            if db.execute(queries.COUNT_INVITATIONS, (invitation.org,)).fetchone()[0] >= most:
                return Change.FULL
            head = (invitation.id, invitation.org, invitation.role.value, invitation.note)
            db.execute(queries.CREATE_INVITATION, (*head, invitation.created_ms, invitation.expires_ms))
            return Change.DONE

        return await changed(self._writer, change, request)

    async def list_invitations(self, org: OrgId, after: str, limit: int) -> Sequence[Invitation]:
        rows = await self._readers.rows(queries.LIST_INVITATIONS, (org, after, limit))
        return [_invitation(row) for row in rows]

    async def get_invitation(self, invitation: str) -> Invitation | None:
        row = await self._readers.row(queries.GET_INVITATION, (invitation,))
        return _invitation(row) if row else None

    async def delete_invitation(self, org: OrgId, invitation: str, request: RequestRecord | None) -> Change:
        return await deleted(self._writer, queries.DELETE_INVITATION, (org, invitation), request)

    async def accept_invitation(
        self, invitation: Invitation, who: User | Newcomer, now_ms: int, request: RequestRecord | None
    ) -> Change:
        def change(db: sqlite3.Connection) -> Change:
            user = who.user if isinstance(who, Newcomer) else who
            if db.execute(queries.GET_MEMBER, (invitation.org, user.id)).fetchone():
                return Change.TAKEN
            if not db.execute(queries.DELETE_INVITATION, (invitation.org, invitation.id)).rowcount:
                return Change.ABSENT
            _put_member(db, Member(invitation.org, user, invitation.role, now_ms))
            if isinstance(who, Newcomer):
                _put_token(db, who.token, who.digest)
            return Change.DONE

        return await changed(self._writer, change, request)

    async def put_newcomer(self, newcomer: Newcomer, member: Member) -> None:
        def change(db: sqlite3.Connection) -> Change:
            _put_member(db, member)
            _put_token(db, newcomer.token, newcomer.digest)
            return Change.DONE

        await changed(self._writer, change, None)

    async def create_token(
        self, token: AccessToken, digest: bytes, most: int, request: RequestRecord | None
    ) -> Change:
        def change(db: sqlite3.Connection) -> Change:
            if db.execute(queries.COUNT_TOKENS, (token.user,)).fetchone()[0] >= most:
                return Change.FULL
            _put_token(db, token, digest)
            return Change.DONE

        return await changed(self._writer, change, request)

    async def find_token(self, digest: bytes) -> tuple[AccessToken, User] | None:
        row = await self._readers.row(queries.FIND_TOKEN, (digest,))
        return (AccessToken(*row[:4]), User(*row[4:])) if row else None

    async def list_tokens(self, user: str, after: str, limit: int) -> Sequence[AccessToken]:
        rows = await self._readers.rows(queries.LIST_TOKENS, (user, after, limit))
        return [AccessToken(*row) for row in rows]

    async def delete_token(self, user: str, token: str, request: RequestRecord | None) -> Change:
        return await deleted(self._writer, queries.DELETE_TOKEN, (user, token), request)


def _done(cursor: sqlite3.Cursor) -> Change:
    return Change.DONE if cursor.rowcount else Change.ABSENT


def _put_member(db: sqlite3.Connection, member: Member) -> None:
    user = member.user
    db.execute(queries.PUT_USER, (user.id, user.display_name, user.created_ms))
    db.execute(queries.PUT_MEMBER, (member.org, user.id, member.role.value, member.since_ms))


def _put_token(db: sqlite3.Connection, token: AccessToken, digest: bytes) -> None:
    db.execute(queries.CREATE_TOKEN, (token.id, token.user, token.display_name, token.created_ms, digest))


def _is_last_owner(db: sqlite3.Connection, org: OrgId, user: str) -> bool:
    row = db.execute(queries.GET_MEMBER, (org, user)).fetchone()
    if row is None or _member(row).role is not Role.OWNER:
        return False
    return db.execute(queries.OTHER_OWNERS, (org, user, Role.OWNER.value)).fetchone() is None


def _member(row: Row) -> Member:
    org, *user, role, since_ms = row
    return Member(org, User(*user), Role(role), since_ms)


def _invitation(row: Row) -> Invitation:
    id_, org, role, *rest = row
    return Invitation(id_, org, Role(role), *rest)
