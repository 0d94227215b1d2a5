"""MemberService: who belongs to an organisation, and who may yet."""

from __future__ import annotations

from functools import partial

from stateward.v1 import member_service_pb2 as pb
from stateward.v1 import member_service_pb2_grpc as rpc
from stateward_server.api import convert_access as convert
from stateward_server.api.caller import Context, caller
from stateward_server.api.outcomes import Outcomes, nothing
from stateward_server.api.paging import PageTokens
from stateward_server.api.paths import parse_id
from stateward_server.model.names import OrgId
from stateward_server.orgs.members import Members
from stateward_server.orgs.orgs import Orgs


class MemberServicer(rpc.MemberServiceServicer):
    """Converts, calls one room, converts back."""

    def __init__(self, members: Members, orgs: Orgs, outcomes: Outcomes, pages: PageTokens) -> None:
        self._members = members
        self._orgs = orgs
        self._outcomes = outcomes
        self._pages = pages

    async def ListMembers(self, request: pb.ListMembersRequest, _context: Context) -> pb.ListMembersResponse:
        org = caller.get().org
        page, token = await self._pages.page(
            request,
            (org, "members"),
            partial(self._members.list, org),
            start="",
            place=lambda each: each.user.id,
            show=convert.member,
        )
        return pb.ListMembersResponse(members=page, next_page_token=token)

    async def UpdateMember(
        self, request: pb.UpdateMemberRequest, _context: Context
    ) -> pb.UpdateMemberResponse:
        who = caller.get()
        user, role = parse_id(request.name, "name", "members"), convert.role(request.role)
        member = await self._outcomes.once(
            who.org,
            "UpdateMember",
            request.request_id,
            (user, role.value),
            do=lambda record: self._members.set_role(who, user, role, record),
            again=lambda _: self._members.get(who.org, user),
        )
        return pb.UpdateMemberResponse(member=convert.member(member))

    async def DeleteMember(
        self, request: pb.DeleteMemberRequest, _context: Context
    ) -> pb.DeleteMemberResponse:
        who = caller.get()
        user = parse_id(request.name, "name", "members")
        await self._outcomes.once(
            who.org,
            "DeleteMember",
            request.request_id,
            (user,),
            do=lambda record: self._members.remove(who, user, record),
            again=nothing,
        )
        return pb.DeleteMemberResponse()

    async def CreateInvitation(
        self, request: pb.CreateInvitationRequest, _context: Context
    ) -> pb.CreateInvitationResponse:
        who = caller.get()
        role, note, hours = convert.role(request.role), request.note, request.valid_hours
        invitation = await self._outcomes.once(
            who.org,
            "CreateInvitation",
            request.request_id,
            # Its repeat shows the code, to nobody else.
            (who.subject, role.value, note, str(hours)),
            do=lambda record: self._members.invite(who, role, note, hours, record),
            again=lambda made: self._members.invitation(who.org, made),
        )
        return pb.CreateInvitationResponse(
            invitation=convert.invitation(invitation), code=self._members.code(invitation.id)
        )

    async def ListInvitations(
        self, request: pb.ListInvitationsRequest, _context: Context
    ) -> pb.ListInvitationsResponse:
        org = caller.get().org
        page, token = await self._pages.page(
            request,
            (org, "invitations"),
            partial(self._members.invitations, org),
            start="",
            place=lambda each: each.id,
            show=convert.invitation,
        )
        return pb.ListInvitationsResponse(invitations=page, next_page_token=token)

    async def DeleteInvitation(
        self, request: pb.DeleteInvitationRequest, _context: Context
    ) -> pb.DeleteInvitationResponse:
        org = caller.get().org
        invitation = parse_id(request.name, "name", "invitations")
        await self._outcomes.once(
            org,
            "DeleteInvitation",
            request.request_id,
            (invitation,),
            do=lambda record: self._members.withdraw(org, invitation, record),
            again=nothing,
        )
        return pb.DeleteInvitationResponse()

    async def AcceptInvitation(
        self, request: pb.AcceptInvitationRequest, _context: Context
    ) -> pb.AcceptInvitationResponse:
        who = caller.get().user
        invitation = self._members.invited(request.code)
        joined = await self._outcomes.once(
            # Whoever has the code may ask again what it brought, and nobody else.
            OrgId(invitation),
            "AcceptInvitation",
            request.request_id,
            (who.id if who else "", request.display_name),
            do=lambda record: self._members.join(invitation, who, request.display_name, record),
            again=self._members.joined,
        )
        member = joined.member
        org = await self._orgs.get(member.org)
        return pb.AcceptInvitationResponse(
            org=convert.org(org, member.role, anonymous=await self._orgs.is_open(org.id)),
            member=convert.member(member),
            access_token=joined.secret,
        )
