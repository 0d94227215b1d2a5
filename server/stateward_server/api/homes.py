"""In whose audit log those calls are whose caller does not come with the organisation."""

from __future__ import annotations

from stateward.v1.member_service_pb2 import AcceptInvitationRequest
from stateward.v1.org_service_pb2 import CreateOrgRequest
from stateward_server.api.records import Home
from stateward_server.model.names import OrgId
from stateward_server.model.principal import NO_ORG
from stateward_server.orgs.members import Members


def homes(members: Members) -> dict[str, Home]:
    """Return how to find out, by method."""

    async def founding(_request: CreateOrgRequest) -> tuple[OrgId, str] | None:
        # The response will tell.
        return NO_ORG, ""

    async def joining(request: AcceptInvitationRequest) -> tuple[OrgId, str] | None:
        # Whoever has no valid code changes nothing, and must not fill anybody's log.
        invitation = await members.inviting(request.code)
        return (invitation.org, f"invitations/{invitation.id}") if invitation else None

    return {
        "/stateward.v1.OrgService/CreateOrg": founding,
        "/stateward.v1.MemberService/AcceptInvitation": joining,
    }
