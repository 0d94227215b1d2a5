"""`stateward instances pause|resume|timers|cancel-timer`: what administrators do with a living instance."""

from __future__ import annotations

import click

from stateward import InstanceInfo
from stateward_server.cli import shapes
from stateward_server.cli.options import instance_option, limit_option, machine_option
from stateward_server.cli.session import Session, client_command
from stateward_server.cli.take import take


@click.command("pause")
@machine_option
@instance_option
@client_command
async def pause(session: Session, machine: str, instance: str) -> None:
    """Refuse an instance's events until it is resumed.

    Its timers, messages and what its services say wait meanwhile.
    """
    async with session.connect() as client:
        info = await client.machine(machine).instance(instance).pause()
    session.output.done(f"Paused instance {instance} at revision {info.revision}.", _document(info))


@click.command("resume")
@machine_option
@instance_option
@client_command
async def resume(session: Session, machine: str, instance: str) -> None:
    """Resume a paused instance; what has waited is delivered in order."""
    async with session.connect() as client:
        info = await client.machine(machine).instance(instance).resume()
    session.output.done(f"Resumed instance {instance} at revision {info.revision}.", _document(info))


@click.command("timers")
@machine_option
@instance_option
@limit_option
@client_command
async def timers(session: Session, machine: str, instance: str, *, limit: int | None) -> None:
    """List an instance's pending timers."""
    async with session.connect() as client:
        found = await take(client.machine(machine).instance(instance).timers(), limit)
    session.output.listing(
        shapes.TIMERS,
        found,
        empty=f"Instance {instance} has no pending timers.",
    )


@click.command("cancel-timer")
@machine_option
@instance_option
@click.option("--timer", "-t", required=True, metavar="ID", help="The timer, as `instances timers` shows it.")
@client_command
async def cancel_timer(session: Session, machine: str, instance: str, *, timer: str) -> None:
    """Cancel a pending timer; the machine is not told."""
    async with session.connect() as client:
        await client.machine(machine).instance(instance).cancel_timer(timer)
    session.output.done(
        f"Cancelled timer {timer}.",
        {"machine": machine, "instance": instance, "timer": timer, "cancelled": True},
    )


def _document(info: InstanceInfo) -> shapes.Document:
    return {"machine": info.machine, **shapes.instance(info)}
