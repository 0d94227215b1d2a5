"""KeyService: signing keys."""

from __future__ import annotations

from functools import partial

from stateward.v1 import key_service_pb2 as pb
from stateward.v1 import key_service_pb2_grpc as rpc
from stateward_server.api import convert_access as convert
from stateward_server.api.caller import Context, caller
from stateward_server.api.outcomes import Outcomes, nothing
from stateward_server.api.paging import PageTokens
from stateward_server.api.paths import parse_id
from stateward_server.orgs.keys import Keys


class KeyServicer(rpc.KeyServiceServicer):
    """Converts, calls one room, converts back."""

    def __init__(self, keys: Keys, outcomes: Outcomes, pages: PageTokens) -> None:
        self._keys = keys
        self._outcomes = outcomes
        self._pages = pages

    async def CreateKey(self, request: pb.CreateKeyRequest, _context: Context) -> pb.CreateKeyResponse:
        who = caller.get()
        scopes = sorted(convert.scopes_for(request.use).union(request.scopes))
        key = await self._outcomes.once(
            who.org,
            "CreateKey",
            request.request_id,
            # Its repeat shows the secret, to nobody else.
            (who.subject, request.display_name, *scopes),
            do=lambda record: self._keys.create(who, request.display_name, scopes, record),
            again=lambda made: self._keys.get(who.org, made),
        )
        return pb.CreateKeyResponse(key=convert.key(key), secret=self._keys.secret(key.id))

    async def ListKeys(self, request: pb.ListKeysRequest, _context: Context) -> pb.ListKeysResponse:
        org = caller.get().org
        page, token = await self._pages.page(
            request,
            (org, "keys"),
            partial(self._keys.list, org),
            start="",
            place=lambda each: each.id,
            show=convert.key,
        )
        return pb.ListKeysResponse(keys=page, next_page_token=token)

    async def DeleteKey(self, request: pb.DeleteKeyRequest, _context: Context) -> pb.DeleteKeyResponse:
        org = caller.get().org
        key = parse_id(request.name, "name", "keys")
        await self._outcomes.once(
            org,
            "DeleteKey",
            request.request_id,
            (key,),
            do=lambda record: self._keys.revoke(org, key, record),
            again=nothing,
        )
        return pb.DeleteKeyResponse()
