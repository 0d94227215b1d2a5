"""Organisations, and who belongs to them: `Client.orgs`, `Client.members`, `Client.invitations`.

Handles without I/O of their own. Calls about one organisation are about that of the client.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator

from . import _access_calls as calls
from ._pages import walk
from ._transport import Caller
from .access import Invitation, Joined, Member, NewInvitation, Org, Role


class Orgs:
    """The organisations of the caller. Get it from `Client.orgs`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def create(
        self,
        display_name: str,
        *,
        deny_anonymous: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Org:
        """Create an organisation with the caller, a person, as its owner.

        Args:
            display_name: What people call it: 1 to 128 characters.
            deny_anonymous: Let nobody in without an account.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            PersonRequired: The token was signed by a key.
        """
        call = calls.create_org(
            display_name, deny_anonymous=deny_anonymous, request_id=request_id or str(uuid.uuid4())
        )
        return await self._caller.call(call, timeout)

    async def get(self, *, timeout: float | None = None) -> Org:
        """Return the client's organisation.

        Args:
            timeout: Seconds for the call with all its attempts.

        Raises:
            OrgNotChosen: The caller belongs to several, or to none: choose one when connecting.
        """
        return await self._caller.call(calls.get_org(), timeout)

    async def list(self, *, page_size: int | None = None) -> AsyncGenerator[Org, None]:
        """List the organisations that the caller, a person, belongs to, by id.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            PersonRequired: The token was signed by a key.
        """
        async for org in walk(self._caller, calls.list_orgs, page_size):
            yield org

    async def update(
        self,
        *,
        display_name: str | None = None,
        anonymous_access: bool | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Org:
        """Rename the client's organisation, or open or close it to anonymous sessions.

        Args:
            display_name: A new name: 1 to 128 characters.
            anonymous_access: Whether anyone may get a token without an account. Closing also ends the streams
                of those who are there.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            ScopeMissing: The caller may not change it.
        """
        call = calls.update_org(
            display_name, anonymous_access=anonymous_access, request_id=request_id or str(uuid.uuid4())
        )
        return await self._caller.call(call, timeout)


class Members:
    """The members of the client's organisation. Get it from `Client.members`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def list(self, *, page_size: int | None = None) -> AsyncGenerator[Member, None]:
        """List the members by their ids.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            ScopeMissing: The token may not read the organisation.
        """
        async for member in walk(self._caller, calls.list_members, page_size):
            yield member

    async def set_role(
        self,
        member: str | Member,
        role: Role,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Member:
        """Give a member another role. It holds at once, on open streams too.

        Args:
            member: The member or its id.
            role: The new role: none that may do what the caller may not.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            MemberNotFound: There is no such member.
            LastOwner: Nobody would be left to own the organisation.
            ScopeMissing: The caller may not give or take this role.
        """
        chosen = member.id if isinstance(member, Member) else member
        call = calls.update_member(chosen, role, request_id=request_id or str(uuid.uuid4()))
        return await self._caller.call(call, timeout)

    async def remove(
        self, member: str | Member, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Take a member out of the organisation, or leave it. Their streams end at once.

        Args:
            member: The member or its id.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            MemberNotFound: There is no such member.
            LastOwner: Nobody would be left to own the organisation.
            ScopeMissing: The caller may not remove this member.
        """
        chosen = member.id if isinstance(member, Member) else member
        await self._caller.call(
            calls.delete_member(chosen, request_id=request_id or str(uuid.uuid4())), timeout
        )


class Invitations:
    """Invitations to the client's organisation. Get it from `Client.invitations`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def create(
        self,
        role: Role,
        *,
        note: str = "",
        valid_hours: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> NewInvitation:
        """Make an invitation. Give its code to whom it is for, and to nobody else.

        Args:
            role: The role of whoever takes it up: none that may do what the caller may not.
            note: Whom it is meant for: at most 256 characters.
            valid_hours: How long it can be taken up: at most 720 hours, 168 by default.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            AccessFull: There are too many invitations.
            ScopeMissing: The caller may not invite, or not for this role.
        """
        call = calls.create_invitation(
            role, note=note, valid_hours=valid_hours or 0, request_id=request_id or str(uuid.uuid4())
        )
        return await self._caller.call(call, timeout)

    async def list(self, *, page_size: int | None = None) -> AsyncGenerator[Invitation, None]:
        """List the invitations that nobody has taken up, by id, also those that have lapsed.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            ScopeMissing: The caller may not invite.
        """
        async for invitation in walk(self._caller, calls.list_invitations, page_size):
            yield invitation

    async def delete(
        self, invitation: str | Invitation, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Withdraw an invitation.

        Args:
            invitation: The invitation or its id.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            InvitationNotFound: There is no such invitation: it was taken up or withdrawn.
            ScopeMissing: The caller may not invite.
        """
        chosen = invitation.id if isinstance(invitation, Invitation) else invitation
        await self._caller.call(
            calls.delete_invitation(chosen, request_id=request_id or str(uuid.uuid4())), timeout
        )

    async def accept(
        self,
        code: str,
        *,
        display_name: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Joined:
        """Take up an invitation.

        With a person's token that person joins. A client without a token makes a new person, and
        `access_token` of the result is what that person comes in with.

        Args:
            code: The invitation's code.
            display_name: What a new person is called: at most 128 characters.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            InvitationInvalid: The code is wrong, used or withdrawn, or its time is over.
            MemberExists: The person is a member already.
            ValueError: The code would leave this machine unencrypted.
        """
        self._caller.transport.refuse_plaintext("the invitation's code")
        call = calls.accept_invitation(
            code, display_name=display_name, request_id=request_id or str(uuid.uuid4())
        )
        return await self._caller.call(call, timeout)
