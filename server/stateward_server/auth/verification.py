"""Which keys may verify which signature algorithms, how keys are read, and what a provider may be given.

A key says what it is for: an HMAC algorithm takes only a shared secret, and each other algorithm only public
keys of its own kind. So a token cannot choose to have a published key taken for a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm

from stateward_server.model.errors import InvalidArgument

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey

SHARED: frozenset[str] = frozenset({"HS256", "HS384", "HS512"})
"""Algorithms whose verification key is a secret."""

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}

ALGORITHMS: frozenset[str] = SHARED | _RSA | _CURVES.keys() | {"EdDSA"}
"""Every algorithm that a provider may use."""

_RSA_BITS = range(2048, 8193)
"""Shorter keys can be broken; longer ones cost more than a signature is worth."""

_RSA_EXPONENT_BITS = 64
"""Nobody needs more, and each makes every check of a signature longer."""

_PRIVATE = "d"
"""The member that makes a JWK of any public-key algorithm a private one."""

_SECRET_BYTES = range(16, 1025)
_PEM_BYTES = 16_384


_READERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "RSA": RSAAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
}


class _SharedSecret(HMACAlgorithm):
    """HMAC with a secret of any length: lengths are checked where a provider is configured.

    The key of anonymous sessions, an organisation's id, is shorter than the library's advice, and no secret.
    """

    def check_key_length(self, key: bytes) -> str | None:  # noqa: ARG002 - inherited
        return None


def _verifier() -> jwt.PyJWS:
    jws = jwt.PyJWS(algorithms=sorted(ALGORITHMS - SHARED))
    jws.register_algorithm("HS256", _SharedSecret(HMACAlgorithm.SHA256))
    jws.register_algorithm("HS384", _SharedSecret(HMACAlgorithm.SHA384))
    jws.register_algorithm("HS512", _SharedSecret(HMACAlgorithm.SHA512))
    return jws


JWS = _verifier()
"""Reads and verifies signed tokens; knows no algorithm but ALGORITHMS."""


def fits(algorithm: str, key: PublicKey | bytes) -> bool:
    """Say whether `key` may verify signatures of `algorithm`; bytes are a shared secret."""
    if isinstance(key, bytes):
        return algorithm in SHARED
    if isinstance(key, RSAPublicKey):
        exponent_bits = key.public_numbers().e.bit_length()
        return algorithm in _RSA and key.key_size in _RSA_BITS and exponent_bits <= _RSA_EXPONENT_BITS
    if isinstance(key, EllipticCurvePublicKey):
        return _CURVES.get(algorithm) == key.curve.name
    return algorithm == "EdDSA"


def read_pem(pem: bytes) -> PublicKey | None:
    """Return the public key, or None when it is none that an algorithm can use."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, PublicKey) else None


def read_jwk(jwk: dict[str, Any]) -> PublicKey | None:
    """Return the public key for signatures in a JWK, or None when it holds anything else.

    A secret or a private key that somebody published is not a key, and neither is one for encryption. Not
    even looked at: finding the primes of a private key that hides them can take minutes.
    """
    try:
        public = _PRIVATE not in jwk and jwk.get("use", "sig") == "sig"
        usable = public and "verify" in jwk.get("key_ops", ["verify"])
        key = _READERS[jwk["kty"]](jwk) if usable else None
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, PublicKey) else None


def check_source(
    algorithms: Sequence[str],
    jwks_url: str | None,
    key: bytes | None,
    objection: Callable[[str], str | None] = lambda _url: None,
) -> None:
    """Check where an identity provider's keys are to come from, so that none is stored that cannot work.

    `objection` says what is wrong with an address (`KeySets.objection`). Raises InvalidArgument
    (INVALID_FIELD) for `algorithms`, `jwks_url` or `key`.
    """
    unknown = [name for name in algorithms if name not in ALGORITHMS]
    if unknown or not algorithms:
        known = ", ".join(sorted(ALGORITHMS))
        found = f", not {unknown[0][:32]!r}" if unknown else ""
        raise _wrong("algorithms", f"name one or more of {known}{found}")
    if (jwks_url is None) == (key is None):
        raise _wrong("jwks_url", "give either the address of the provider's key set, or its key")
    if jwks_url is not None:
        if not SHARED.isdisjoint(algorithms):
            raise _wrong("algorithms", "HMAC algorithms need a shared key: published keys are no secrets")
        why = objection(jwks_url)
        if why is not None:
            raise _wrong("jwks_url", f"the address cannot be used: {why}")
    elif key is not None:
        _check_key(algorithms, key)


def _check_key(algorithms: Sequence[str], key: bytes) -> None:
    if SHARED.issuperset(algorithms):
        if len(key) not in _SECRET_BYTES or not _is_secret(key):
            least, most = _SECRET_BYTES[0], _SECRET_BYTES[-1]
            raise _wrong("key", f"an HMAC secret has {least} to {most} bytes and is no public key")
        return
    public = read_pem(key) if len(key) <= _PEM_BYTES else None
    if public is None:
        raise _wrong("key", "these algorithms need a public key in PEM (-----BEGIN PUBLIC KEY-----)")
    misfits = [name for name in algorithms if not fits(name, public)]
    if misfits:
        raise _wrong("algorithms", f"the key cannot verify {misfits[0]}: each algorithm must fit the key")


def _is_secret(key: bytes) -> bool:
    try:
        _SharedSecret(HMACAlgorithm.SHA256).prepare_key(key)
    except jwt.InvalidKeyError:
        return False
    return True


def _wrong(field: str, why: str) -> InvalidArgument:
    return InvalidArgument("INVALID_FIELD", why, field=field)
