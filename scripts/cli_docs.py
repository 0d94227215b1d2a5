"""Write the help of every command of `stateward` into docs/cli.md, between its two markers.

cli_docs.py           bring docs/cli.md up to date
cli_docs.py --check   fail if it is not
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from generated_docs import main
from stateward_server.cli.main import main as root

WIDTH = 96


def rendered() -> str:
    """Return one section for each command, in the order of their names."""
    return "\n\n".join(section(command, path) for command, path in walk(root, "stateward"))


def walk(command: click.Command, path: str) -> Iterator[tuple[click.Command, str]]:
    if not isinstance(command, click.Group):
        yield command, path
        return
    for name, child in sorted(command.commands.items()):
        if not child.hidden:
            yield from walk(child, f"{path} {name}")


def section(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path, terminal_width=WIDTH, help_option_names=["-h", "--help"])
    return f"### `{path}`\n\n```text\n{command.get_help(context)}\n```"


if __name__ == "__main__":
    sys.exit(main("cli_docs", "commands", rendered, __doc__))
