"""`stateward serve`: reads the settings, and runs the server until it is told to stop."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stateward_server.cli.failure import USAGE, Failure


@click.command()
@click.option(
    "--data",
    metavar="DIR",
    help="Where everything is kept; made if it is not there. [env var: STATEWARD_DATA]",
)
@click.option(
    "--grpc",
    metavar="HOST:PORT",
    help="Where gRPC listens; port 0 takes a free one. [default: 127.0.0.1:7411; env var: STATEWARD_GRPC]",
)
@click.option(
    "--http",
    metavar="HOST:PORT",
    help="Where HTTP listens; port 0 takes a free one. [default: 127.0.0.1:7412; env var: STATEWARD_HTTP]",
)
@click.option(
    "--tls-cert",
    metavar="FILE",
    help="Certificate of both addresses, in PEM; read again when it changes. [env var: STATEWARD_TLS_CERT]",
)
@click.option(
    "--tls-key",
    metavar="FILE",
    help="Private key of that certificate, in PEM. [env var: STATEWARD_TLS_KEY]",
)
@click.option(
    "--tls-client-ca",
    metavar="FILE",
    help="Authorities in PEM; clients must have a certificate of one. [env var: STATEWARD_TLS_CLIENT_CA]",
)
@click.option(
    "--allow-plaintext",
    flag_value="true",
    help="Listen without TLS also where others can reach it. [env var: STATEWARD_ALLOW_PLAINTEXT]",
)
@click.option(
    "--log-level",
    metavar="LEVEL",
    help="debug, info, warning or error. [default: info; env var: STATEWARD_LOG_LEVEL]",
)
@click.option(
    "--log-format",
    metavar="FORMAT",
    help="pretty, json, or auto: pretty on a terminal. [default: auto; env var: STATEWARD_LOG_FORMAT]",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Settings in TOML; options and environment variables go before them.",
)
def serve(*, config: Path | None, **flags: str | None) -> None:
    """Run the server.

    When it is ready it prints one JSON line with its addresses on stdout; logs go to stderr. It stops on
    SIGTERM or Ctrl-C, after finishing the work in hand.
    """
    # Client commands need none of this, and would wait for it to load.
    import uvloop  # noqa: PLC0415

    from stateward_server import app  # noqa: PLC0415
    from stateward_server.config import load  # noqa: PLC0415
    from stateward_server.model.errors import StatewardError  # noqa: PLC0415
    from stateward_server.ports.store import StoreFault  # noqa: PLC0415

    try:
        settings = load(flags, os.environ, config)
    except StatewardError as wrong:
        hint = "see stateward serve --help"
        raise Failure(wrong.message, reason=wrong.reason, hint=hint, exit_code=USAGE) from wrong
    try:
        uvloop.run(app.serve(settings))
    except (StatewardError, StoreFault, OSError, ExceptionGroup) as wrong:
        # Where the server's task group has begun, the one cause comes in a group.
        cause = _only_cause(wrong)
        if not isinstance(cause, StatewardError | StoreFault | OSError):
            raise
        raise Failure(f"the server cannot run: {cause}", reason="SERVER_FAILED") from wrong


def _only_cause(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
