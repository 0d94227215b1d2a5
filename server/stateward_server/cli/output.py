"""Where results go: text for people, or one JSON document for scripts.

Results go to stdout; notes, progress and errors to stderr, so that stdout can always be piped. On a
terminal lists fit into its width; elsewhere they are plain columns, never cut off. With `--json` nothing but
JSON is written. What others have written is shown as `visible` makes it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import click

from stateward import Reconnect
from stateward_server.cli.table import table
from stateward_server.cli.visible import visible, visible_json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """How things of one kind are listed."""

    name: str
    """The member of the JSON document that holds them."""
    columns: Sequence[str]
    document: Callable[[T], Mapping[str, object]]
    row: Callable[[T], Sequence[str]]


class Output:
    """The two streams of one command."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, body: Mapping[str, object]) -> None:
        """Write a JSON document on a line of its own, at once, for whoever reads it as it comes."""
        click.echo(visible_json(body))
        sys.stdout.flush()

    def listing(self, kind: Listing[T], found: Collection[T], *, empty: str) -> None:
        """Write a list; `empty` is what to tell a person when there is nothing in it."""
        if self.as_json:
            self.document({kind.name: [kind.document(each) for each in found]})
        elif found:
            self.table(kind.columns, [kind.row(each) for each in found])
        else:
            self.note(empty)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write rows for people."""
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        cells = [[visible(cell).replace("\n", "\\n") for cell in row] for row in rows]
        for line in table(columns, cells, width):
            click.echo(line)

    def thing(self, facts: Sequence[tuple[str, str]], document: Mapping[str, object]) -> None:
        """Write what is known of one thing, a line for each fact."""
        if self.as_json:
            self.document(document)
            return
        width = max(len(name) for name, _ in facts)
        for name, value in facts:
            click.echo(f"{click.style(name.ljust(width), dim=True)}  {visible(value)}".rstrip())

    def done(self, sentence: str, document: Mapping[str, object]) -> None:
        """Say that something was done."""
        if self.as_json:
            self.document(document)
        else:
            click.echo(visible(sentence))

    def line(self, text: str) -> None:
        """Write a line of a stream, at once."""
        click.echo(visible(text))
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Tell a person something that is not the result."""
        if not self.as_json:
            click.echo(visible(text), err=True)

    def reconnect(self, seen: Reconnect) -> None:
        """Tell a person who watches that the connection was lost, once, and that it is back."""
        if seen.error is None:
            self.note("Connected again; nothing was missed.")
        elif seen.attempt == 1:
            self.note(f"Connection lost ({seen.error}); trying again.")

    @contextmanager
    def progress(self, text: str) -> Iterator[None]:
        """Show on a terminal that something is going on."""
        if self.as_json or not sys.stderr.isatty():
            yield
            return
        # Rich takes as long to load as the rest of the command, and scripts never need it.
        from rich.console import Console  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        with Console(stderr=True).status(Text(text)):
            yield
