"""The root of the command `stateward`, and the one place where a command ends.

Every ending has an exit code: 0 done, 1 refused, 2 wrong usage, 3 no server, 130 Ctrl-C. Errors go to
stderr, as text or, where `--json` was given, as one JSON document.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import click

from stateward_server.cli.audit import access, audit
from stateward_server.cli.backup import backup
from stateward_server.cli.dead_letters import dead_letters
from stateward_server.cli.failure import INTERRUPTED, USAGE, Failure
from stateward_server.cli.group import Commands
from stateward_server.cli.instances import instances
from stateward_server.cli.keys import access_tokens, keys, tokens
from stateward_server.cli.limits import limits
from stateward_server.cli.login import login, logout, whoami
from stateward_server.cli.machine_versions import machine_versions
from stateward_server.cli.machines import machines
from stateward_server.cli.members import invitations, members
from stateward_server.cli.orgs import orgs
from stateward_server.cli.providers import identity_providers, token_providers
from stateward_server.cli.serve import serve
from stateward_server.cli.upkeep import cancel_timer, pause, resume, timers


class Root(Commands):
    """A group that ends in our own way."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        """Run a command and leave the process; this is what the console script calls."""
        words = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        try:
            code = super().main(words, *rest, **extra)
        except click.exceptions.Abort:
            sys.exit(INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError as wrong:
            wrong.show()
            sys.exit(USAGE)
        except click.ClickException as wrong:
            sys.exit(_report(_usage(wrong), words))
        except Failure as failure:
            sys.exit(_report(failure, words))
        sys.exit(code if isinstance(code, int) else 0)


def _report(failure: Failure, words: Sequence[str]) -> int:
    click.echo(failure.as_json() if "--json" in words else failure.as_text(), err=True)
    return failure.exit_code


def _usage(wrong: click.ClickException) -> Failure:
    ctx: click.Context | None = getattr(wrong, "ctx", None)
    hint = f"see {ctx.command_path if ctx is not None else 'stateward'} --help"
    if isinstance(wrong, click.MissingParameter) and ctx is not None:
        hint = f"write {_shortest(ctx)}; {hint}"
    return Failure(wrong.format_message(), reason="USAGE", hint=hint, exit_code=USAGE)


def _shortest(ctx: click.Context) -> str:
    """Write down a command with what it cannot do without."""
    words = [
        f"{param.opts[0]} {param.make_metavar(ctx)}"
        if isinstance(param, click.Option)
        else param.make_metavar(ctx)
        for param in ctx.command.params
        if param.required
    ]
    return " ".join([ctx.command_path, *words])


_PEM = click.Path(dir_okay=False)


@click.group(
    "stateward", cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(version("stateward-server"), prog_name="stateward")
@click.option(
    "--profile",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The same as --profile behind a command.",
)
@click.option(
    "--ca",
    type=_PEM,
    envvar="STATEWARD_CA",
    show_envvar=True,
    help="Encrypt, and trust a server with a certificate of these authorities, in PEM.",
)
@click.option(
    "--client-cert",
    type=_PEM,
    envvar="STATEWARD_CLIENT_CERT",
    show_envvar=True,
    help="Certificate to show to a server that asks for one, in PEM.",
)
@click.option(
    "--client-key",
    type=_PEM,
    envvar="STATEWARD_CLIENT_KEY",
    show_envvar=True,
    help="Its private key, in PEM.",
)
@click.option(
    "--org",
    metavar="ID",
    envvar="STATEWARD_ORG",
    show_envvar=True,
    help="The organisation, for people who belong to several; the profile's by default.",
)
@click.option("--server-name", metavar="NAME", help="The name that the server's certificate must have.")
@click.option("--json", "as_json", is_flag=True, help="The same as --json behind a command.")
def main(**_read_by_the_session: object) -> None:
    """Run XState machines as persistent, real-time gRPC backends.

    `stateward serve` runs the server. The other commands talk to one, with the address and token of a
    profile: the file admin.json of the server's data directory, or what `stateward login` wrote.
    """


main.sections = {
    "Server": (serve, backup, limits),
    "Machines": (machines, machine_versions, instances, dead_letters),
    "You": (login, logout, whoami, access_tokens),
    "Organisation": (orgs, members, invitations, audit, access),
    "Your application's users": (keys, tokens, identity_providers, token_providers),
}
for commands in main.sections.values():
    for command in commands:
        main.add_command(command)
for command in (pause, resume, timers, cancel_timer):
    instances.add_command(command)
