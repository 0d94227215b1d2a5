"""Each algorithm has its own kind of key, and no provider is stored that could not work."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from tests.unit.auth import kit

from stateward_server.auth import verification
from stateward_server.auth.verification import ALGORITHMS, JWS, check_source, fits, read_jwk, read_pem
from stateward_server.model.errors import InvalidArgument

RSA_ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
FITTING: list[tuple[Any, set[str]]] = [
    (kit.RSA, RSA_ALGORITHMS),
    (kit.SHORT_RSA, set()),
    (kit.P256, {"ES256"}),
    (kit.P384, {"ES384"}),
    (kit.P521, {"ES512"}),
    (kit.K256, set()),
    (kit.ED25519, {"EdDSA"}),
    (kit.ED448, {"EdDSA"}),
]


@pytest.mark.parametrize(("key", "algorithms"), FITTING)
def test_a_public_key_fits_the_algorithms_of_its_kind(key, algorithms):
    for read in (read_pem(kit.pem(key)), read_jwk(kit.jwk(key))):
        assert read is not None
        assert {name for name in ALGORITHMS if fits(name, read)} == algorithms


@pytest.mark.parametrize("kty", ["RSA", "EC", "OKP"])
def test_a_private_key_is_not_even_looked_at(monkeypatch: pytest.MonkeyPatch, kty: str):
    # To find the primes of a large one takes minutes, in which the whole server would stand still.
    looked: list[object] = []
    monkeypatch.setitem(verification._READERS, kty, looked.append)
    assert read_jwk({"kty": kty, "n": "_" * 10_000, "e": "AQAB", "d": "_" * 9_999}) is None
    assert looked == []


def test_a_large_exponent_fits_no_algorithm():
    modulus = kit.RSA.public_key().public_numbers().n
    numbers = {exponent: RSAPublicNumbers(exponent, modulus) for exponent in (2**64 - 1, 2**64 + 1)}
    fitting = {exponent: fits("RS256", each.public_key()) for exponent, each in numbers.items()}
    assert fitting == {2**64 - 1: True, 2**64 + 1: False}


def test_a_secret_fits_hmac_alone():
    assert {name for name in ALGORITHMS if fits(name, kit.SECRET)} == {"HS256", "HS384", "HS512"}


def test_the_verifier_knows_these_algorithms_and_no_other():
    assert set(JWS.get_algorithms()) == ALGORITHMS
    assert "none" not in ALGORITHMS


@pytest.mark.parametrize(
    "wrong",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        RSAAlgorithm.to_jwk(kit.RSA, as_dict=True) | {"key_ops": ["verify"]},
        ECAlgorithm.to_jwk(kit.P256, as_dict=True) | {"key_ops": ["verify"]},
        OKPAlgorithm.to_jwk(kit.ED25519, as_dict=True) | {"key_ops": ["verify"]},
        kit.jwk(kit.RSA, use="enc"),
        kit.jwk(kit.RSA, use=None),
        kit.jwk(kit.RSA, key_ops=["encrypt"]),
        kit.jwk(kit.RSA, key_ops=5),
        kit.jwk(kit.RSA, n=5),
        kit.jwk(kit.RSA, e="AQ"),
        kit.jwk(kit.RSA, kty="EC"),
        kit.jwk(kit.P256, crv="P-384"),
        kit.jwk(kit.P256, x="AA"),
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": ["RSA"]},
        {"kty": None},
        {},
    ],
)
def test_what_is_no_public_key_for_signatures_is_left_out(wrong):
    assert read_jwk(wrong) is None


@pytest.mark.parametrize(
    "text", [b"", b"-----BEGIN PUBLIC KEY-----", kit.SECRET, kit.pem(X25519PrivateKey.generate())]
)
def test_what_is_no_pem_of_a_signature_key_is_none(text):
    assert read_pem(text) is None


@pytest.mark.parametrize(
    ("algorithms", "url", "key"),
    [
        (("RS256",), "https://issuer.example/jwks", None),
        (("RS256", "ES256", "EdDSA"), "https://issuer.example/jwks", None),
        (("HS256", "HS512"), None, kit.SECRET),
        (("HS256",), None, b"org_AAAAAAAAAAAAAAAAAAAAAA"),
        (("RS256", "PS512"), None, kit.pem(kit.RSA)),
        (("ES384",), None, kit.pem(kit.P384)),
    ],
)
def test_what_can_work_is_accepted(algorithms, url, key):
    check_source(algorithms, url, key)


@pytest.mark.parametrize(
    ("algorithms", "url", "key", "field"),
    [
        ((), None, kit.SECRET, "algorithms"),
        (("none",), None, kit.SECRET, "algorithms"),
        (("HS256", "ES256K"), None, kit.SECRET, "algorithms"),
        (("HS256",), "https://issuer.example/jwks", None, "algorithms"),
        (("RS256", "HS256"), "https://issuer.example/jwks", None, "algorithms"),
        (("RS256",), None, None, "jwks_url"),
        (("RS256",), "https://issuer.example/jwks", kit.pem(kit.RSA), "jwks_url"),
        (("RS256",), "http://issuer.example/jwks", None, "jwks_url"),
        (("HS256",), None, b"short", "key"),
        (("HS256",), None, b"x" * 1025, "key"),
        (("HS256",), None, kit.pem(kit.RSA), "key"),
        (("HS256",), None, b"  " + kit.pem(kit.RSA), "key"),
        (("HS256",), None, b'{"kty":"oct","k":"c2VjcmV0"}', "key"),
        (("RS256",), None, kit.SECRET, "key"),
        (("RS256",), None, b"", "key"),
        (("RS256",), None, kit.pem(kit.SHORT_RSA), "algorithms"),
        (("RS256",), None, kit.pem(kit.P256), "algorithms"),
        (("ES256", "ES384"), None, kit.pem(kit.P256), "algorithms"),
        (("RS256", "HS256"), None, kit.pem(kit.RSA), "algorithms"),
        (("RS256", "HS256"), None, kit.SECRET, "key"),
    ],
)
def test_what_cannot_work_is_refused_by_field(algorithms, url, key, field):
    def objection(url: str) -> str | None:
        return None if url.startswith("https://") else "it must begin with https://"

    with pytest.raises(InvalidArgument) as refusal:
        check_source(algorithms, url, key, objection)
    assert (refusal.value.reason, refusal.value.metadata) == ("INVALID_FIELD", {"field": field})
    assert not key or key.decode() not in refusal.value.message
