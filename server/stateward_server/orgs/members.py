"""Who belongs to an organisation: listed, promoted, put out, and invited.

Nobody gives a role that may do what they may not, nor touches a member whose role may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stateward_server.auth.revocations import Revocations, place
from stateward_server.auth.scopes import BY_ROLE
from stateward_server.auth.secrets import Secrets, token_digest
from stateward_server.model.errors import AlreadyExists, InvalidArgument, PermissionDenied
from stateward_server.model.limits import AccessLimits
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import OrgId, mint
from stateward_server.model.org import AccessToken, Invitation, Member, Role, User
from stateward_server.model.principal import Principal
from stateward_server.orgs.refusals import absent, check, check_grant, check_room, checked_text
from stateward_server.ports.access import Access, Change, Newcomer
from stateward_server.ports.clock import Clock, Entropy

_HOUR_MS = 3_600_000
_WEEK_HOURS = 168
_NOTE = 256


@dataclass(frozen=True, slots=True)
class Joined:
    """What taking an invitation up has brought."""

    member: Member
    secret: str
    """The access token of a new person; blank for one who had one."""


class Members:
    """The people of every organisation; each call names its own."""

    def __init__(
        self, store: Access, secrets: Secrets, clock: Clock, entropy: Entropy, revocations: Revocations
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._entropy = entropy
        self._revocations = revocations
        self._limits = AccessLimits()

    async def get(self, org: OrgId, user: str) -> Member:
        """Raises NotFound (MEMBER_NOT_FOUND)."""
        member = await self._store.get_member(org, user)
        if member is None:
            raise absent("MEMBER_NOT_FOUND", user)
        return member

    async def list(self, org: OrgId, after: str, limit: int) -> Sequence[Member]:
        return await self._store.list_members(org, after, limit)

    async def set_role(self, by: Principal, user: str, role: Role, request: RequestRecord | None) -> Member:
        """Raises NotFound, PermissionDenied (SCOPE_MISSING), FailedPrecondition (LAST_OWNER)."""
        member = await self.get(by.org, user)
        check_grant(by, BY_ROLE[role] | BY_ROLE[member.role])
        check(await self._store.set_role(by.org, user, role, request), "MEMBER_NOT_FOUND", user)
        self._revocations.revoke(place(by.org, user))
        return replace(member, role=role)

    async def remove(self, by: Principal, user: str, request: RequestRecord | None) -> None:
        """Put a member out, or let the caller leave.

        Raises NotFound, PermissionDenied (SCOPE_MISSING), FailedPrecondition (LAST_OWNER).
        """
        if user != by.subject:
            by.require("org-members.write")
            check_grant(by, BY_ROLE[(await self.get(by.org, user)).role])
        check(await self._store.delete_member(by.org, user, request), "MEMBER_NOT_FOUND", user)
        self._revocations.revoke(place(by.org, user))
        self._revocations.revoke(user)

    async def invite(
        self, by: Principal, role: Role, note: str, hours: int, request: RequestRecord | None
    ) -> Invitation:
        """Raises InvalidArgument (INVALID_FIELD), PermissionDenied (SCOPE_MISSING), ResourceExhausted."""
        check_grant(by, BY_ROLE[role])
        if not 0 <= hours <= self._limits.invitation_hours:
            raise InvalidArgument(
                "INVALID_FIELD",
                f"an invitation can be taken up for at most {self._limits.invitation_hours} hours",
                field="valid_hours",
            )
        now = self._clock.now_ms()
        invitation = Invitation(
            mint("inv", self._entropy.token_bytes(16)),
            by.org,
            role,
            checked_text(note, "note", _NOTE),
            now,
            now + (hours or _WEEK_HOURS) * _HOUR_MS,
        )
        request = request and replace(request, outcome=invitation.id)
        most = self._limits.invitations
        check_room(await self._store.create_invitation(invitation, most, request), most)
        return invitation

    def code(self, invitation: str) -> str:
        """Return what takes an invitation up."""
        return self._secrets.invitation_code(invitation)

    async def invitation(self, org: OrgId, invitation: str) -> Invitation:
        """Raises NotFound (INVITATION_NOT_FOUND)."""
        found = await self._store.get_invitation(invitation)
        if found is None or found.org != org:
            raise absent("INVITATION_NOT_FOUND", invitation)
        return found

    async def invitations(self, org: OrgId, after: str, limit: int) -> Sequence[Invitation]:
        return await self._store.list_invitations(org, after, limit)

    async def withdraw(self, org: OrgId, invitation: str, request: RequestRecord | None) -> None:
        """Raises NotFound (INVITATION_NOT_FOUND)."""
        check(
            await self._store.delete_invitation(org, invitation, request), "INVITATION_NOT_FOUND", invitation
        )

    async def inviting(self, code: str) -> Invitation | None:
        """Return the invitation that a code takes up, if it can still be taken up by somebody."""
        invitation = self._secrets.invitation_of(code)
        return await self._store.get_invitation(invitation) if invitation else None

    def invited(self, code: str) -> str:
        """Return the id of the invitation a code was made for, whatever has become of it.

        Raises PermissionDenied (INVITATION_INVALID).
        """
        invitation = self._secrets.invitation_of(code)
        if invitation is None:
            raise _invalid()
        return invitation

    async def join(
        self, invitation_id: str, user: User | None, display_name: str, request: RequestRecord | None
    ) -> Joined:
        """Make the person a member, a new one if it is None.

        Raises PermissionDenied (INVITATION_INVALID), AlreadyExists (MEMBER_EXISTS), InvalidArgument.
        """
        invitation = await self._store.get_invitation(invitation_id)
        now = self._clock.now_ms()
        if invitation is None or invitation.expires_ms <= now:
            raise _invalid()
        who: User | Newcomer
        if user is None:
            who = self._newcomer(display_name, now)
            user, outcome, secret = who.user, who.token.id, self._secrets.access_token(who.token.id)
        else:
            who, outcome, secret = user, "", ""
        request = request and replace(request, outcome=f"{invitation.org} {user.id} {outcome}")
        match await self._store.accept_invitation(invitation, who, now, request):
            case Change.TAKEN:
                raise AlreadyExists("MEMBER_EXISTS", "you are a member already", member=user.id)
            case Change.ABSENT:
                raise _invalid()
        self._revocations.revoke(user.id)
        return Joined(Member(invitation.org, user, invitation.role, now), secret)

    async def joined(self, outcome: str) -> Joined:
        """Return what an earlier call of `join` has brought, by the outcome on record."""
        org, user, token = outcome.split(" ")
        member = await self.get(OrgId(org), user)
        return Joined(member, self._secrets.access_token(token) if token else "")

    def _newcomer(self, display_name: str, now: int) -> Newcomer:
        name = checked_text(display_name, "display_name", self._limits.display_characters)
        user = User(mint("usr", self._entropy.token_bytes(16)), name, now)
        token = AccessToken(mint("sat", self._entropy.token_bytes(16)), user.id, "invitation", now)
        return Newcomer(user, token, token_digest(self._secrets.access_token(token.id)))


def _invalid() -> PermissionDenied:
    return PermissionDenied(
        "INVITATION_INVALID", "this code takes up no invitation: ask for a new one", field="code"
    )
