"""A token is believed only when everything about it is right, and its provider is the one it names."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.auth import kit
from tests.unit.auth.kit import ISSUER, NOW_S, ORG, provider, signed, token

from stateward_server.auth.identity import Identities, Identity, Untrusted, candidates
from stateward_server.auth.jwks import KeySets
from stateward_server.auth.seal import SealBroken
from stateward_server.model.names import OrgId
from stateward_server.model.org import IdentityProvider
from stateward_server.ports.fetch import Document
from stateward_server.testing.clock import ManualClock

URL = "https://issuer.example/jwks"


class Settled:
    """The identity providers of all organisations (Providers)."""

    def __init__(self, *providers: IdentityProvider) -> None:
        self.providers = providers

    async def find_identity_providers(self, org: OrgId, ids: Sequence[str]) -> Sequence[IdentityProvider]:
        return [each for each in self.providers if each.org == org and each.id in ids]


class Published:
    """A key set that can always be read (Fetch)."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.body = kit.jwks(*keys)

    def objection(self, url: str) -> str | None:
        return None

    async def fetch(self, url: str) -> Document:
        assert url == URL
        return Document(self.body, None)


async def identify(providers: Sequence[IdentityProvider], text: str, *published: dict[str, Any]) -> Identity:
    store, clock = Settled(*providers), ManualClock(NOW_S * 1000)
    return await Identities(store, KeySets(Published(*published), clock), kit.PROVIDER_KEYS, clock).identify(
        ORG, text
    )


KEYS: list[tuple[str, Any, bytes]] = [
    *((name, kit.RSA, kit.pem(kit.RSA)) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    ("ES256", kit.P256, kit.pem(kit.P256)),
    ("ES384", kit.P384, kit.pem(kit.P384)),
    ("ES512", kit.P521, kit.pem(kit.P521)),
    ("EdDSA", kit.ED25519, kit.pem(kit.ED25519)),
    ("EdDSA", kit.ED448, kit.pem(kit.ED448)),
]


@pytest.mark.parametrize(("algorithm", "key", "pem"), KEYS)
async def test_every_public_key_algorithm_works_with_a_pem_and_with_a_key_set(algorithm, key, pem):
    signed_token = token(key, algorithm, kid="a")
    own = provider(algorithms=[algorithm], key=pem)
    found = await identify([own], signed_token)
    assert (found.claims, found.expires_ms) == ({"sub": "alice"}, (NOW_S + 600) * 1000)

    listed = provider(algorithms=[algorithm], jwks_url=URL)
    published = kit.jwk(key, kid="a"), kit.jwk(kit.OTHER_RSA, kid="b")
    assert (await identify([listed], signed_token, *published)).claims == {"sub": "alice"}


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("secret", [kit.SECRET * 2, b"org_AAAAAAAAAAAAAAAAAAAAAA", b"\xff\0\xfe" * 8])
@pytest.mark.filterwarnings("ignore:The HMAC key is")
async def test_shared_secrets_of_any_length_work_without_complaint(algorithm, secret):
    signed_token = token(secret, algorithm)
    own = provider(algorithms=["HS256", "HS384", "HS512"], key=secret)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (await identify([own], signed_token)).claims == {"sub": "alice"}


RSA_PEM = kit.pem(kit.RSA)
CLAIMS = json.dumps({"iss": ISSUER, "aud": "app", "exp": NOW_S + 600, "sub": "alice"})
VALID = token(kit.RSA, "RS256")
SEVERED = VALID.split(".")
OTHER_CLAIMS = CLAIMS.replace("alice", "admin")
BOTH = ["RS256", "HS256"]
"""What no provider can be given, but a spoilt store could hold."""


def encode(key: Any, algorithm: str, **header: Any) -> str:
    return jwt.encode(json.loads(CLAIMS), key, algorithm, header)


FORGED: list[tuple[str, dict[str, Any], str]] = [
    ("unsigned", {}, encode(None, "none")),
    ("unsigned, capitals", {}, signed('{"alg":"None"}', CLAIMS, b"x").rsplit(".", 1)[0] + "."),
    ("unsigned, none listed", {"algorithms": ["none"]}, encode(None, "none")),
    ("no algorithm", {}, signed('{"typ":"JWT"}', CLAIMS, RSA_PEM)),
    ("algorithm is a list", {}, signed('{"alg":["RS256"]}', CLAIMS, RSA_PEM)),
    ("public key as secret", {}, signed('{"alg":"HS256"}', CLAIMS, RSA_PEM)),
    ("public key as secret, listed", {"algorithms": BOTH}, signed('{"alg":"HS256"}', CLAIMS, RSA_PEM)),
    ("stripped public key", {"algorithms": BOTH}, signed('{"alg":"HS256"}', CLAIMS, RSA_PEM.strip())),
    ("another key", {}, token(kit.OTHER_RSA, "RS256")),
    ("another algorithm of the key", {}, token(kit.RSA, "PS256")),
    ("another kind of key", {"algorithms": ["RS256", "ES256"]}, token(kit.P256, "ES256")),
    ("lower case", {}, signed('{"alg":"rs256"}', CLAIMS, RSA_PEM)),
    ("empty signature", {}, VALID.rsplit(".", 1)[0] + "."),
    ("no signature", {}, VALID.rsplit(".", 1)[0]),
    ("other claims", {}, ".".join([SEVERED[0], signed("{}", OTHER_CLAIMS, b"").split(".")[1], SEVERED[2]])),
    ("unknown critical header", {}, encode(kit.RSA, "RS256", crit=["x"], x=1)),
    ("its own key", {}, encode(kit.OTHER_RSA, "RS256", jwk=kit.jwk(kit.OTHER_RSA))),
    ("key id is a number", {}, signed('{"alg":"RS256","kid":5}', CLAIMS, RSA_PEM)),
    ("secp256k1", {"algorithms": ["ES256"], "key": kit.pem(kit.K256)}, token(kit.K256, "ES256K")),
    ("short RSA key", {"key": kit.pem(kit.SHORT_RSA)}, signed('{"alg":"RS256"}', CLAIMS, b"")),
    ("secret among public keys", {"algorithms": BOTH, "key": kit.SECRET}, encode(kit.SECRET, "HS256")),
    ("no key at all", {"key": None}, VALID),
    ("a key that is none", {"key": b"nonsense"}, VALID),
]  # fmt: skip


@pytest.mark.parametrize(("more", "forged"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
async def test_a_forged_token_is_not_believed(more, forged):
    with pytest.raises(Untrusted) as refusal:
        await identify([provider(**{"key": RSA_PEM, **more})], forged)
    assert "alice" not in str(refusal.value)
    assert (await identify([provider(key=RSA_PEM)], VALID)).claims == {"sub": "alice"}


@pytest.mark.parametrize(
    "forged",
    [
        signed('{"alg":"HS256","kid":"a"}', CLAIMS, RSA_PEM),
        signed('{"alg":"HS256","kid":"a"}', CLAIMS, kit.SECRET),
        token(kit.OTHER_RSA, "RS256", kid="a"),
        token(kit.RSA, "RS256", kid="b"),
        token(kit.RSA, "RS256", kid="c"),
        token(kit.RSA, "RS384", kid="a"),
    ],
)
async def test_a_forged_token_is_not_believed_on_the_word_of_a_key_set(forged):
    secret = {"kty": "oct", "k": jwt.utils.base64url_encode(kit.SECRET).decode(), "kid": "a"}
    published = kit.jwk(kit.RSA, kid="a", alg="RS256"), kit.jwk(kit.OTHER_RSA, kid="b"), secret
    listed = provider(algorithms=["RS256", "RS384", "HS256"], jwks_url=URL)
    with pytest.raises(Untrusted):
        await identify([listed], forged, *published)


HS = '{"alg":"HS256"}'
NOT_TOKENS = [
    "",
    ".",
    "..",
    "...",
    "a.b.c",
    "x" * 20_000,
    VALID + "." + VALID,
    "é" + VALID,
    signed(HS, CLAIMS + " " * 16_384, kit.SECRET),
    signed("[]", CLAIMS, kit.SECRET),
    signed("{", CLAIMS, kit.SECRET),
    signed("[" * 3_000, CLAIMS, kit.SECRET),
    signed(HS, "[" * 9_000, kit.SECRET),
    signed(HS, '{"a":' * 2_000 + "1" + "}" * 2_000, kit.SECRET),
    signed(HS, "9" * 8_000, kit.SECRET),
    signed(HS, "[]", kit.SECRET),
    signed(HS, "null", kit.SECRET),
    signed(HS, "", kit.SECRET),
    signed('{"alg":"HS256","b64":false,"crit":["b64"]}', CLAIMS, kit.SECRET),
]


@pytest.mark.parametrize("text", NOT_TOKENS, ids=range(len(NOT_TOKENS)))
async def test_what_is_no_token_is_refused_whatever_it_is(text):
    with pytest.raises(Untrusted):
        await identify([provider(algorithms=["HS256"], key=kit.SECRET)], text)


TIMES = [
    ({"exp": NOW_S - 5}, False),
    ({"exp": NOW_S - 4}, True),
    ({"exp": NOW_S - 4.999}, True),
    ({"exp": None}, False),
    ({"exp": str(NOW_S + 60)}, False),
    ({"exp": True}, False),
    ({"exp": [NOW_S + 60]}, False),
    ({"exp": -1}, False),
    ({"exp": NOW_S * 1000}, False),
    ({"exp": float("nan")}, False),
    ({"exp": float("inf")}, False),
    ({"nbf": NOW_S + 5}, True),
    ({"nbf": NOW_S + 6}, False),
    ({"nbf": "soon"}, False),
    ({"nbf": True}, False),
    ({"nbf": float("nan")}, False),
    ({"iat": NOW_S + 9_999}, True),
]


@pytest.mark.parametrize(("claims", "believed"), TIMES, ids=[str(row[0]) for row in TIMES])
async def test_times_are_those_of_the_servers_clock_with_five_seconds_leeway(claims, believed):
    body = {**json.loads(CLAIMS), **claims}
    text = signed(HS, json.dumps({k: v for k, v in body.items() if v is not None}), kit.SECRET)
    own = provider(algorithms=["HS256"], key=kit.SECRET)
    if believed:
        await identify([own], text)
    else:
        with pytest.raises(Untrusted):
            await identify([own], text)


AUDIENCES = [
    ({"aud": "app"}, True),
    ({"aud": ["other", "app"]}, True),
    ({"aud": "other"}, False),
    ({"aud": []}, False),
    ({"aud": [["app"]]}, False),
    ({"aud": {"app": 1}}, False),
    ({"aud": None}, False),
    ({"aud": "app "}, False),
    ({"aud": "App"}, False),
    ({"iss": "https://issuer.example"}, False),
    ({"iss": None}, False),
    ({"iss": [ISSUER]}, False),
]


@pytest.mark.parametrize(("claims", "believed"), AUDIENCES, ids=[str(row[0]) for row in AUDIENCES])
async def test_issuer_and_audience_are_compared_exactly(claims, believed):
    text = token(kit.RSA, "RS256", **claims) if claims.get("iss") != [ISSUER] else signed(
        '{"alg":"RS256"}', json.dumps({**json.loads(CLAIMS), **claims}), b""
    )  # fmt: skip
    own = provider(key=RSA_PEM)
    if believed:
        assert (await identify([own], text)).claims == {"sub": "alice"}
    else:
        with pytest.raises(Untrusted, match="issuer and audience"):
            await identify([own], text)


def naming(issuer: str | None, audience: str | None, by: str) -> IdentityProvider:
    """A provider of RSA_PEM whose tokens say that it was chosen."""
    return provider(key=RSA_PEM, issuer=issuer, audience=audience, mapping={"by": by})


ISS_AUD = naming(ISSUER, "app", "both")
ISS = naming(ISSUER, None, "issuer")
AUD = naming(None, "app", "audience")
SECOND_AUD = naming(ISSUER, "second", "second")
NEITHER = naming(None, None, "neither")


@pytest.mark.parametrize(
    ("providers", "audience", "by"),
    [
        ([ISS, AUD, ISS_AUD], "app", "both"),
        ([AUD, ISS], "app", "issuer"),
        ([AUD], "app", "audience"),
        ([AUD, ISS], "other", "issuer"),
        ([ISS_AUD, SECOND_AUD], ["second", "app"], "second"),
        ([SECOND_AUD, ISS_AUD], ["app", "second"], "both"),
        ([ISS, SECOND_AUD], ["x", "second"], "second"),
        ([ISS, SECOND_AUD], [*"x" * 32, "second"], "issuer"),
        ([NEITHER, AUD], "app", "audience"),
    ],
)
async def test_the_most_specific_provider_is_chosen_in_any_order(providers, audience, by):
    for listed in (providers, providers[::-1]):
        assert (await identify(listed, token(kit.RSA, "RS256", aud=audience))).claims == {"by": by}


async def test_a_provider_that_names_nothing_vouches_for_nobody():
    with pytest.raises(Untrusted, match="issuer and audience"):
        await identify([NEITHER], VALID)


values = (
    st.none() | st.integers() | st.text(max_size=3) | st.lists(st.text(max_size=3) | st.none(), max_size=3)
)


@given(values | st.just(ISSUER), values | st.just("app"))
def test_whatever_the_claims_all_providers_that_match_are_candidates_and_no_others(issuer, audience):
    audiences = audience if isinstance(audience, list) else [audience]
    matching = {
        each.id
        for each in (ISS_AUD, ISS, AUD)
        if each.issuer in (None, issuer) and (each.audience is None or each.audience in audiences)
    }
    known = {each.id for each in (ISS_AUD, ISS, AUD, NEITHER)}
    assert known.intersection(candidates({"iss": issuer, "aud": audience})) == matching


async def test_another_provider_does_not_vouch_for_the_one_that_is_named():
    """The most specific provider alone decides, though another one's key would verify the token."""
    specific = provider(key=kit.pem(kit.OTHER_RSA))
    with pytest.raises(Untrusted, match="signature"):
        await identify([ISS, specific], VALID)


async def test_a_key_moved_to_another_provider_is_not_used():
    moved = provider(key=RSA_PEM, org=kit.OTHER_ORG)
    stolen = provider(key=None, jwks_url=None)
    object.__setattr__(stolen, "sealed_key", moved.sealed_key)
    with pytest.raises(SealBroken):
        await identify([stolen], VALID)


@pytest.mark.parametrize("mapping", [{"x.$": "$.big"}, {"x.$": "$..sub"}])
async def test_a_mapping_that_cannot_be_applied_is_a_refusal(mapping):
    text = token(kit.RSA, "RS256", big="x" * 9_000)
    with pytest.raises(Untrusted, match="mapping") as refusal:
        await identify([provider(key=RSA_PEM, mapping=mapping)], text)
    assert "xxx" not in str(refusal.value)
