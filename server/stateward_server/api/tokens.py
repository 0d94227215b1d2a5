"""TokenService: a token of the organisation for one of an identity provider."""

from __future__ import annotations

from stateward.v1 import token_service_pb2 as pb
from stateward.v1 import token_service_pb2_grpc as rpc
from stateward_server.api.caller import Context
from stateward_server.api.paths import parse_token_provider
from stateward_server.auth.exchange import Exchange


class TokenServicer(rpc.TokenServiceServicer):
    """Converts, calls one room, converts back."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def ExchangeToken(
        self, request: pb.ExchangeTokenRequest, _context: Context
    ) -> pb.ExchangeTokenResponse:
        org, service = parse_token_provider(request.token_provider, "token_provider")
        issued = await self._exchange.exchange(org, service, request.subject_token)
        return pb.ExchangeTokenResponse(access_token=issued.access_token, expires_in=issued.expires_in)
