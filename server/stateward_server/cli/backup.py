"""`stateward backup`: copies the database of a data directory, whether its server runs or not."""

from __future__ import annotations

from pathlib import Path

import click

from stateward_server.cli.failure import Failure
from stateward_server.cli.output import Output


@click.command("backup")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="STATEWARD_DATA",
    show_envvar=True,
    metavar="DIR",
    help="The data directory of the server.",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document instead of text.")
def backup(data: Path, file: Path, *, as_json: bool) -> None:
    """Copy the server's database into a new FILE, also while it runs.

    To restore, put FILE as stateward.db into an empty data directory, together with the server.key that the
    server had, and start it. Keep that key apart from the copies: without it every token and key is another.
    """
    # Client commands need none of this, and would wait for it to load.
    from stateward_server.ports.store import StoreFault  # noqa: PLC0415
    from stateward_server.store.sqlite.backup import back_up  # noqa: PLC0415

    try:
        size = back_up(data, file)
    except StoreFault as wrong:
        raise Failure(str(wrong), reason="BACKUP_FAILED") from wrong
    output = Output(as_json=as_json or click.get_current_context().find_root().params["as_json"])
    output.done(
        f"Copied the database of {data} into {file}, {size:,} bytes.", {"file": str(file), "bytes": size}
    )
