"""`stateward identity-providers …` and `token-providers …`: whose word is taken, and what is given for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from stateward import providers
from stateward_server.cli import access_shapes as shapes
from stateward_server.cli import asking, values
from stateward_server.cli.group import Commands
from stateward_server.cli.options import limit_option
from stateward_server.cli.session import Session, client_command
from stateward_server.cli.take import take

mapping_option = click.option(
    "--mapping",
    callback=values.checked(values.json_object),
    metavar="JSON",
    help='Which claims are taken over, such as \'{"sub.$": "$.sub"}\'.',
)
_SECRET = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


@click.group("identity-providers", cls=Commands)
def identity_providers() -> None:
    """Say whose tokens tell who a user is."""


@identity_providers.command("put")
@click.option("--issuer", metavar="TEXT", help="The iss of its tokens; any by default.")
@click.option("--audience", metavar="TEXT", help="The aud of its tokens; any by default.")
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    required=True,
    metavar="NAME",
    help="A signature that is accepted, such as RS256; can be repeated.",
)
@click.option("--jwks-url", metavar="URL", help="Where its keys are published.")
@click.option(
    "--key-file",
    type=_SECRET,
    help="Its key instead: an HMAC secret, or a public key in PEM; - is stdin.",
)
@mapping_option
@client_command
async def put(
    session: Session,
    *,
    issuer: str | None,
    audience: str | None,
    algorithms: tuple[str, ...],
    jwks_url: str | None,
    key_file: Path | None,
    mapping: dict[str, Any] | None,
) -> None:
    """Put an identity provider here, in place of one with the same issuer and audience."""
    if (jwks_url is None) == (key_file is None):
        raise click.UsageError("Say where its keys are: --jwks-url URL or --key-file FILE.")
    key = asking.secret_bytes("key", key_file) if key_file else None
    settings = providers.ProviderSettings(issuer, audience, algorithms, jwks_url=jwks_url, key=key)
    await _put(session, settings, mapping)


@identity_providers.command("put-auth0")
@click.option("--domain", required=True, metavar="HOST", help="The tenant's, such as acme.eu.auth0.com.")
@click.option("--audience", metavar="TEXT", help="The identifier of the API that tokens are for.")
@mapping_option
@client_command
async def put_auth0(
    session: Session, *, domain: str, audience: str | None, mapping: dict[str, Any] | None
) -> None:
    """Take the word of an Auth0 tenant."""
    await _put(session, _settings(lambda: providers.auth0(domain, audience)), mapping)


@identity_providers.command("put-cognito")
@click.option("--region", required=True, metavar="NAME", help="Such as eu-central-1.")
@click.option("--user-pool", required=True, metavar="ID", help="Such as eu-central-1_AbCdEfGhI.")
@click.option("--client", metavar="ID", help="Take only ID tokens of this app client.")
@mapping_option
@client_command
async def put_cognito(
    session: Session, *, region: str, user_pool: str, client: str | None, mapping: dict[str, Any] | None
) -> None:
    """Take the word of an AWS Cognito user pool."""
    await _put(session, _settings(lambda: providers.cognito(region, user_pool, client)), mapping)


@identity_providers.command("put-supabase")
@click.option("--project", required=True, metavar="TEXT", help="The project's reference, or its address.")
@click.option(
    "--secret-file",
    type=_SECRET,
    help="The legacy JWT secret of a project that signs with HS256; - is stdin.",
)
@mapping_option
@client_command
async def put_supabase(
    session: Session, *, project: str, secret_file: Path | None, mapping: dict[str, Any] | None
) -> None:
    """Take the word of a Supabase project."""
    secret = asking.secret_text("JWT secret", secret_file) if secret_file else None
    await _put(session, _settings(lambda: providers.supabase(project, secret)), mapping)


@identity_providers.command("list")
@limit_option
@client_command
async def list_identity_providers(session: Session, limit: int | None) -> None:
    """List the identity providers."""
    async with session.connect() as client:
        found = await take(client.identity_providers.list(), limit)
    session.output.listing(
        shapes.IDENTITY_PROVIDERS,
        found,
        empty="There are no identity providers.",
    )


@identity_providers.command("delete")
@click.argument("provider")
@asking.yes_option
@client_command
async def delete_identity_provider(session: Session, provider: str, *, yes: bool) -> None:
    """Delete PROVIDER, idp_…; tokens given on its word stay valid until they expire."""
    asking.confirm(f"Delete identity provider {provider}?", yes=yes)
    async with session.connect() as client:
        await client.identity_providers.delete(provider)
    session.output.done(
        f"Deleted identity provider {provider}.", {"identity_provider": provider, "deleted": True}
    )


@click.group("token-providers", cls=Commands)
def token_providers() -> None:
    """Say what tokens known users are given."""


@token_providers.command("put")
@click.argument("service")
@click.option("--key", required=True, metavar="ID", help="The key that signs them, sbk_…")
@mapping_option
@client_command
async def put_token_provider(
    session: Session, service: str, *, key: str, mapping: dict[str, Any] | None
) -> None:
    """Put a token provider called SERVICE here, in place of one with that name.

    Without --mapping all claims of the identity are taken over.
    """
    async with session.connect() as client:
        provider = await client.token_providers.put(service, key=key, mapping=mapping)
    session.output.done(f"Put token provider {service}.", shapes.token_provider(provider))


@token_providers.command("list")
@limit_option
@client_command
async def list_token_providers(session: Session, limit: int | None) -> None:
    """List the token providers."""
    async with session.connect() as client:
        found = await take(client.token_providers.list(), limit)
    session.output.listing(
        shapes.TOKEN_PROVIDERS,
        found,
        empty="There are no token providers. Make one: stateward token-providers put SERVICE --key ID",
    )


@token_providers.command("delete")
@click.argument("service")
@asking.yes_option
@client_command
async def delete_token_provider(session: Session, service: str, *, yes: bool) -> None:
    """Delete the token provider SERVICE; tokens that it has given stay valid until they expire."""
    asking.confirm(f"Delete token provider {service}?", yes=yes)
    async with session.connect() as client:
        await client.token_providers.delete(service)
    session.output.done(f"Deleted token provider {service}.", {"token_provider": service, "deleted": True})


async def _put(
    session: Session, settings: providers.ProviderSettings, mapping: dict[str, Any] | None
) -> None:
    chosen = settings if mapping is None else replace(settings, mapping=mapping)
    async with session.connect() as client:
        provider = await client.identity_providers.put(chosen)
    session.output.done(f"Put identity provider {provider.id}.", shapes.identity_provider(provider))


def _settings(make: Callable[[], providers.ProviderSettings]) -> providers.ProviderSettings:
    """Make the settings of a well-known provider; a slip in what was given is a usage error."""
    try:
        return make()
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from wrong
