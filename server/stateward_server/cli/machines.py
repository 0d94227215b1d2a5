"""`stateward machines …`: create machines, with a first version if a module is given, and look after them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stateward import IndexCondition, errors
from stateward_server.cli import shapes, values
from stateward_server.cli.asking import confirm, yes_option
from stateward_server.cli.failure import Failure
from stateward_server.cli.group import Commands
from stateward_server.cli.modules import module_options, prepare, upload
from stateward_server.cli.options import auth_context_option, limit_option, named
from stateward_server.cli.session import Session, client_command
from stateward_server.cli.take import take


@click.group(cls=Commands)
def machines() -> None:
    """Create, list and delete machines."""


@machines.command("create")
@named("machine")
@click.option(
    "--index", "indexes", multiple=True, metavar="NAME", help="An index of its instances; can be repeated."
)
@module_options(required=False)
@client_command
async def create(
    session: Session,
    machine: str,
    *,
    node: Path | None,
    file: Path | None,
    xstate: str | None,
    client_info: str,
    indexes: tuple[str, ...],
    index_selectors: dict[str, str] | None,
) -> None:
    """Create a machine, with a first version if given.

    The version becomes the current one. If the module is refused, the machine is not created.
    Indexes cannot be added later.
    """
    module = prepare(session, node=node, file=file, xstate=xstate)
    async with session.connect() as client:
        handle = client.machine(machine)
        await handle.create(indexes=indexes)
        if module is None:
            session.output.done(f"Created machine {machine}.", shapes.machine(await handle.get()))
            return
        try:
            version = await upload(
                session,
                handle,
                module,
                make_current=True,
                client_info=client_info,
                index_selectors=index_selectors,
            )
        except (errors.InvalidArgument, errors.IndexNotFound, Failure):
            # So that the same command works once the module is mended.
            await handle.delete()
            raise
        body = {
            **shapes.machine(await handle.get()),
            "created_version": {**shapes.version(version), "current": True},
        }
        session.output.done(f"Created machine {machine} with version {version.id}.", body)


@machines.command("get")
@named("machine")
@client_command
async def get(session: Session, machine: str) -> None:
    """Show one machine."""
    async with session.connect() as client:
        info = await client.machine(machine).get()
    session.output.thing(
        [
            ("machine", info.name),
            ("current version", info.current_version or "-"),
            ("indexes", ", ".join(info.indexes) or "-"),
            ("created", shapes.moment(info.create_time)),
        ],
        shapes.machine(info),
    )


@machines.command("list")
@limit_option
@client_command
async def list_(session: Session, limit: int | None) -> None:
    """List machines by name."""
    async with session.connect() as client:
        found = await take(client.machines(), limit)
    session.output.listing(
        shapes.MACHINES,
        found,
        empty="There are no machines yet. Create one: stateward machines create NAME --node FILE",
    )


@machines.command("watch")
@named("machine")
@click.option("--state", "states", multiple=True, metavar="PATH", help="In this state; several mean any.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="With this tag; several mean any.")
@click.option(
    "--index",
    "indexes",
    multiple=True,
    callback=values.each_checked(values.condition),
    metavar="INDEX=VALUE",
    help="With such a value in an index; also !=, <, <=, >, >=. Several mean all.",
)
@auth_context_option
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after this many lines.")
@client_command
async def watch(
    session: Session,
    machine: str,
    *,
    states: tuple[str, ...],
    tags: tuple[str, ...],
    indexes: tuple[IndexCondition, ...],
    auth_context: dict[str, Any] | None,
    count: int | None,
) -> None:
    """Show a machine's instances as they enter, change and leave.

    Those that match now come first, as entered. Continues after a lost connection without a gap. Ends with
    Ctrl-C.
    """
    seen = 0
    async with session.connect() as connected:
        client = connected if auth_context is None else connected.acting_as(auth_context)
        watching = client.machine(machine).watch(
            states=states, tags=tags, indexes=indexes, on_reconnect=session.output.reconnect
        )
        async with watching as events:
            async for event in events:
                if session.output.as_json:
                    session.output.document(shapes.event(event))
                else:
                    session.output.line(shapes.event_line(event))
                seen += 1
                if count is not None and seen >= count:
                    return


@machines.command("delete")
@named("machine")
@yes_option
@client_command
async def delete(session: Session, machine: str, *, yes: bool) -> None:
    """Delete a machine and its versions. It must have no instances."""
    confirm(f"Delete machine {machine} and all its versions?", yes=yes)
    async with session.connect() as client:
        await client.machine(machine).delete()
    session.output.done(f"Deleted machine {machine}.", {"machine": machine, "deleted": True})
