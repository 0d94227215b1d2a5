"""How the command writes: beside its results, on narrow terminals, and what others have written."""

from __future__ import annotations

import json

import pytest

from stateward import Reconnect, Unavailable
from stateward_server.cli.failure import Failure
from stateward_server.cli.output import Output
from stateward_server.cli.table import table
from stateward_server.cli.visible import visible, visible_json

LOST = [
    Reconnect(1, Unavailable("gone"), 0.1),
    Reconnect(2, Unavailable("gone"), 0.2),
    Reconnect(2, None, 0.0),
]


def test_who_watches_is_told_once_that_the_connection_is_lost_and_that_it_is_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for seen in LOST:
        Output(as_json=False).reconnect(seen)

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "Connection lost (gone); trying again.\nConnected again; nothing was missed.\n"


def test_a_script_is_told_nothing_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    for seen in LOST:
        Output(as_json=True).reconnect(seen)

    assert capsys.readouterr() == ("", "")


EVIL = "\x1b]0;title\x07 \x9b31m \u202egnp.exe"


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_that_others_wrote_steers_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    evil = "a\x1b[2J\x07\r\x9b1m\u202e\ud800"
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout.isatty", lambda: terminal)
        output = Output(as_json=False)
        output.table(["NAME"], [[evil]])
        output.thing([("name", evil)], {})
        for say in (output.line, output.note, lambda text: output.done(text, {})):
            say(evil)
    shown = capsys.readouterr()
    written = shown.out + shown.err + Failure(evil, reason="MACHINE_THREW", hint=evil).as_text()
    for steering in ("\x1b[2J", "\x07", "\r", "\x9b", "\u202e"):
        assert steering not in written
    assert written.count("a\\x1b[2J") == 7


def test_a_json_document_says_the_same_in_its_own_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).document({"event": EVIL})

    written = capsys.readouterr().out
    assert written.removesuffix("\n").isprintable()
    assert json.loads(written) == {"event": EVIL}


def test_a_cell_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).table(("EVENT",), [("a\nb",)])

    assert capsys.readouterr().out == "EVENT\na\\nb\n"


@pytest.mark.parametrize("text", ["plain", "Grüße, 世界 🎈", "two\nlines"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
    assert json.loads(visible_json(text)) == text


def test_half_a_surrogate_pair_does_no_harm() -> None:
    assert visible("\ud800") == "\\ud800"


COLUMNS = ("KEY", "SCOPES")
ROWS = [("sbk_0123456789", "events.write, state.read"), ("sbk_1", "-")]


def test_a_table_is_as_wide_as_it_is_where_nothing_limits_it() -> None:
    assert table(COLUMNS, ROWS, None) == [
        "KEY             SCOPES",
        "sbk_0123456789  events.write, state.read",
        "sbk_1           -",
    ]


def test_letters_that_are_two_columns_wide_count_as_two() -> None:
    assert table(("NAME", "N"), [("世界", "1"), ("ab", "2")], 80) == ["NAME  N", "世界  1", "ab    2"]


def test_a_narrow_table_wraps_between_words() -> None:
    assert table(COLUMNS, ROWS, 32) == [
        "KEY             SCOPES",
        "sbk_0123456789  events.write,",
        "                state.read",
        "sbk_1           -",
    ]


def test_where_words_do_not_fit_each_row_is_a_block() -> None:
    assert table(COLUMNS, ROWS, 28) == [
        "KEY     sbk_0123456789",
        "SCOPES  events.write, state.read",
        "",
        "KEY     sbk_1",
        "SCOPES  -",
    ]
