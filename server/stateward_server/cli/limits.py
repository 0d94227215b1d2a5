"""`stateward limits`: what the server refuses or cuts off."""

from __future__ import annotations

import click

from stateward_server.cli import shapes
from stateward_server.cli.session import Session, client_command


@click.command("limits")
@client_command
async def limits(session: Session) -> None:
    """Show the limits of the server."""
    async with session.connect() as client:
        found = (await client.limits()).values()
    session.output.listing(
        shapes.LIMITS,
        found,
        empty="The server tells no limits.",
    )
