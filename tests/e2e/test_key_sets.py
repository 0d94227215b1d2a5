"""Key sets over real HTTP: a server in a closed network reads them, and any other refuses to look there."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from tests.e2e.kit import Refusal, refusal
from tests.servers import Server, serving
from tests.unit.auth import kit
from tests.unit.fetch.kit import Server as Issuer
from tests.unit.fetch.kit import reply
from tests.unit.fetch.kit import serving as issuing

from stateward.v1 import identity_provider_service_pb2 as identity_pb
from stateward.v1 import (
    identity_provider_service_pb2_grpc,
    key_service_pb2_grpc,
    provider_pb2,
    token_provider_service_pb2_grpc,
    token_service_pb2_grpc,
)
from stateward.v1 import key_service_pb2 as key_pb
from stateward.v1 import token_provider_service_pb2 as provider_pb
from stateward.v1 import token_service_pb2 as token_pb

pytestmark = pytest.mark.slow


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        publish(issuer, a=kit.RSA)
        yield issuer


def publish(issuer: Issuer, **keys: Any) -> None:
    body = kit.jwks(*(kit.jwk(key, kid=kid) for kid, key in keys.items()))
    issuer.serve = reply(f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)


def subject(key: Any, kid: str, **claims: Any) -> str:
    body = {"iss": kit.ISSUER, "aud": ["app"], "exp": int(time.time()) + 600, "sub": "ann", **claims}
    return jwt.encode(body, key, "RS256", headers={"kid": kid})


class Organisation:
    """The organisation of a server's administrator, as far as exchange needs it."""

    def __init__(self, server: Server, channel: grpc.aio.Channel) -> None:
        self._metadata = (("authorization", f"Bearer {server.profile['token']}"),)
        self._org = server.profile["org"]
        self._channel = channel

    async def trust(self, jwks_url: str) -> None:
        stub: Any = identity_provider_service_pb2_grpc.IdentityProviderServiceStub(self._channel)
        provider = provider_pb2.IdentityProvider(
            issuer=kit.ISSUER, audience="app", algorithms=["RS256"], jwks_url=jwks_url
        )
        request = identity_pb.PutIdentityProviderRequest(identity_provider=provider)
        await stub.PutIdentityProvider(request, metadata=self._metadata)

    async def serve(self) -> None:
        keys: Any = key_service_pb2_grpc.KeyServiceStub(self._channel)
        stub: Any = token_provider_service_pb2_grpc.TokenProviderServiceStub(self._channel)
        made = await keys.CreateKey(
            key_pb.CreateKeyRequest(use=key_pb.KEY_USE_PRODUCTION), metadata=self._metadata
        )
        provider = provider_pb2.TokenProvider(name="tokenProviders/web", key=made.key.name)
        request = provider_pb.PutTokenProviderRequest(token_provider=provider)
        await stub.PutTokenProvider(request, metadata=self._metadata)

    async def exchange(self, subject_token: str) -> dict[str, Any]:
        """Return the `act` claim of the token that was given."""
        stub: Any = token_service_pb2_grpc.TokenServiceStub(self._channel)
        name = f"orgs/{self._org}/tokenProviders/web"
        request = token_pb.ExchangeTokenRequest(token_provider=name, subject_token=subject_token)
        issued = await stub.ExchangeToken(request)
        claims = jwt.decode(issued.access_token, options={"verify_signature": False})
        act: dict[str, Any] = claims["act"]
        return act


async def refused(call: Any) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value)


async def test_a_server_that_may_reads_key_sets_of_its_own_network(issuer: Issuer, tmp_path: Path):
    with serving(tmp_path, settings={"allow_private_jwks": "true"}) as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            org = Organisation(server, channel)
            await org.serve()
            await org.trust(f"http://localhost:{issuer.port}/jwks")
            assert await org.exchange(subject(kit.RSA, "a")) == {"sub": "ann"}
            assert await org.exchange(subject(kit.RSA, "a", sub="bob")) == {"sub": "bob"}
            assert len(issuer.requests) == 1
            forged = await refused(org.exchange(subject(kit.OTHER_RSA, "a")))
            assert (forged.code, forged.reason) == ("PERMISSION_DENIED", "SUBJECT_TOKEN_REJECTED")

            await org.trust(f"http://localhost:{issuer.port}/other")
            issuer.serve = reply(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")
            away = await refused(org.exchange(subject(kit.RSA, "a")))
            assert (away.code, away.reason) == ("UNAVAILABLE", "IDENTITY_PROVIDER_UNAVAILABLE")
        # A server that ends writes all of its log first.
        server.ask_to_stop()
        assert server.exit_code() == 0
        log = server.log.read_text()
    assert "it answered 500" in log
    assert "eyJ" not in log


async def test_any_other_server_does_not_look_into_its_own_network(issuer: Issuer, server: Server):
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        org = Organisation(server, channel)
        for url in (f"http://localhost:{issuer.port}/", f"https://127.0.0.1:{issuer.port}/"):
            wrong = await refused(org.trust(url))
            assert (wrong.code, wrong.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
            assert wrong.metadata["field"].endswith("jwks_url")
        # A name says nothing about where it leads, so this one is refused when it is used.
        await org.serve()
        await org.trust(f"https://localhost:{issuer.port}/")
        away = await refused(org.exchange(subject(kit.RSA, "a")))
        assert (away.code, away.reason) == ("UNAVAILABLE", "IDENTITY_PROVIDER_UNAVAILABLE")
    assert issuer.requests == []
