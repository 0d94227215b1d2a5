from __future__ import annotations

import pytest

from stateward.providers import ProviderSettings, auth0, cognito, supabase


@pytest.mark.parametrize(
    "domain", ["acme.eu.auth0.com", "https://acme.eu.auth0.com", "https://Acme.eu.Auth0.com/"]
)
def test_auth0_has_a_slash_at_the_end_of_its_issuer(domain: str) -> None:
    assert auth0(domain, audience="https://api.acme.com/") == ProviderSettings(
        issuer="https://acme.eu.auth0.com/",
        audience="https://api.acme.com/",
        algorithms=("RS256",),
        jwks_url="https://acme.eu.auth0.com/.well-known/jwks.json",
        mapping={"sub.$": "$.sub"},
    )


def test_auth0_without_an_audience_means_the_management_api() -> None:
    assert auth0("acme.us.auth0.com").audience == "https://acme.us.auth0.com/api/v2/"


def test_cognito_knows_its_pool_and_if_told_its_client() -> None:
    settings = cognito("eu-central-1", "eu-central-1_AbCdEfGhI", "client")
    assert settings == ProviderSettings(
        issuer="https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
        audience="client",
        algorithms=("RS256",),
        jwks_url="https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI/.well-known/jwks.json",
        mapping={"sub.$": "$.sub", "groups.$": "$['cognito:groups']"},
    )
    assert cognito("eu-central-1", "eu-central-1_AbCdEfGhI").audience is None


def test_cognito_in_china_has_its_own_domain() -> None:
    assert cognito("cn-north-1", "cn-north-1_a").issuer == (
        "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_a"
    )


def test_supabase_has_published_keys_or_a_secret() -> None:
    published = supabase("abcdefghijklmnopqrst")
    assert published.issuer == "https://abcdefghijklmnopqrst.supabase.co/auth/v1"
    assert published.audience == "authenticated"
    assert published.jwks_url == f"{published.issuer}/.well-known/jwks.json"
    assert (published.algorithms, published.key) == (("ES256", "RS256"), None)

    secret = supabase("https://abcdefghijklmnopqrst.supabase.co/", jwt_secret="the secret")
    assert (secret.issuer, secret.audience) == (published.issuer, published.audience)
    assert (secret.algorithms, secret.key, secret.jwks_url) == (("HS256",), b"the secret", None)


def test_a_secret_is_not_shown() -> None:
    assert "the secret" not in repr(supabase("abc", jwt_secret="the secret"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme",
        "a b.com",
        "acme.com/path",
        "http://acme.com",
        "acme.com?x",
        "user@acme.com",
        "a..b",
        "-a.b",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an Auth0 domain"):
        auth0(text)


@pytest.mark.parametrize(
    ("region", "pool"),
    [
        ("", "a_b"),
        ("eu-central-1/", "a_b"),
        ("eu-central-1", "a/b"),
        ("eu-central-1", "a_b/.."),
        ("EU", "a_b"),
    ],
)
def test_what_is_no_pool_is_refused(region: str, pool: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        cognito(region, pool)


@pytest.mark.parametrize(("project", "secret"), [("", None), ("a/b", None), ("abc", ""), ("a_b", None)])
def test_what_is_no_project_is_refused(project: str, secret: str | None) -> None:
    with pytest.raises(ValueError, match=r"is not|is empty"):
        supabase(project, secret)
