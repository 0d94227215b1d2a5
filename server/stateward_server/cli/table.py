"""Tables for people. On a terminal a long cell folds, so that its row stays in its columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from unicodedata import combining, east_asian_width

_GAP = "  "
_LEAST = 8
"""Letters that a folded column keeps: beyond that the terminal may as well break the row."""


def drawn(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, room: int | None = None, whole: frozenset[str]
) -> Iterator[str]:
    """Return the lines of a table, the first of which has the names of its columns.

    `room` is how many letters fit into a line, None for any number; columns named in `whole` never fold.
    """
    widths = [max(map(_width, cells)) for cells in zip(columns, *rows, strict=True)]
    if room is not None:
        foldable = [index for index, name in enumerate(columns) if name not in whole]
        _shrink(widths, foldable, sum(widths) + len(_GAP) * (len(widths) - 1) - room)
    for row in (columns, *rows):
        folded = [_folded(cell, width) for cell, width in zip(row, widths, strict=True)]
        for line in zip_longest(*folded, fillvalue=""):
            yield _GAP.join(map(_padded, line, widths)).rstrip()


def _shrink(widths: list[int], foldable: Sequence[int], excess: int) -> None:
    """Take what is too much from the widest columns, and leave the others as they are."""
    while excess > 0 and foldable:
        widest = max(foldable, key=lambda index: widths[index])
        if widths[widest] <= _LEAST:
            return
        widths[widest] -= 1
        excess -= 1


def _folded(cell: str, width: int) -> list[str]:
    if _width(cell) <= width:
        return [cell]
    # Letters of some scripts are two wide, and the library counts them as one.
    letters = width if cell.isascii() else width // 2
    return textwrap.wrap(cell, letters, break_on_hyphens=False)


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - _width(cell))


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if combining(letter) else 1 + (east_asian_width(letter) in "WF") for letter in text)
