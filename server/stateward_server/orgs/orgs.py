"""Organisations: made by people, renamed, opened and closed to anonymous sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stateward_server.auth.anonymous import SERVICE, Anonymous
from stateward_server.auth.revocations import Revocations
from stateward_server.auth.scopes import PRODUCTION
from stateward_server.model.errors import PermissionDenied
from stateward_server.model.limits import AccessLimits
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import OrgId, mint
from stateward_server.model.org import AnonymousAccess, Org, Role, User
from stateward_server.model.principal import Principal
from stateward_server.orgs.refusals import check_grant, checked_text
from stateward_server.ports.access import Access
from stateward_server.ports.clock import Clock, Entropy


class Orgs:
    """All organisations; each call names its own."""

    def __init__(
        self, store: Access, clock: Clock, entropy: Entropy, revocations: Revocations, anonymous: Anonymous
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._revocations = revocations
        self._anonymous = anonymous
        self._most = AccessLimits().display_characters

    async def create(
        self, owner: User, display_name: str, request: RequestRecord | None, *, anonymous: bool
    ) -> Org:
        """Raises InvalidArgument (INVALID_FIELD)."""
        name = checked_text(display_name, "display_name", self._most, least=1)
        now = self._clock.now_ms()
        org = Org(OrgId(mint("org", self._entropy.token_bytes(16))), name, now)
        access = self._anonymous.access(org.id, now) if anonymous else None
        await self._store.create_org(org, owner, access, request and replace(request, outcome=org.id))
        self._revocations.revoke(owner.id)
        return org

    async def get(self, org: OrgId) -> Org:
        """Raises PermissionDenied (ORG_NOT_FOUND)."""
        found = await self._store.get_org(org)
        if found is None:
            raise PermissionDenied("ORG_NOT_FOUND", f"there is no organisation {org!r}", org=org)
        return found

    async def of(self, user: User, after: str, limit: int) -> Sequence[tuple[Org, Role]]:
        """Return the organisations of a person, by id."""
        return await self._store.orgs_of(user.id, after, limit)

    async def is_open(self, org: OrgId) -> bool:
        """Say whether people without an account are let in."""
        return await self._opened(org) is not None

    async def rename(self, org: OrgId, display_name: str, request: RequestRecord | None) -> None:
        """Raises InvalidArgument (INVALID_FIELD)."""
        name = checked_text(display_name, "display_name", self._most, least=1)
        await self._store.rename_org(org, name, request)

    async def set_open(self, by: Principal, request: RequestRecord | None, *, anonymous: bool) -> None:
        """Let people in without an account, or no longer; those who are in are put out at once.

        Raises PermissionDenied (SCOPE_MISSING) for who does not hold what these people get.
        """
        org = by.org
        opened = await self._opened(org)
        if anonymous and opened is None:
            check_grant(by, PRODUCTION)
            await self._store.open_to_anonymous(self._anonymous.access(org, self._clock.now_ms()), request)
        elif not anonymous and opened is not None:
            await self._store.close_to_anonymous(opened, request)
            self._revocations.revoke(opened.key.id)

    async def _opened(self, org: OrgId) -> AnonymousAccess | None:
        """Return the records that let people in, with the key they have now."""
        token = await self._store.get_token_provider(org, SERVICE)
        if token is None:
            return None
        made = self._anonymous.access(org, token.created_ms)
        return AnonymousAccess(replace(made.key, id=token.key_id), made.identity, token)
