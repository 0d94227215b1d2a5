"""Rows under columns, for people: no word is broken, as it may be copied, and lines fit into the terminal.

Where the columns fit, they stand side by side, and texts of several words wrap. Where not even their longest
words fit beside each other, each row becomes a block with a line for each column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_UNLIMITED = 1_000_000


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Lay rows out in lines of at most `width` characters; None is no limit."""
    # Rich takes as long to load as the rest of the command, and scripts that read JSON never need it.
    from rich.console import Console  # noqa: PLC0415
    from rich.measure import Measurement  # noqa: PLC0415

    console = Console(width=width or _UNLIMITED, color_system=None)
    side_by_side = _grid([columns, *rows])
    options = console.options.update(max_width=_UNLIMITED)
    if Measurement.get(console, options, side_by_side).minimum <= console.width:
        return _lines(console, side_by_side)
    console = Console(width=_UNLIMITED, color_system=None)
    blocks = [_lines(console, _grid(zip(columns, row, strict=True))) for row in rows]
    return [line for block in blocks for line in ("", *block)][1:]


def _grid(rows: Iterable[Sequence[str]]) -> Table:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        grid.add_row(*map(Text, row))
    return grid


def _lines(console: Console, grid: Table) -> list[str]:
    lines = console.render_lines(grid, pad=False)
    return ["".join(segment.text for segment in line).rstrip() for line in lines]
