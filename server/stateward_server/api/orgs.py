"""OrgService: organisations."""

from __future__ import annotations

from stateward.v1 import org_pb2
from stateward.v1 import org_service_pb2 as pb
from stateward.v1 import org_service_pb2_grpc as rpc
from stateward_server.api import convert_access as convert
from stateward_server.api.caller import Context, caller
from stateward_server.api.outcomes import Outcomes, nothing
from stateward_server.api.paging import PageTokens
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import OrgId
from stateward_server.model.org import Org, Role
from stateward_server.orgs.orgs import Orgs


class OrgServicer(rpc.OrgServiceServicer):
    """Converts, calls one room, converts back."""

    def __init__(self, orgs: Orgs, outcomes: Outcomes, pages: PageTokens) -> None:
        self._orgs = orgs
        self._outcomes = outcomes
        self._pages = pages

    async def CreateOrg(self, request: pb.CreateOrgRequest, _context: Context) -> pb.CreateOrgResponse:
        owner = caller.get().person()
        org = await self._outcomes.once(
            # The request of a person, who may belong to no organisation yet.
            OrgId(owner.id),
            "CreateOrg",
            request.request_id,
            (request.display_name, str(request.deny_anonymous)),
            do=lambda record: self._orgs.create(
                owner, request.display_name, record, anonymous=not request.deny_anonymous
            ),
            again=lambda made: self._orgs.get(OrgId(made)),
        )
        return pb.CreateOrgResponse(org=await self._shown(org, Role.OWNER))

    async def GetOrg(self, _request: pb.GetOrgRequest, _context: Context) -> pb.GetOrgResponse:
        who = caller.get()
        return pb.GetOrgResponse(org=await self._shown(await self._orgs.get(who.org), who.role))

    async def ListOrgs(self, request: pb.ListOrgsRequest, _context: Context) -> pb.ListOrgsResponse:
        who = caller.get().person()

        async def fetch(after: str, limit: int) -> list[tuple[str, org_pb2.Org]]:
            found = await self._orgs.of(who, after, limit)
            return [(org.id, await self._shown(org, role)) for org, role in found]

        page, token = await self._pages.page(
            request,
            (who.id, "orgs"),
            fetch,
            start="",
            place=lambda each: each[0],
            show=lambda each: each[1],
        )
        return pb.ListOrgsResponse(orgs=page, next_page_token=token)

    async def UpdateOrg(self, request: pb.UpdateOrgRequest, _context: Context) -> pb.UpdateOrgResponse:
        who = caller.get()
        name = request.display_name if request.HasField("display_name") else None
        anonymous = request.anonymous_access if request.HasField("anonymous_access") else None

        async def update(record: RequestRecord | None) -> None:
            if name is not None:
                await self._orgs.rename(who.org, name, record if anonymous is None else None)
            if anonymous is not None:
                await self._orgs.set_open(who, record, anonymous=anonymous)

        body = (repr(name), repr(anonymous))
        await self._outcomes.once(who.org, "UpdateOrg", request.request_id, body, do=update, again=nothing)
        return pb.UpdateOrgResponse(org=await self._shown(await self._orgs.get(who.org), who.role))

    async def _shown(self, org: Org, role: Role | None) -> org_pb2.Org:
        return convert.org(org, role, anonymous=await self._orgs.is_open(org.id))
