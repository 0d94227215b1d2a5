"""What the command asks of a person: secrets, which never stand on the command line, and whether to go on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from stateward_server.cli.failure import USAGE, Failure

F = TypeVar("F", bound=Callable[..., Any])

_MOST = 65_536
STDIN = Path("-")

yes_option = click.option("--yes", is_flag=True, help="Do not ask on a terminal.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal before something is destroyed; scripts are not asked."""
    if sys.stdin.isatty() and not yes:
        click.confirm(question, abort=True, err=True)


def secret(what: str) -> str:
    """Return a secret from standard input; on a terminal it is asked for, and not shown."""
    if sys.stdin.isatty():
        return str(click.prompt(what.capitalize(), hide_input=True, err=True)).strip()
    return secret_text(what, STDIN)


def secret_text(what: str, source: Path) -> str:
    """Return a secret that is text from a file, or from standard input for `-`."""
    try:
        return secret_bytes(what, source).decode("ascii").strip()
    except UnicodeDecodeError:
        raise _unusable(f"the {what} is not plain text") from None


def secret_bytes(what: str, source: Path) -> bytes:
    """Return a secret from a file, or from standard input for `-`; a single line of text without its end."""
    place = "standard input" if source == STDIN else str(source)
    try:
        if source == STDIN:
            content = sys.stdin.buffer.read(_MOST + 1)
        else:
            with source.open("rb") as file:
                content = file.read(_MOST + 1)
    except OSError as wrong:
        raise _unusable(f"cannot read {place}: {wrong.strerror}") from wrong
    if len(content) > _MOST:
        raise _unusable(f"{place} is too long to be a {what}")
    if not content.strip():
        raise _unusable(f"there is no {what} on {place}")
    line = content.rstrip(b"\r\n")
    return line if line.isascii() and line.decode().isprintable() else content


def _unusable(message: str) -> Failure:
    hint = "pipe it in: … < FILE, or use a terminal and be asked for it"
    return Failure(message, reason="USAGE", hint=hint, exit_code=USAGE)
