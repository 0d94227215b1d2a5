"""A trusted token buys one of the organisation, and a refusal tells the caller nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jwt
import pytest
from structlog.testing import capture_logs
from tests.unit.auth import kit
from tests.unit.auth.kit import NOW_S, ORG, OTHER_ORG, SECRET, SECRETS, provider, token

from stateward import tokens
from stateward_server.auth.authenticator import AUDIENCE
from stateward_server.auth.exchange import Exchange
from stateward_server.auth.identity import Identities
from stateward_server.auth.jwks import KeySets
from stateward_server.model.errors import PermissionDenied, Unavailable
from stateward_server.model.names import OrgId, mint
from stateward_server.model.org import IdentityProvider, Key, TokenProvider
from stateward_server.ports.fetch import Document, FetchFailed
from stateward_server.testing.clock import ManualClock

KEY = Key(mint("sbk", bytes(16)), ORG, "app", ("state.read",), 0)
SERVICE = TokenProvider(ORG, "app", KEY.id, "", 0)
IDP = provider(algorithms=["HS256"], key=SECRET, mapping={"sub.$": "$.sub", "role.$": "$.role"})


class Settled:
    """What the organisation has settled (Trust, Providers)."""

    def __init__(self) -> None:
        self.services = {(ORG, "app"): SERVICE}
        self.identity_providers: list[IdentityProvider] = [IDP]
        self.keys = {KEY.id: KEY}

    async def get_token_provider(self, org: OrgId, service: str) -> TokenProvider | None:
        return self.services.get((org, service))

    async def find_identity_providers(self, org: OrgId, ids: Sequence[str]) -> Sequence[IdentityProvider]:
        return [each for each in self.identity_providers if each.org == org and each.id in ids]

    async def get_key(self, key: str) -> Key | None:
        return self.keys.get(key)


class Nowhere:
    """Nothing can be read (Fetch)."""

    def objection(self, url: str) -> str | None:
        return None

    async def fetch(self, url: str) -> Document:
        raise FetchFailed("nobody there")


@pytest.fixture
def settled() -> Settled:
    return Settled()


@pytest.fixture
def exchange(settled: Settled) -> Exchange:
    clock = ManualClock(NOW_S * 1000 + 700)
    identities = Identities(settled, KeySets(Nowhere(), clock), kit.PROVIDER_KEYS, clock)
    return Exchange(settled, identities, SECRETS, clock)


def opened(access_token: str) -> dict[str, Any]:
    """The claims, after what the server checks; the test's clock is not the library's."""
    kid = jwt.get_unverified_header(access_token)["kid"]
    claims: dict[str, Any] = jwt.decode(
        access_token,
        SECRETS.signing_secret(kid),
        algorithms=["HS256"],
        audience=AUDIENCE,
        options={"verify_exp": False, "verify_iat": False},
    )
    return claims


def subject(**claims: Any) -> str:
    return token(SECRET, "HS256", **{"exp": NOW_S + 9_999, **claims})


async def test_the_token_is_one_that_the_key_could_have_signed(exchange):
    issued = await exchange.exchange(ORG, "app", subject(role="dev", secret="kept back"))
    assert jwt.get_unverified_header(issued.access_token) == {"alg": "HS256", "kid": KEY.id, "typ": "JWT"}
    assert opened(issued.access_token) == {
        "iss": f"https://{KEY.id}.client.statebacked.dev/",
        "aud": AUDIENCE,
        "iat": NOW_S,
        "exp": NOW_S + 3_600,
        "act": {"sub": "alice", "role": "dev"},
    }
    signed = opened(tokens.sign(KEY.id, SECRETS.signing_secret(KEY.id), {"sub": "alice", "role": "dev"}))
    assert {**opened(issued.access_token), "iat": signed["iat"], "exp": signed["exp"]} == signed
    assert issued.expires_in == 3_600


async def test_the_claims_pass_both_mappings(exchange, settled):
    mapping = json.dumps({"user": {"id.$": "$.sub"}, "auth": "idp", "role.$": "$.secret"})
    settled.services[ORG, "app"] = replace(SERVICE, mapping_json=mapping)
    issued = await exchange.exchange(ORG, "app", subject(secret="kept back"))
    assert opened(issued.access_token)["act"] == {"user": {"id": "alice"}, "auth": "idp"}


async def test_a_changed_provider_counts_for_the_next_token(exchange, settled):
    await exchange.exchange(ORG, "app", subject(role="dev"))
    settled.identity_providers = [provider(algorithms=["HS256"], key=SECRET, mapping={"by.$": "$.sub"})]
    settled.services[ORG, "app"] = replace(SERVICE, mapping_json='{"who.$": "$.by"}')
    issued = await exchange.exchange(ORG, "app", subject(role="dev"))
    assert opened(issued.access_token)["act"] == {"who": "alice"}
    settled.identity_providers = [provider(algorithms=["HS256"], key=b"another" * 8)]
    assert (await refused(exchange, ORG, "app", subject()))[0] == "SUBJECT_TOKEN_REJECTED"


@pytest.mark.parametrize(
    ("left_s", "lives_s"),
    [(9_999, 3_600), (3_600, 3_600), (3_599, 3_599), (61, 61), (60, 60), (1, 60), (-4, 60)],
)
async def test_it_lives_no_longer_than_the_subject_token_but_long_enough_to_be_used(
    exchange, left_s, lives_s
):
    issued = await exchange.exchange(ORG, "app", subject(exp=NOW_S + left_s))
    assert (issued.expires_in, opened(issued.access_token)["exp"]) == (lives_s, NOW_S + lives_s)


async def refused(exchange: Exchange, org: OrgId, service: str, text: str) -> tuple[str, str, dict[str, str]]:
    """Everything the caller learns."""
    with pytest.raises(PermissionDenied) as refusal:
        await exchange.exchange(org, service, text)
    return refusal.value.reason, refusal.value.message, refusal.value.metadata


async def test_all_refusals_look_the_same_and_the_log_has_the_reason(exchange, settled):
    gone = replace(SERVICE, service="gone", key_id=mint("sbk", b"\1" * 16))
    foreign = replace(SERVICE, service="foreign", key_id=mint("sbk", b"\2" * 16))
    spoilt = replace(SERVICE, service="spoilt", mapping_json='{"x.$": "$..sub"}')
    large = replace(SERVICE, service="large", mapping_json=json.dumps({f"{n}.$": "$.role" for n in range(9)}))
    for each in (gone, foreign, spoilt, large):
        settled.services[ORG, each.service] = each
    settled.keys[foreign.key_id] = replace(KEY, id=foreign.key_id, org=OTHER_ORG)
    with capture_logs() as logs:
        learnt = [
            await refused(exchange, ORG, "absent", subject()),
            await refused(exchange, OTHER_ORG, "app", subject()),
            await refused(exchange, ORG, "gone", subject()),
            await refused(exchange, ORG, "foreign", subject()),
            await refused(exchange, ORG, "spoilt", subject()),
            await refused(exchange, ORG, "large", subject(role="x" * 1_000)),
            await refused(exchange, ORG, "app", subject(exp=NOW_S - 60)),
            await refused(exchange, ORG, "app", subject(aud="other")),
            await refused(exchange, ORG, "app", token(b"wrong" * 8, "HS256")),
            await refused(exchange, ORG, "app", "nonsense"),
        ]
    assert len(set(map(str, learnt))) == 1
    assert learnt[0][0] == "SUBJECT_TOKEN_REJECTED"
    assert learnt[0][2] == {}
    assert [line["event"] for line in logs] == ["subject_token_rejected"] * len(learnt)
    assert len({line["reason"] for line in logs}) == 7
    assert not any(secret in str(logs) for secret in ("eyJ", "alice", "xxx", SECRET.decode()))


async def test_an_identity_provider_of_another_organisation_vouches_for_nobody(exchange, settled):
    settled.identity_providers = [replace(IDP, org=OTHER_ORG)]
    assert (await refused(exchange, ORG, "app", subject()))[0] == "SUBJECT_TOKEN_REJECTED"


async def test_a_provider_that_cannot_be_asked_is_another_matter(exchange, settled):
    settled.identity_providers = [provider(algorithms=["RS256"], jwks_url="https://issuer.example/jwks")]
    with capture_logs() as logs, pytest.raises(Unavailable) as refusal:
        await exchange.exchange(ORG, "app", token(kit.RSA, "RS256"))
    assert (refusal.value.reason, refusal.value.metadata) == ("IDENTITY_PROVIDER_UNAVAILABLE", {})
    assert "nobody there" not in refusal.value.message
    assert [(line["event"], line["reason"]) for line in logs] == [("key_set_unreadable", "nobody there")]


async def test_the_largest_claims_still_make_a_token_that_may_be_sent(exchange):
    issued = await exchange.exchange(ORG, "app", subject(role="x" * 8_150))
    assert len(issued.access_token) < 16_384
