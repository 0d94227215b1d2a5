"""IdentityProviderService and TokenProviderService: whose word is taken, and what is given for it."""

from __future__ import annotations

import hashlib
from functools import partial

from stateward.v1 import identity_provider_service_pb2 as identity_pb
from stateward.v1 import identity_provider_service_pb2_grpc as identity_rpc
from stateward.v1 import token_provider_service_pb2 as token_pb
from stateward.v1 import token_provider_service_pb2_grpc as token_rpc
from stateward_server.api import convert_access as convert
from stateward_server.api.caller import Context, caller
from stateward_server.api.outcomes import Outcomes, nothing
from stateward_server.api.paging import PageTokens
from stateward_server.api.paths import parse_id
from stateward_server.orgs.providers import Providers, Wanted


class IdentityProviderServicer(identity_rpc.IdentityProviderServiceServicer):
    """Converts, calls one room, converts back."""

    def __init__(self, providers: Providers, outcomes: Outcomes, pages: PageTokens) -> None:
        self._providers = providers
        self._outcomes = outcomes
        self._pages = pages

    async def PutIdentityProvider(
        self, request: identity_pb.PutIdentityProviderRequest, _context: Context
    ) -> identity_pb.PutIdentityProviderResponse:
        who = caller.get()
        asked = request.identity_provider
        wanted = Wanted(
            asked.issuer,
            asked.audience,
            tuple(asked.algorithms),
            asked.jwks_url,
            asked.key,
            asked.mapping_json,
        )
        digest = hashlib.sha256(asked.SerializeToString(deterministic=True)).hexdigest()

        provider = await self._outcomes.once(
            who.org,
            "PutIdentityProvider",
            request.request_id,
            (digest,),
            do=lambda record: self._providers.put_identity_provider(who, wanted, record),
            again=lambda made: self._providers.identity_provider(who.org, made),
        )
        return identity_pb.PutIdentityProviderResponse(identity_provider=convert.identity_provider(provider))

    async def ListIdentityProviders(
        self, request: identity_pb.ListIdentityProvidersRequest, _context: Context
    ) -> identity_pb.ListIdentityProvidersResponse:
        org = caller.get().org
        page, token = await self._pages.page(
            request,
            (org, "identity-providers"),
            partial(self._providers.identity_providers, org),
            start="",
            place=lambda each: each.id,
            show=convert.identity_provider,
        )
        return identity_pb.ListIdentityProvidersResponse(identity_providers=page, next_page_token=token)

    async def DeleteIdentityProvider(
        self, request: identity_pb.DeleteIdentityProviderRequest, _context: Context
    ) -> identity_pb.DeleteIdentityProviderResponse:
        org = caller.get().org
        provider = parse_id(request.name, "name", "identityProviders")
        await self._outcomes.once(
            org,
            "DeleteIdentityProvider",
            request.request_id,
            (provider,),
            do=lambda record: self._providers.delete_identity_provider(org, provider, record),
            again=nothing,
        )
        return identity_pb.DeleteIdentityProviderResponse()


class TokenProviderServicer(token_rpc.TokenProviderServiceServicer):
    """Converts, calls one room, converts back."""

    def __init__(self, providers: Providers, outcomes: Outcomes, pages: PageTokens) -> None:
        self._providers = providers
        self._outcomes = outcomes
        self._pages = pages

    async def PutTokenProvider(
        self, request: token_pb.PutTokenProviderRequest, _context: Context
    ) -> token_pb.PutTokenProviderResponse:
        who = caller.get()
        asked = request.token_provider
        service = parse_id(asked.name, "token_provider.name", "tokenProviders")
        key = parse_id(asked.key, "token_provider.key", "keys")
        provider = await self._outcomes.once(
            who.org,
            "PutTokenProvider",
            request.request_id,
            (service, key, asked.mapping_json),
            do=lambda record: self._providers.put_token_provider(
                who, service, key, asked.mapping_json, record
            ),
            again=lambda _: self._providers.token_provider(who.org, service),
        )
        return token_pb.PutTokenProviderResponse(token_provider=convert.token_provider(provider))

    async def ListTokenProviders(
        self, request: token_pb.ListTokenProvidersRequest, _context: Context
    ) -> token_pb.ListTokenProvidersResponse:
        org = caller.get().org
        page, token = await self._pages.page(
            request,
            (org, "token-providers"),
            partial(self._providers.token_providers, org),
            start="",
            place=lambda each: each.service,
            show=convert.token_provider,
        )
        return token_pb.ListTokenProvidersResponse(token_providers=page, next_page_token=token)

    async def DeleteTokenProvider(
        self, request: token_pb.DeleteTokenProviderRequest, _context: Context
    ) -> token_pb.DeleteTokenProviderResponse:
        org = caller.get().org
        service = parse_id(request.name, "name", "tokenProviders")
        await self._outcomes.once(
            org,
            "DeleteTokenProvider",
            request.request_id,
            (service,),
            do=lambda record: self._providers.delete_token_provider(org, service, record),
            again=nothing,
        )
        return token_pb.DeleteTokenProviderResponse()
