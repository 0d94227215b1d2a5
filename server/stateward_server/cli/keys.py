"""`stateward keys …`, `tokens generate` and `access-tokens …`: what programs and people come in with."""

from __future__ import annotations

import os
from typing import Any, Literal

import click

from stateward import tokens as signing
from stateward_server.cli import access_shapes as shapes
from stateward_server.cli import asking, profiles, values
from stateward_server.cli.group import Commands
from stateward_server.cli.options import limit_option
from stateward_server.cli.session import Session, client_command
from stateward_server.cli.take import take

SECRET_VARIABLE = "STATEWARD_KEY_SECRET"  # noqa: S105 - a name
ONCE = "The secret is not shown again: keep it where it is safe."

name_option = click.option("--name", metavar="NAME", default="", help="What to call it.")


@click.group("keys", cls=Commands)
def keys() -> None:
    """Make, list and revoke keys, which sign tokens for end users."""


@keys.command("create")
@name_option
@click.option(
    "--use",
    type=click.Choice(["production", "ci"]),
    help="production: what an application's end users need; ci: what publishing machines needs.",
)
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="A scope more; can be repeated.")
@client_command
async def create(
    session: Session, *, name: str, use: Literal["production", "ci"] | None, scopes: tuple[str, ...]
) -> None:
    """Make a key. Its secret is shown once."""
    if use is None and not scopes:
        raise click.UsageError("Say what the key is for: --use production, --use ci, or --scope SCOPE.")
    async with session.connect() as client:
        made = await client.keys.create(name, use=use, scopes=scopes)
    session.output.thing(
        [("key", made.key.id), ("secret", made.secret), ("scopes", ", ".join(made.key.scopes))],
        {**shapes.key(made.key), "secret": made.secret},
    )
    session.output.note(ONCE)


@keys.command("list")
@limit_option
@client_command
async def list_keys(session: Session, limit: int | None) -> None:
    """List keys, without their secrets."""
    async with session.connect() as client:
        found = await take(client.keys.list(), limit)
    session.output.listing(
        shapes.KEYS,
        found,
        empty="There are no keys. Make one: stateward keys create --use production",
    )


@keys.command("delete")
@click.argument("key")
@asking.yes_option
@client_command
async def delete(session: Session, key: str, *, yes: bool) -> None:
    """Revoke KEY, sbk_…: all tokens that it signed are refused from now on."""
    asking.confirm(f"Revoke key {key}, and with it all tokens that it signed?", yes=yes)
    async with session.connect() as client:
        await client.keys.delete(key)
    session.output.done(f"Revoked key {key}.", {"key": key, "deleted": True})


@click.group("tokens", cls=Commands)
def tokens() -> None:
    """Sign tokens for end users."""


@tokens.command("generate")
@click.option("--key", metavar="ID", help="The key, sbk_…; the profile's, if it has one.")
@click.option(
    "--claims",
    required=True,
    callback=values.checked(values.json_object),
    metavar="JSON",
    help="What allowRead and allowWrite get as authContext.",
)
@click.option(
    "--ttl",
    default="1h",
    show_default=True,
    callback=values.checked(values.duration),
    metavar="DURATION",
    help="How long the token is valid.",
)
@client_command
async def generate(session: Session, *, key: str | None, claims: dict[str, Any], ttl: float) -> None:
    """Sign a token, without a server.

    The key's secret comes from the environment variable STATEWARD_KEY_SECRET, or from the profile if it is of
    that key, as a server's admin.json is; otherwise it is read from standard input.
    """
    profile = profiles.members(session.profile)
    key = key or profile.get("key_id")
    if not isinstance(key, str) or not key.startswith("sbk_"):
        raise click.UsageError("Name the key with --key ID, sbk_…; see stateward keys list.")
    secret = os.environ.get(SECRET_VARIABLE)
    if secret is None and profile.get("key_id") == key:
        secret = profile.get("key_secret")
    secret = secret or asking.secret("key secret")
    if not secret.startswith("sbsec_"):
        raise click.UsageError("A key's secret begins with sbsec_; keys create has shown it.")
    token = signing.sign(key, secret, claims, expires_in=ttl)
    session.output.done(token, {"token": token, "key": key, "expires_in": int(ttl)})


@click.group("access-tokens", cls=Commands)
def access_tokens() -> None:
    """Make, list and revoke your own access tokens."""


@access_tokens.command("create")
@name_option
@client_command
async def create_access_token(session: Session, *, name: str) -> None:
    """Make another access token for yourself. It is shown once."""
    async with session.connect(naming_org=False) as client:
        made = await client.access_tokens.create(name)
    session.output.thing(
        [("token", made.access_token.id), ("secret", made.secret)],
        {**shapes.access_token(made.access_token), "secret": made.secret},
    )
    session.output.note(ONCE)


@access_tokens.command("list")
@limit_option
@client_command
async def list_access_tokens(session: Session, limit: int | None) -> None:
    """List your access tokens, without their secrets."""
    async with session.connect(naming_org=False) as client:
        found = await take(client.access_tokens.list(), limit)
    session.output.listing(
        shapes.ACCESS_TOKENS,
        found,
        empty="You have no access tokens.",
    )


@access_tokens.command("delete")
@click.argument("token")
@asking.yes_option
@client_command
async def delete_access_token(session: Session, token: str, *, yes: bool) -> None:
    """Revoke TOKEN, sat_…: it is refused from now on."""
    asking.confirm(f"Revoke access token {token}?", yes=yes)
    async with session.connect(naming_org=False) as client:
        await client.access_tokens.delete(token)
    session.output.done(f"Revoked access token {token}.", {"access_token": token, "deleted": True})
