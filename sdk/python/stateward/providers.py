"""Well-known identity providers: what each needs to be told, as values for the organisation's settings.

    auth0(domain="acme.eu.auth0.com", audience="https://api.acme.com/")
    cognito(region="eu-central-1", user_pool_id="eu-central-1_AbCdEfGhI", client_id="1h57kf5cpq17m0eml12")
    supabase(project="abcdefghijklmnopqrst", jwt_secret="…")

Pure functions: nothing is fetched. All raise ValueError for what cannot be such a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .state import Json

__all__ = ["ProviderSettings", "auth0", "cognito", "supabase"]

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")
_POOL = re.compile(r"[A-Za-z0-9-]+_[A-Za-z0-9]+")
_PROJECT = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """How the tokens of an identity provider are recognised, verified and read.

    Either `jwks_url` or `key` is given. None as the issuer or the audience matches any; one of them is given.
    """

    issuer: str | None
    audience: str | None
    algorithms: tuple[str, ...]
    """JWA names of the signatures to accept."""
    jwks_url: str | None = None
    key: bytes | None = field(default=None, repr=False)
    """The shared secret of HS256 tokens."""
    mapping: Mapping[str, Json] = field(default_factory=lambda: {"sub.$": "$.sub"})
    """Which claims are taken over."""


def auth0(domain: str, audience: str | None = None) -> ProviderSettings:
    """Return the settings for access tokens of an Auth0 tenant.

    Args:
        domain: The tenant's domain, such as `acme.eu.auth0.com`, or a custom one; with or without `https://`.
        audience: The identifier of the API that tokens are for. The default is its Management API, as
            with State Backed.
    """
    host = _host(domain, "an Auth0 domain")
    return ProviderSettings(
        issuer=f"https://{host}/",
        audience=f"https://{host}/api/v2/" if audience is None else audience,
        algorithms=("RS256",),
        jwks_url=f"https://{host}/.well-known/jwks.json",
    )


def cognito(region: str, user_pool_id: str, client_id: str | None = None) -> ProviderSettings:
    """Return the settings for tokens of an AWS Cognito user pool.

    Args:
        region: The region of the pool, such as `eu-central-1`.
        user_pool_id: Such as `eu-central-1_AbCdEfGhI`.
        client_id: Take only ID tokens of this app client. Without it any token of the pool is taken; access
            tokens name no audience, so they are taken only then.
    """
    _check(_REGION, region, "an AWS region, such as eu-central-1")
    _check(_POOL, user_pool_id, "the id of a user pool, such as eu-central-1_AbCdEfGhI")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    issuer = f"https://cognito-idp.{region}.{suffix}/{user_pool_id}"
    return ProviderSettings(
        issuer=issuer,
        audience=client_id,
        algorithms=("RS256",),
        jwks_url=f"{issuer}/.well-known/jwks.json",
        mapping={"sub.$": "$.sub", "groups.$": "$['cognito:groups']"},
    )


def supabase(project: str, jwt_secret: str | None = None) -> ProviderSettings:
    """Return the settings for tokens of signed-in users of a Supabase project.

    Args:
        project: The project's reference, or the address of its API, also of one you host yourself.
        jwt_secret: The legacy JWT secret of projects that sign with HS256. Without it the project's published
            signing keys are used.
    """
    if _PROJECT.fullmatch(project):
        base = f"https://{project}.supabase.co"
    else:
        base = f"https://{_host(project, 'a Supabase project reference or address')}"
    issuer = f"{base}/auth/v1"
    mapping: dict[str, Json] = {"sub.$": "$.sub", "email.$": "$.email"}
    if jwt_secret is None:
        url = f"{issuer}/.well-known/jwks.json"
        return ProviderSettings(issuer, "authenticated", ("ES256", "RS256"), jwks_url=url, mapping=mapping)
    if not jwt_secret:
        raise ValueError("the JWT secret is empty")
    return ProviderSettings(issuer, "authenticated", ("HS256",), key=jwt_secret.encode(), mapping=mapping)


def _host(text: str, what: str) -> str:
    """Take a host name, or the https address of its root."""
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme != "https" or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is not {what}: give the host name alone")
    host = parts.netloc.lower()
    _check(_HOST, host, what)
    return host


def _check(pattern: re.Pattern[str], text: str, what: str) -> None:
    if not pattern.fullmatch(text):
        raise ValueError(f"{text!r} is not {what}")
