"""Rows under columns, for people: no word is broken, as it may be copied, and lines fit into the terminal.

Where the columns fit, they stand side by side, and texts of several words wrap. Where not even their longest
words fit beside each other, each row becomes a block with a line for each column.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

_GAP = "  "


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Lay rows out in lines of at most `width` characters; None is no limit."""
    lines = [columns, *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    if width is not None:
        least = [
            max(len(word) for line in lines for word in (line[index].split() or [""]))
            for index in range(len(columns))
        ]
        room = width - len(_GAP) * (len(columns) - 1)
        if sum(least) > room:
            return _blocks(columns, rows)
        while sum(widths) > room:
            widest = max(
                (index for index in range(len(columns)) if widths[index] > least[index]),
                key=lambda index: widths[index],
            )
            widths[widest] -= 1
    return [line for row in lines for line in _row(row, widths)]


def _row(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    wrapped = [
        [cell] if len(cell) <= width else textwrap.wrap(cell, width, break_on_hyphens=False)
        for cell, width in zip(cells, widths, strict=True)
    ]
    return [
        _GAP.join(cell.ljust(width) for cell, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*wrapped, fillvalue="")
    ]


def _blocks(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    width = max(map(len, columns))
    lines: list[str] = []
    for row in rows:
        lines += [""] if lines else []
        lines += [
            f"{column.ljust(width)}{_GAP}{cell}".rstrip() for column, cell in zip(columns, row, strict=True)
        ]
    return lines
