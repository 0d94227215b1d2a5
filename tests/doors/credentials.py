"""Credentials that are good for nothing, each made in a house from good ones."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_encode
from tests.doors.house import SECRETS, House, Tenant, anonymous_token, bearer, subject_token
from tests.doors.rpcs import Metadata

from stateward_server.auth.authenticator import AUDIENCE
from stateward_server.model.names import mint

_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PUBLIC = _RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
_OTHER_KEY = mint("sbk", b"\xaa" * 16)

Forge = Callable[[House, Tenant], str]
Spoil = Callable[[House, Tenant], Awaitable[Metadata]]


def _claims(house: House, **more: Any) -> dict[str, Any]:
    return {"aud": AUDIENCE, "exp": house.clock.now_ms() // 1000 + 3_600, "act": {}, **more}


def _with(header: dict[str, Any], secret: bytes | None = None, digest: str = "sha256") -> Forge:
    """Return a token with any header, that says what the organisation's key would say."""

    def forge(house: House, tenant: Tenant) -> str:
        said = {"kid": tenant.names.key, **header}
        parts = [{name: value for name, value in said.items() if value is not None}, _claims(house)]
        text = ".".join(base64url_encode(json.dumps(part).encode()).decode() for part in parts)
        key = SECRETS.signing_secret(tenant.names.key).encode() if secret is None else secret
        mac = hmac.digest(key, text.encode(), digest) if digest else b""
        return f"{text}.{base64url_encode(mac).decode()}"

    return forge


def _saying(**claims: Any) -> Forge:
    return lambda house, tenant: house.signed(tenant.names.key, **claims)


def _by_rsa(house: House, tenant: Tenant) -> str:
    return jwt.encode(_claims(house), _RSA, "RS256", headers={"kid": tenant.names.key})


def _changed(part: int) -> Forge:
    """Change a character in one of a good token's three parts."""

    def forge(house: House, tenant: Tenant) -> str:
        parts = house.signed(tenant.names.key).split(".")
        middle = len(parts[part]) // 2
        other = "A" if parts[part][middle] != "A" else "B"
        parts[part] = f"{parts[part][:middle]}{other}{parts[part][middle + 1 :]}"
        return ".".join(parts)

    return forge


FORGED: dict[str, Forge] = {
    "malformed": lambda *_: "not-a-token",
    "malformed, with dots": lambda *_: "a.b.c",
    "two parts of three": lambda house, tenant: house.signed(tenant.names.key).rpartition(".")[0] + ".",
    "changed header": _changed(0),
    "changed claims": _changed(1),
    "bad signature": _changed(2),
    "no signature": _with({"alg": "HS256"}, digest=""),
    "alg none": _with({"alg": "none"}, digest=""),
    "alg None, in capitals, but signed": _with({"alg": "NONE"}),
    "alg missing": _with({"alg": None}),
    "RS256 in the header, HMAC as signature": _with({"alg": "RS256"}),
    "a good HMAC of another algorithm: HS384": _with({"alg": "HS384"}, digest="sha384"),
    "a good HMAC of another algorithm: HS512": _with({"alg": "HS512"}, digest="sha512"),
    "another algorithm than the header says": _with({"alg": "HS256"}, digest="sha512"),
    "RS256": _by_rsa,
    "its own key in the header": _with(
        {"alg": "HS256", "jwk": {"kty": "oct", "k": base64url_encode(b"x" * 32).decode()}}, b"x" * 32
    ),
    "a public key as secret": _with({"alg": "HS256"}, _PUBLIC),
    "the key's id as secret": lambda house, tenant: house.signed(tenant.names.key, tenant.names.key),
    "the organisation's id as secret": lambda house, tenant: house.signed(tenant.names.key, tenant.org),
    "no secret at all": _with({"alg": "HS256"}, b""),
    "the secret without its prefix": lambda house, tenant: house.signed(
        tenant.names.key, SECRETS.signing_secret(tenant.names.key).removeprefix("sbsec_")
    ),
    "kid missing": _with({"alg": "HS256", "kid": None}),
    "kid of nobody": lambda house, _: house.signed(_OTHER_KEY),
    "kid of nobody, secret of ours": lambda house, tenant: house.signed(
        _OTHER_KEY, SECRETS.signing_secret(tenant.names.key)
    ),
    "kid that is a path": _with({"alg": "HS256", "kid": "../../dev/null"}, b""),
    "kid that is a number": _with({"alg": "HS256", "kid": 1}),
    "critical extension": _with({"alg": "HS256", "crit": ["x"], "x": 1}),
    "audience of somebody else": _saying(aud="https://somebody.example"),
    "audience missing": _saying(aud=None),
    "exp missing": _saying(exp=None),
    "exp that is no time": _saying(exp="tomorrow"),
    "exp beyond all time": _saying(exp=1e300),
    "not yet valid": lambda house, tenant: house.signed(
        tenant.names.key, nbf=house.clock.now_ms() // 1000 + 60
    ),
    "act that is no object": _saying(act=["ann"]),
    "oversize": _saying(act={"x": "y" * 16_384}),
    "oversize, no JWT": lambda *_: "sba_" + "x" * 20_000,
    "an access token with more behind it": lambda _, tenant: tenant.admin + "x",
    "an access token without its end": lambda _, tenant: tenant.admin[:-1],
    "the secret of a key": lambda _, tenant: SECRETS.signing_secret(tenant.names.key),
    "the id of a key": lambda _, tenant: tenant.names.key,
    "the code of an invitation": lambda _, tenant: tenant.names.code,
    "a subject token": lambda _, tenant: tenant.names.subject_token,
    "the subject token of an anonymous client": lambda house, tenant: subject_token(
        tenant.org, house.clock.now_ms()
    ),
}
"""Tokens that are TOKEN_INVALID."""


async def _expired(house: House, tenant: Tenant) -> Metadata:
    token = house.signed(tenant.names.key, exp=house.clock.now_ms() // 1000 + 60)
    await _used(house, token)
    house.clock.set(house.clock.now_ms() + 66_000)
    return bearer(token)


async def _revoked_key(house: House, tenant: Tenant) -> Metadata:
    token = house.signed(tenant.names.key)
    await _used(house, token)
    await house.made("DeleteKey", bearer(tenant.admin), name=f"keys/{tenant.names.key}")
    return bearer(token)


async def _closed_to_anonymous(house: House, tenant: Tenant) -> Metadata:
    token = await anonymous_token(house, tenant)
    await _used(house, token)
    await house.made("UpdateOrg", bearer(tenant.admin), anonymous_access=False)
    return bearer(token)


async def _deleted_access_token(house: House, tenant: Tenant) -> Metadata:
    me = bearer(tenant.admin)
    made = await house.made("CreateAccessToken", me, display_name="short", request_id="")
    await _used(house, made.secret)
    await house.made("DeleteAccessToken", me, name=made.access_token.name)
    return bearer(made.secret)


async def _removed_member(house: House, tenant: Tenant) -> Metadata:
    await _used(house, tenant.member)
    await house.made("DeleteMember", bearer(tenant.admin), name=f"members/{tenant.names.member}")
    return bearer(tenant.member, tenant.org)


async def _used(house: House, token: str) -> None:
    """The token was good once, and is remembered."""
    await house.made("WhoAmI", bearer(token))


def _sent(metadata: Metadata) -> Spoil:
    async def spoil(house: House, tenant: Tenant) -> Metadata:
        return metadata

    return spoil


def _forged(forge: Forge) -> Spoil:
    async def spoil(house: House, tenant: Tenant) -> Metadata:
        return bearer(forge(house, tenant))

    return spoil


def _as_is(form: str) -> Spoil:
    async def spoil(house: House, tenant: Tenant) -> Metadata:
        return (("authorization", form.format(tenant.admin)),)

    return spoil


BARE: dict[str, Spoil] = {
    "no token": _sent(()),
    "a blank token": _sent((("authorization", "Bearer "),)),
    "another scheme": _as_is("Basic {}"),
    "no scheme": _as_is("{}"),
}
"""Calls without a token: what needs none is open to them. Otherwise TOKEN_INVALID."""

SPOILT: dict[str, tuple[Spoil, str]] = {
    **{name: (_forged(forge), "TOKEN_INVALID") for name, forge in FORGED.items()},
    "expired": (_expired, "TOKEN_EXPIRED"),
    "revoked key": (_revoked_key, "TOKEN_INVALID"),
    "anonymous, after the door was closed": (_closed_to_anonymous, "TOKEN_INVALID"),
    "deleted access token": (_deleted_access_token, "TOKEN_INVALID"),
    "removed member": (_removed_member, "ORG_NOT_FOUND"),
}
"""Bad tokens, with what every RPC refuses them with."""
