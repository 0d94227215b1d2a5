"""AccountService: who the caller is, and a person's access tokens."""

from __future__ import annotations

from functools import partial

from stateward.v1 import account_service_pb2 as pb
from stateward.v1 import account_service_pb2_grpc as rpc
from stateward_server.api import convert_access as convert
from stateward_server.api.caller import Context, caller
from stateward_server.api.convert import timestamp
from stateward_server.api.outcomes import Outcomes, nothing
from stateward_server.api.paging import PageTokens
from stateward_server.api.paths import parse_id
from stateward_server.model.names import OrgId
from stateward_server.model.principal import NEVER
from stateward_server.orgs.accounts import Accounts


class AccountServicer(rpc.AccountServiceServicer):
    """Converts, calls one room, converts back."""

    def __init__(self, accounts: Accounts, outcomes: Outcomes, pages: PageTokens) -> None:
        self._accounts = accounts
        self._outcomes = outcomes
        self._pages = pages

    async def WhoAmI(self, _request: pb.WhoAmIRequest, _context: Context) -> pb.WhoAmIResponse:
        who = caller.get()
        return pb.WhoAmIResponse(
            org=f"orgs/{who.org}" if who.org else "",
            subject=f"users/{who.subject}" if who.user else f"keys/{who.subject}",
            display_name=who.user.display_name if who.user else "",
            role=convert.role_word(who.role),
            scopes=sorted(who.scopes),
            auth_context_json=who.auth_json,
            expire_time=None if who.expires_ms == NEVER else timestamp(who.expires_ms),
        )

    async def CreateAccessToken(
        self, request: pb.CreateAccessTokenRequest, _context: Context
    ) -> pb.CreateAccessTokenResponse:
        who = caller.get().person()
        token = await self._outcomes.once(
            OrgId(who.id),
            "CreateAccessToken",
            request.request_id,
            (request.display_name,),
            do=lambda record: self._accounts.create(who, request.display_name, record),
            again=lambda made: self._accounts.get(who, made),
        )
        return pb.CreateAccessTokenResponse(
            access_token=convert.access_token(token, current=False), secret=self._accounts.secret(token.id)
        )

    async def ListAccessTokens(
        self, request: pb.ListAccessTokensRequest, _context: Context
    ) -> pb.ListAccessTokensResponse:
        mine, who = caller.get().rests_on, caller.get().person()
        page, token = await self._pages.page(
            request,
            (who.id, "access-tokens"),
            partial(self._accounts.list, who),
            start="",
            place=lambda each: each.id,
            show=lambda each: convert.access_token(each, current=each.id in mine),
        )
        return pb.ListAccessTokensResponse(access_tokens=page, next_page_token=token)

    async def DeleteAccessToken(
        self, request: pb.DeleteAccessTokenRequest, _context: Context
    ) -> pb.DeleteAccessTokenResponse:
        who = caller.get().person()
        token = parse_id(request.name, "name", "accessTokens")
        await self._outcomes.once(
            OrgId(who.id),
            "DeleteAccessToken",
            request.request_id,
            (token,),
            do=lambda record: self._accounts.delete(who, token, record),
            again=nothing,
        )
        return pb.DeleteAccessTokenResponse()
