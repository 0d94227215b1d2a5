"""Tables: plain where they are piped, folded into the width of a terminal where people read them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import pytest

from stateward_server.cli.output import Output
from stateward_server.cli.table import drawn

COLUMNS = ("KEY", "NAME", "WHY")
ROWS = [
    ("sbk_0123456789", "first", "it is not there, or was revoked"),
    ("sbk_x", "a-name-that-is-longer-than-all", "-"),
]


def table(rows: Sequence[tuple[str, ...]], room: int | None, *whole: str) -> list[str]:
    return list(drawn(COLUMNS, rows, room=room, whole=frozenset(whole)))


def test_a_row_is_one_line_where_there_is_room():
    lines = [
        "KEY             NAME                            WHY",
        "sbk_0123456789  first                           it is not there, or was revoked",
        "sbk_x           a-name-that-is-longer-than-all  -",
    ]
    assert table(ROWS, None) == table(ROWS, 79) == lines
    assert table([], None) == ["KEY  NAME  WHY"]


def test_the_longest_cells_fold_and_ids_stay_whole():
    assert table(ROWS, 46, "KEY") == [
        "KEY             NAME            WHY",
        "sbk_0123456789  first           it is not",
        "                                there, or was",
        "                                revoked",
        "sbk_x           a-name-that-is  -",
        "                -longer-than-a",
        "                ll",
    ]


@pytest.mark.parametrize("room", range(30, 80))
def test_no_line_is_longer_than_the_terminal_and_nothing_is_lost(room: int):
    lines = table(ROWS, room, "KEY")
    assert max(map(len, lines)) <= max(room, 14 + 2 + 8 + 2 + 8)
    letters = sorted("".join(lines).replace(" ", ""))
    assert letters == sorted("".join(map("".join, (COLUMNS, *ROWS))).replace(" ", ""))


def test_a_terminal_that_is_too_narrow_breaks_the_rows_itself():
    assert table(ROWS, 1, "KEY") == table(ROWS, 34, "KEY")
    assert table(ROWS, 1, *COLUMNS) == table(ROWS, None)


def test_wide_letters_take_two_places():
    assert table([("a", "日本", "x"), ("b", "é", "y"), ("c", "e\u0301", "z")], None) == [
        "KEY  NAME  WHY",
        "a    日本  x",
        "b    é     y",
        "c    e\u0301     z",
    ]
    folded = table([("a", "日本語日本語日本語", "x")], 22)
    assert folded == ["KEY  NAME          WHY", "a    日本語日本語  x", "     日本語"]


def test_a_terminal_gets_a_bold_head_and_cells_that_fold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "46")
    Output(as_json=False).table(COLUMNS, ROWS)
    head, *lines = table(ROWS, 46, "KEY")
    assert capsys.readouterr().out.splitlines() == [click.style(head, bold=True), *lines]


@pytest.mark.parametrize(("terminal", "seen"), [(True, "Uploading …\r\x1b[K"), (False, "")])
def test_progress_is_seen_on_a_terminal_until_it_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool, seen: str
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with pytest.raises(OSError, match="lost"), Output(as_json=False).progress("Uploading …"):
        raise OSError("lost")
    assert capsys.readouterr().err == seen
