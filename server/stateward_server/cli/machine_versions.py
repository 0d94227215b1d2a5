"""`stateward machine-versions …`: upload modules of a machine, and list them."""

from __future__ import annotations

from pathlib import Path

import click

from stateward_server.cli import shapes
from stateward_server.cli.group import Commands
from stateward_server.cli.modules import module_options, prepare, upload
from stateward_server.cli.options import limit_option, machine_option
from stateward_server.cli.session import Session, client_command
from stateward_server.cli.take import take


@click.group("machine-versions", cls=Commands)
def machine_versions() -> None:
    """Upload and list the versions of a machine."""


@machine_versions.command("create")
@machine_option
@module_options(required=True)
@click.option(
    "--make-current/--no-make-current",
    default=False,
    show_default=True,
    help="Make it the version that new instances start with.",
)
@client_command
async def create(
    session: Session,
    machine: str,
    *,
    node: Path | None,
    file: Path | None,
    xstate: str | None,
    client_info: str,
    index_selectors: dict[str, str] | None,
    make_current: bool,
) -> None:
    """Upload a module as a new version of a machine."""
    module = prepare(session, node=node, file=file, xstate=xstate)
    if module is None:
        raise click.UsageError("Name the module with --node FILE or --file FILE.")
    async with session.connect() as client:
        handle = client.machine(machine)
        version = await upload(
            session,
            handle,
            module,
            make_current=make_current,
            client_info=client_info,
            index_selectors=index_selectors,
        )
    text = f"Created version {version.id} of machine {machine}{', now current' if make_current else ''}."
    session.output.done(text, {**shapes.version(version), "current": make_current})
    if not make_current:
        session.output.note(
            "New instances do not start with it until you say so: "
            f"stateward machine-versions make-current --machine {machine} --version {version.id}"
        )


@machine_versions.command("make-current")
@machine_option
@click.option("--version", required=True, metavar="ID", help="The version, ver_….")
@client_command
async def make_current(session: Session, machine: str, version: str) -> None:
    """Choose the version that new instances start with."""
    async with session.connect() as client:
        info = await client.machine(machine).set_current_version(version)
    session.output.done(f"Version {version} is now current.", shapes.machine(info))


@machine_versions.command("list")
@machine_option
@limit_option
@client_command
async def list_(session: Session, machine: str, limit: int | None) -> None:
    """List a machine's versions, oldest first."""
    async with session.connect() as client:
        current = (await client.machine(machine).get()).current_version
        found = await take(client.machine(machine).versions(), limit)
    session.output.listing(
        shapes.versions(current),
        found,
        empty=f"Machine {machine} has no versions yet.",
    )
