"""`stateward audit list` and `access explain`: who did what, and why somebody may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from stateward import Role
from stateward_server.cli import access_shapes as shapes
from stateward_server.cli import values
from stateward_server.cli.group import Commands
from stateward_server.cli.options import auth_context_option, limit_option
from stateward_server.cli.session import Session, client_command
from stateward_server.cli.take import take

KINDS = {
    "read": "InstanceService.GetInstance",
    "send": "InstanceService.SendEvent",
    "create": "InstanceService.CreateInstance",
}


@click.group("audit", cls=Commands)
def audit() -> None:
    """See who did what to the organisation, and for whom."""


@audit.command("list")
@click.option("--subject", metavar="NAME", help="Only what users/ID or keys/ID did.")
@click.option("--method", metavar="RPC", help="Only calls of this RPC, such as KeyService.CreateKey.")
@click.option(
    "--since",
    callback=values.checked(values.duration),
    metavar="DURATION",
    help="Only calls of the last DURATION, such as 30m or 24h.",
)
@limit_option
@client_command
async def list_entries(
    session: Session, *, subject: str | None, method: str | None, since: float | None, limit: int | None
) -> None:
    """List administrative calls, and calls made on behalf of somebody, newest first."""
    start = datetime.now(UTC) - timedelta(seconds=since) if since else None  # noqa: TID251 - the person's clock
    async with session.connect() as client:
        found = await take(client.audit.list(subject=subject, method=method, start=start), limit)
    session.output.listing(
        shapes.AUDIT_ENTRIES,
        found,
        empty="There are no such entries.",
    )


@click.group("access", cls=Commands)
def access() -> None:
    """Find out why somebody may or may not do something."""


@access.command("explain")
@click.argument("call", metavar="CALL")
@click.option("--machine", "-m", metavar="NAME", help="The machine.")
@click.option("--instance", "-i", metavar="NAME", help="The instance; with it, the machine is asked as well.")
@click.option(
    "--event",
    callback=values.checked(values.event),
    metavar="EVENT",
    help="The event to send: a type, or a JSON object.",
)
@click.option(
    "--context",
    callback=values.checked(values.json_object),
    metavar="JSON",
    help="The context to create an instance with.",
)
@click.option("--token-file", type=click.File(), metavar="FILE", help="The caller's token; - is stdin.")
@click.option("--key", metavar="ID", help="The caller has the scopes of this key.")
@click.option(
    "--role",
    type=click.Choice(["owner", "developer", "viewer"]),
    help="The caller is a member in this role.",
)
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="The caller has this; repeatable.")
@auth_context_option
@client_command
async def explain(
    session: Session,
    *,
    call: str,
    machine: str | None,
    instance: str | None,
    event: dict[str, Any] | None,
    context: dict[str, Any] | None,
    token_file: Any,
    key: str | None,
    role: str | None,
    scopes: tuple[str, ...],
    auth_context: dict[str, Any] | None,
) -> None:
    """Explain layer by layer what lets a CALL in or refuses it, without making it.

    CALL is read, send or create, or an RPC such as KeyService.CreateKey. The caller is whoever has a token,
    or somebody with the rights of a key, a role or scopes, and with --auth-context.
    """
    if sum(map(bool, (token_file, key, role, scopes))) != 1:
        raise click.UsageError("Say who calls: one of --token-file, --key, --role and --scope.")
    if (machine is None) != (instance is None):
        raise click.UsageError("An instance has two names: --machine NAME --instance NAME.")
    async with session.connect() as client:
        found = await client.explain_access(
            KINDS.get(call, call),
            token=token_file.read().strip() if token_file else None,
            auth_context=auth_context,
            key=key,
            role=Role(role) if role else None,
            scopes=scopes or None,
            instance=(machine, instance) if machine and instance else None,
            event=event,
            context=context,
        )
    if session.output.as_json:
        session.output.document(shapes.explanation(found))
        return
    session.output.table(shapes.LAYER_COLUMNS, [shapes.layer_row(each) for each in found.layers])
    session.output.line(shapes.conclusion(found))
