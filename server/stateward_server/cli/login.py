"""`stateward login|logout|whoami`: get in, with a profile for other commands; get out; see who one is."""

from __future__ import annotations

from dataclasses import replace

import click

from stateward import TLS, Profile
from stateward_server.cli import access_shapes as shapes
from stateward_server.cli import asking, profiles
from stateward_server.cli.failure import USAGE, Failure
from stateward_server.cli.session import TLS_HINT, Session, client_command


@click.command("login")
@click.option("--grpc", required=True, metavar="HOST:PORT", help="Where the server is.")
@click.option("--invitation", is_flag=True, help="Bring an invitation's code instead of an access token.")
@click.option("--name", metavar="NAME", default="", help="With --invitation: what you are called.")
@click.option("--tls", is_flag=True, help="Encrypt, and trust the authorities that this machine trusts.")
@click.option("--allow-plaintext", is_flag=True, help="Let secrets leave this machine unencrypted.")
@asking.yes_option
@client_command
async def login(
    session: Session, *, grpc: str, invitation: bool, name: str, tls: bool, allow_plaintext: bool, yes: bool
) -> None:
    """Write a profile for a server, from an access token.

    The token is read from standard input; a terminal asks for it, and does not show it. With --invitation it
    is an invitation's code, which makes you a member and brings you a token. What --ca, --client-cert,
    --client-key and --server-name say before the command goes into the profile, too.
    """
    profiles.refuse_servers_own(session.profile)
    if session.profile.exists():
        asking.confirm(f"Replace {session.profile}, with the token in it?", yes=yes)
    way_in = session.way_in(grpc, TLS() if tls else None, allow_plaintext=allow_plaintext)
    with profiles.replacing(session.profile) as write:
        secret = asking.secret("invitation code" if invitation else "access token")
        if invitation:
            way_in = await _joined(session, way_in, secret, name)
        else:
            way_in = await _known(session, replace(way_in, token=secret))
        write(profiles.content(way_in))
    session.output.done(
        f"Logged in to {grpc}; the profile is {session.profile}.",
        {"profile": str(session.profile), "grpc": grpc, "org": way_in.org},
    )
    if way_in.org is None:
        session.output.note("Choose an organisation: stateward orgs list, then stateward orgs use ORG.")


async def _joined(session: Session, way_in: Profile, code: str, name: str) -> Profile:
    try:
        async with session.reach(way_in) as stranger:
            joined = await stranger.invitations.accept(code, display_name=name)
    except ValueError as wrong:  # refused before it was sent: errors of the server are failures by now
        raise Failure(str(wrong), reason="TLS", hint=TLS_HINT, exit_code=USAGE) from wrong
    return replace(way_in, token=joined.access_token, org=joined.org.id)


async def _known(session: Session, way_in: Profile) -> Profile:
    async with session.reach(way_in) as client:
        me = await client.who_am_i()
    return replace(way_in, org=me.org)


@click.command("logout")
@click.option("--revoke", is_flag=True, help="Revoke the token first; otherwise it stays valid.")
@asking.yes_option
@client_command
async def logout(session: Session, *, revoke: bool, yes: bool) -> None:
    """Delete the profile that login wrote, with the token in it."""
    profiles.refuse_servers_own(session.profile)
    asking.confirm(f"Delete {session.profile}, with the token in it?", yes=yes)
    if revoke:
        async with session.connect(naming_org=False) as client:
            tokens = [token async for token in client.access_tokens.list() if token.current]
            for token in tokens:
                await client.access_tokens.delete(token)
    existed = session.profile.exists()
    session.profile.unlink(missing_ok=True)
    text = f"Deleted {session.profile}." if existed else f"There is no profile at {session.profile}."
    session.output.done(text, {"profile": str(session.profile), "deleted": existed})


@click.command("whoami")
@client_command
async def whoami(session: Session) -> None:
    """Show who the profile's token makes you, and what you may do."""
    async with session.connect() as client:
        me = await client.who_am_i()
    session.output.thing(
        [("profile", str(session.profile)), *shapes.identity_facts(me)],
        {"profile": str(session.profile), **shapes.identity(me)},
    )
