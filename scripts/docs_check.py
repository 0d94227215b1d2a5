"""Check that the documentation is complete: what users can meet has to be written down.

  docs/api.md     names every RPC of every service in protos/stateward/v1
  docs/errors.md  names every reason of error_reason.proto, without the enum's prefix
  docs/cli.md     names every command of `stateward`, sub-commands by their full path

A name counts where it stands as code: between backquotes, alone or inside something longer such as
`MachineService.GetMachine`, or in a code block.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Iterable, Iterator

import click

from protoc import PACKAGE, PROTOS, ROOT

DOCS = ROOT / "docs"
SERVICE_OR_RPC = re.compile(r"^\s*(?:service|rpc)\s+(\w+)", re.MULTILINE)
REASON = re.compile(r"^\s*ERROR_REASON_(\w+)\s*=", re.MULTILINE)
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def services_and_rpcs() -> list[str]:
    """Read the names from the proto files, so that a new RPC is missed at once."""
    files = sorted((PROTOS / PACKAGE).glob("*.proto"))
    return [name for path in files for name in SERVICE_OR_RPC.findall(path.read_text(encoding="utf-8"))]


def reasons() -> list[str]:
    """Read the error reasons as clients see them: without prefix, and without the unspecified zero."""
    text = (PROTOS / PACKAGE / "error_reason.proto").read_text(encoding="utf-8")
    return [name for name in REASON.findall(text) if name != "UNSPECIFIED"]


def commands() -> list[str]:
    """Walk the command tree of `stateward`, such as `stateward instance send`."""
    module = importlib.import_module("stateward_server.cli.main")
    named = [module.main, *vars(module).values()]
    root = next((value for value in named if isinstance(value, click.Group)), None)
    if root is None:
        raise LookupError("stateward_server.cli.main has no click group")
    return list(walk(root, click.Context(root, info_name="stateward")))


def walk(command: click.Command, context: click.Context) -> Iterator[str]:
    if context.parent is not None:
        yield context.command_path
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from walk(child, click.Context(child, info_name=name, parent=context))


def missing(page: str, names: Iterable[str]) -> list[str]:
    """Say which names a page does not mention as code."""
    path = DOCS / page
    if not path.is_file():
        return [f"docs/{page} does not exist"]
    code = "\n".join(CODE.findall(path.read_text(encoding="utf-8")))
    return [
        f"docs/{page} does not mention {name}"
        for name in names
        if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code)
    ]


def check() -> int:
    complaints = [
        *missing("api.md", services_and_rpcs()),
        *missing("errors.md", reasons()),
        *missing("cli.md", commands()),
    ]
    for complaint in complaints:
        print(f"docs-check: {complaint}", file=sys.stderr)
    if not complaints:
        print("docs-check: every service, RPC, error reason and command is documented")
    return 1 if complaints else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    return check()


if __name__ == "__main__":
    sys.exit(main())
