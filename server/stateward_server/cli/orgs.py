"""`stateward orgs …`: create organisations, look at and change them, choose one to work in."""

from __future__ import annotations

import click

from stateward import Org
from stateward_server.cli import access_shapes as shapes
from stateward_server.cli import profiles
from stateward_server.cli.failure import Failure
from stateward_server.cli.group import Commands
from stateward_server.cli.options import limit_option
from stateward_server.cli.session import Session, client_command
from stateward_server.cli.take import take


@click.group("orgs", cls=Commands)
def orgs() -> None:
    """Create and choose organisations; open and close them."""


@orgs.command("create")
@click.argument("name")
@click.option("--deny-anonymous", is_flag=True, help="Let nobody in without an account.")
@client_command
async def create(session: Session, name: str, *, deny_anonymous: bool) -> None:
    """Create an organisation called NAME, which you own."""
    async with session.connect(naming_org=False) as client:
        org = await client.orgs.create(name, deny_anonymous=deny_anonymous)
    session.output.done(f"Created organisation {org.id}.", shapes.org(org))
    session.output.note(f"To work in it: stateward orgs use {org.id}")


@orgs.command("list")
@limit_option
@client_command
async def list_(session: Session, limit: int | None) -> None:
    """List the organisations that you belong to."""
    async with session.connect(naming_org=False) as client:
        found = await take(client.orgs.list(), limit)
    current = session.org
    session.output.listing(
        shapes.orgs(current),
        found,
        empty="You belong to no organisation. Create one: stateward orgs create NAME",
    )


@orgs.command("get")
@client_command
async def get(session: Session) -> None:
    """Show the organisation that commands are about."""
    async with session.connect() as client:
        org = await client.orgs.get()
    session.output.thing(shapes.org_facts(org), shapes.org(org))


@orgs.command("update")
@click.option("--name", metavar="NAME", help="What to call it from now on.")
@click.option(
    "--allow-anonymous/--deny-anonymous",
    default=None,
    help="Let people in without an account, or do not; denying also ends the streams of those who are there.",
)
@client_command
async def update(session: Session, *, name: str | None, allow_anonymous: bool | None) -> None:
    """Rename the organisation, or open or close it to anonymous sessions."""
    if name is None and allow_anonymous is None:
        raise click.UsageError("Say what to change: --name, --allow-anonymous or --deny-anonymous.")
    async with session.connect() as client:
        org = await client.orgs.update(display_name=name, anonymous_access=allow_anonymous)
    session.output.thing(shapes.org_facts(org), shapes.org(org))


@orgs.command("use")
@click.argument("org")
@client_command
async def use(session: Session, org: str) -> None:
    """Let commands be about ORG, an id or a name, from now on: the profile remembers it."""
    async with session.connect(naming_org=False) as client:
        chosen = _one([each async for each in client.orgs.list()], org)
    with profiles.replacing(session.profile) as write:
        write({**profiles.members(session.profile), "org": chosen.id})
    session.output.done(
        f"Commands with the profile {session.profile} are about {chosen.display_name} ({chosen.id}) now.",
        {**shapes.org(chosen), "profile": str(session.profile)},
    )


def _one(found: list[Org], wanted: str) -> Org:
    chosen = [each for each in found if wanted in (each.id, each.display_name)]
    if len(chosen) == 1:
        return chosen[0]
    text = "several organisations are called" if chosen else "you belong to no organisation"
    raise Failure(f"{text} {wanted!r}", reason="ORG_NOT_FOUND", hint="see their ids: stateward orgs list")
