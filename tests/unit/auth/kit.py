"""Keys of every kind, made once; key sets and tokens as identity providers make them."""

from __future__ import annotations

import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

from stateward_server.auth.seal import ProviderKeys
from stateward_server.auth.secrets import Secrets
from stateward_server.model.names import OrgId, mint
from stateward_server.model.org import IdentityProvider, identity_provider_id
from stateward_server.testing.clock import SeededEntropy

NOW_S = 1_700_000_000
ORG = OrgId(mint("org", bytes(16)))
OTHER_ORG = OrgId(mint("org", b"\1" * 16))
ISSUER = "https://issuer.example/"
SECRETS = Secrets(bytes(range(32)))
PROVIDER_KEYS = ProviderKeys(SECRETS, SeededEntropy())

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
K256 = ec.generate_private_key(ec.SECP256K1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
ED448 = ed448.Ed448PrivateKey.generate()
SECRET = b"a secret of thirty-two bytes ok!"


def pem(key: Any) -> bytes:
    """The public half."""
    made: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return made


def jwk(key: Any, **more: Any) -> dict[str, Any]:
    """The public half, as a JWK."""
    if isinstance(key, rsa.RSAPrivateKey):
        made = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        made = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        made = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**{name: value for name, value in made.items() if name != "key_ops"}, **more}


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def provider(**more: Any) -> IdentityProvider:
    """An identity provider with a key of its own, given as `key`, or a `jwks_url`."""
    issuer, audience = more.get("issuer", ISSUER), more.get("audience", "app")
    key, url = more.get("key"), more.get("jwks_url")
    sealed = None if key is None else PROVIDER_KEYS.seal(key, more.get("org", ORG), issuer, audience)
    return IdentityProvider(
        id=identity_provider_id(issuer, audience),
        org=more.get("org", ORG),
        issuer=issuer,
        audience=audience,
        algorithms=tuple(more.get("algorithms", ("RS256",))),
        jwks_url=url,
        sealed_key=sealed,
        mapping_json=json.dumps(more.get("mapping", {"sub.$": "$.sub"})),
        created_ms=0,
    )


def token(key: Any, algorithm: str, kid: str | None = None, **claims: Any) -> str:
    """A valid token of the provider, but for what is given; a claim of None is left out."""
    body = {"iss": ISSUER, "aud": "app", "exp": NOW_S + 600, "sub": "alice", **claims}
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(body, key, algorithm, headers={} if kid is None else {"kid": kid})


def signed(header: str, payload: str, secret: bytes) -> str:
    """A token with any text for header and payload, with an HMAC-SHA-256 of them."""
    text = ".".join(base64url_encode(part.encode()).decode() for part in (header, payload))
    return f"{text}.{base64url_encode(hmac.digest(secret, text.encode(), 'sha256')).decode()}"
