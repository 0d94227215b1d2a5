"""`stateward members …` and `stateward invitations …`: who belongs to an organisation, and who may yet."""

from __future__ import annotations

import click

from stateward import Role
from stateward_server.cli import access_shapes as shapes
from stateward_server.cli import asking
from stateward_server.cli.group import Commands
from stateward_server.cli.options import limit_option
from stateward_server.cli.session import Session, client_command
from stateward_server.cli.shapes import second
from stateward_server.cli.take import take

role_option = click.option(
    "--role",
    type=click.Choice([role.value for role in Role if role is not Role.UNKNOWN]),
    required=True,
    help="What the person may do: all, all but letting others in, or look.",
)


@click.group("members", cls=Commands)
def members() -> None:
    """List members, change their roles, remove them."""


@members.command("list")
@limit_option
@client_command
async def list_members(session: Session, limit: int | None) -> None:
    """List the members of the organisation."""
    async with session.connect() as client:
        found = await take(client.members.list(), limit)
    session.output.listing(
        shapes.MEMBERS,
        found,
        empty="The organisation has no members.",
    )


@members.command("set-role")
@click.argument("member")
@role_option
@client_command
async def set_role(session: Session, member: str, *, role: str) -> None:
    """Give MEMBER, usr_…, another role; it holds at once."""
    async with session.connect() as client:
        changed = await client.members.set_role(member, Role(role))
    session.output.done(f"{member} is {role} now.", shapes.member(changed))


@members.command("remove")
@click.argument("member")
@asking.yes_option
@client_command
async def remove(session: Session, member: str, *, yes: bool) -> None:
    """Take MEMBER, usr_…, out of the organisation, or leave it."""
    asking.confirm(f"Remove {member} from the organisation?", yes=yes)
    async with session.connect() as client:
        await client.members.remove(member)
    session.output.done(f"Removed {member}.", {"member": member, "removed": True})


@click.group("invitations", cls=Commands)
def invitations() -> None:
    """Invite people, and take invitations up."""


@invitations.command("create")
@role_option
@click.option("--note", metavar="TEXT", default="", help="Whom it is for, such as an address.")
@click.option(
    "--valid-hours", type=click.IntRange(1, 720), metavar="N", help="For how long; a week by default."
)
@client_command
async def create(session: Session, *, role: str, note: str, valid_hours: int | None) -> None:
    """Invite somebody. The code that is shown lets one person in, whoever brings it."""
    async with session.connect() as client:
        made = await client.invitations.create(Role(role), note=note, valid_hours=valid_hours)
    invitation = made.invitation
    session.output.thing(
        [
            ("invitation", invitation.id),
            ("code", made.code),
            ("role", invitation.role.value),
            ("expires", second(invitation.expire_time)),
        ],
        {**shapes.invitation(invitation), "code": made.code},
    )
    session.output.note(
        "The code is a secret, and is not shown again. A new person takes it up with\nstateward login "
        "--grpc HOST:PORT --invitation, and who has a profile with stateward invitations accept."
    )


@invitations.command("list")
@limit_option
@client_command
async def list_invitations(session: Session, limit: int | None) -> None:
    """List the invitations that nobody has taken up."""
    async with session.connect() as client:
        found = await take(client.invitations.list(), limit)
    session.output.listing(
        shapes.INVITATIONS,
        found,
        empty="There are no invitations. Make one: stateward invitations create --role ROLE",
    )


@invitations.command("delete")
@click.argument("invitation")
@client_command
async def delete(session: Session, invitation: str) -> None:
    """Withdraw INVITATION, inv_…; its code is of no use any more."""
    async with session.connect() as client:
        await client.invitations.delete(invitation)
    session.output.done(f"Withdrew invitation {invitation}.", {"invitation": invitation, "deleted": True})


@invitations.command("accept")
@client_command
async def accept(session: Session) -> None:
    """Join an organisation as the person that the profile is of.

    The invitation's code is read from standard input; a terminal asks for it, and does not show it. Who has
    no profile yet takes it up with login --invitation.
    """
    async with session.connect(naming_org=False) as client:
        joined = await client.invitations.accept(asking.secret("invitation code"))
    session.output.done(
        f"Joined {joined.org.display_name} ({joined.org.id}) as {joined.member.role.value}.",
        {**shapes.org(joined.org), "member": joined.member.id},
    )
    session.output.note(f"To work in it: stateward orgs use {joined.org.id}")
