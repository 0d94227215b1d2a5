"""`stateward dead-letters …`: see what could not be delivered, and decide about it."""

from __future__ import annotations

import click

from stateward_server.cli import shapes
from stateward_server.cli.group import Commands
from stateward_server.cli.options import instance_option, limit_option, machine_option
from stateward_server.cli.session import Session, client_command
from stateward_server.cli.take import take

letter_option = click.option(
    "--id", "number", type=click.IntRange(min=1), required=True, metavar="N", help="The dead letter's number."
)


@click.group("dead-letters", cls=Commands)
def dead_letters() -> None:
    """See what could not be delivered; retry or discard it."""


@dead_letters.command("list")
@machine_option
@click.option("--instance", "-i", metavar="NAME", help="Of this instance only.")
@limit_option
@client_command
async def list_(session: Session, machine: str, *, instance: str | None, limit: int | None) -> None:
    """List dead letters of a machine's instances, oldest first."""
    async with session.connect() as client:
        owner = client.machine(machine)
        letters = owner.dead_letters() if instance is None else owner.instance(instance).dead_letters()
        found = await take(letters, limit)
    session.output.listing(
        shapes.DEAD_LETTERS,
        found,
        empty="There are no dead letters.",
    )


@dead_letters.command("retry")
@machine_option
@instance_option
@letter_option
@client_command
async def retry(session: Session, machine: str, instance: str, *, number: int) -> None:
    """Put a dead letter back, to be attempted anew."""
    async with session.connect() as client:
        await client.machine(machine).instance(instance).retry_dead_letter(number)
    session.output.done(
        f"Dead letter {number} is on its way again.",
        {"machine": machine, "instance": instance, "id": number, "retried": True},
    )


@dead_letters.command("discard")
@machine_option
@instance_option
@letter_option
@client_command
async def discard(session: Session, machine: str, instance: str, *, number: int) -> None:
    """Delete a dead letter for good."""
    async with session.connect() as client:
        await client.machine(machine).instance(instance).discard_dead_letter(number)
    session.output.done(
        f"Discarded dead letter {number}.",
        {"machine": machine, "instance": instance, "id": number, "discarded": True},
    )
