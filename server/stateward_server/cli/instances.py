"""`stateward instances …`: create instances, send them events, and look at what became of them."""

from __future__ import annotations

from typing import Any

import click

from stateward import Mode, Wait
from stateward_server.cli import shapes, values
from stateward_server.cli.asking import confirm, yes_option
from stateward_server.cli.group import Commands
from stateward_server.cli.options import (
    auth_context_option,
    instance_option,
    limit_option,
    machine_option,
    timeout_option,
    wait_option,
)
from stateward_server.cli.session import Session, client_command
from stateward_server.cli.take import take


@click.group(cls=Commands)
def instances() -> None:
    """Create instances, send them events, watch them."""


@instances.command("create")
@machine_option
@instance_option
@click.option(
    "--context",
    callback=values.checked(values.json_object),
    metavar="JSON",
    help="Initial context, merged over the machine's own; XState 5 also gets it as input.",
)
@auth_context_option
@click.option("--version", metavar="ID", help="The version to run; the machine's current one by default.")
@wait_option
@timeout_option
@client_command
async def create(
    session: Session,
    machine: str,
    instance: str,
    *,
    context: dict[str, Any] | None,
    auth_context: dict[str, Any] | None,
    version: str | None,
    wait: Wait | None,
    timeout: float | None,
) -> None:
    """Create an instance and show its first state."""
    async with session.connect() as client:
        handle = client.machine(machine).instance(instance, auth_context=auth_context)
        answer = await handle.create(context=context, version=version, wait=_waiting(wait, timeout))
    session.output.thing(
        [("machine", machine), ("instance", instance), *shapes.reply_facts(answer)],
        {"machine": machine, "instance": instance, **shapes.reply(answer)},
    )


@instances.command("get")
@machine_option
@instance_option
@auth_context_option
@client_command
async def get(session: Session, machine: str, instance: str, *, auth_context: dict[str, Any] | None) -> None:
    """Show an instance's state."""
    async with session.connect() as client:
        handle = client.machine(machine).instance(instance, auth_context=auth_context)
        info, state = await handle.info(), await handle.get()
    session.output.thing(
        [
            ("machine", machine),
            ("instance", instance),
            ("version", info.version),
            *shapes.state_facts(state),
            ("created", shapes.moment(info.create_time)),
        ],
        {
            "machine": machine,
            "instance": instance,
            "version": info.version,
            "create_time": shapes.timestamp(info.create_time),
            "state": shapes.state(state),
        },
    )


@instances.command("send-event")
@machine_option
@instance_option
@auth_context_option
@click.option(
    "--event",
    required=True,
    callback=values.checked(values.event),
    metavar="EVENT",
    help="The event's type, or a JSON object with a type.",
)
@click.option(
    "--expected-revision",
    type=click.IntRange(min=1),
    metavar="N",
    help="Refuse unless the instance is at this revision.",
)
@wait_option
@timeout_option
@client_command
async def send_event(
    session: Session,
    machine: str,
    instance: str,
    *,
    auth_context: dict[str, Any] | None,
    event: dict[str, Any],
    expected_revision: int | None,
    wait: Wait | None,
    timeout: float | None,
) -> None:
    """Send an event and show where it led."""
    async with session.connect() as client:
        handle = client.machine(machine).instance(instance, auth_context=auth_context)
        answer = await handle.send(event, expected_revision=expected_revision, wait=_waiting(wait, timeout))
    session.output.thing(
        [("machine", machine), ("instance", instance), *shapes.reply_facts(answer)],
        {"machine": machine, "instance": instance, **shapes.reply(answer)},
    )


@instances.command("list")
@machine_option
@limit_option
@client_command
async def list_(session: Session, machine: str, *, limit: int | None) -> None:
    """List a machine's instances, oldest first."""
    async with session.connect() as client:
        found = await take(client.machine(machine).instances(), limit)
    session.output.listing(
        shapes.INSTANCES,
        found,
        empty=f"Machine {machine} has no instances yet.",
    )


@instances.command("query")
@machine_option
@click.option(
    "--index",
    required=True,
    callback=values.checked(values.wanted),
    metavar="INDEX[=VALUE]",
    help="The index, with what its values shall be if not all are wanted; also !=, <, <=, >, >=.",
)
@click.option("--descending", is_flag=True, help="From the last value to the first.")
@limit_option
@client_command
async def query(
    session: Session, machine: str, *, index: values.Wanted, descending: bool, limit: int | None
) -> None:
    """List instances by their values in an index."""
    name, comparison, value = index
    async with session.connect() as client:
        entries = client.machine(machine).query(name, comparison, value, descending=descending)
        found = await take(entries, limit)
    session.output.listing(
        shapes.ENTRIES,
        found,
        empty=f"No instance has such a value in index {name}.",
    )


@instances.command("watch")
@machine_option
@instance_option
@auth_context_option
@click.option("--every-transition", is_flag=True, help="Show every state, also those that pass quickly.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after this many states.")
@client_command
async def watch(
    session: Session,
    machine: str,
    instance: str,
    *,
    auth_context: dict[str, Any] | None,
    every_transition: bool,
    count: int | None,
) -> None:
    """Show an instance's states as they come.

    The first line is the state now.
    Continues after a lost connection without a gap. Ends with Ctrl-C, or when the machine has ended.
    """
    seen = 0
    async with session.connect() as client:
        handle = client.machine(machine).instance(instance, auth_context=auth_context)
        mode: Mode = "every_transition" if every_transition else "latest"
        async with handle.subscribe(mode=mode, on_reconnect=session.output.reconnect) as updates:
            async for update in updates:
                if session.output.as_json:
                    session.output.document(shapes.update(update))
                else:
                    session.output.line(shapes.update_line(update))
                seen += 1
                if count is not None and seen >= count:
                    return


@instances.command("list-transitions")
@machine_option
@instance_option
@limit_option
@client_command
async def list_transitions(session: Session, machine: str, instance: str, *, limit: int | None) -> None:
    """List an instance's history, oldest first."""
    async with session.connect() as client:
        found = await take(client.machine(machine).instance(instance).transitions(), limit)
    session.output.listing(
        shapes.TRANSITIONS,
        found,
        empty=f"Instance {instance} has no transitions.",
    )


@instances.command("delete")
@machine_option
@instance_option
@yes_option
@client_command
async def delete(session: Session, machine: str, instance: str, *, yes: bool) -> None:
    """Delete an instance, its history and timers."""
    confirm(f"Delete instance {instance} with its history?", yes=yes)
    async with session.connect() as client:
        await client.machine(machine).instance(instance).delete()
    session.output.done(
        f"Deleted instance {instance}.", {"machine": machine, "instance": instance, "deleted": True}
    )


def _waiting(wait: Wait | None, timeout: float | None) -> Wait:
    chosen = wait or Wait.SETTLED
    return chosen if timeout is None else chosen.within(timeout)
