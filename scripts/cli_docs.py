"""Write the help of every command of `stateward` into docs/cli.md, between its two markers.

cli_docs.py           bring docs/cli.md up to date
cli_docs.py --check   fail if it is not
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from stateward_server.cli.main import main as root

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
BEGIN = "<!-- commands: written by scripts/cli_docs.py -->\n"
END = "<!-- end of commands -->\n"
WIDTH = 96


def rendered() -> str:
    """Return one section for each command, in the order of their names."""
    return "\n".join(section(command, path) for command, path in walk(root, "stateward"))


def walk(command: click.Command, path: str) -> Iterator[tuple[click.Command, str]]:
    if not isinstance(command, click.Group):
        yield command, path
        return
    for name, child in sorted(command.commands.items()):
        if not child.hidden:
            yield from walk(child, f"{path} {name}")


def section(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path, terminal_width=WIDTH, help_option_names=["-h", "--help"])
    return f"### `{path}`\n\n```text\n{command.get_help(context)}\n```\n"


def updated(page: str) -> str:
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"cli_docs: {PAGE.name} lacks its markers")
    return f"{before}{begin}\n{rendered()}\n{end}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing; fail if something would change")
    check = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    wanted = updated(page)
    if page == wanted:
        return 0
    if check:
        print("cli_docs: docs/cli.md is out of date; run scripts/cli_docs.py", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
