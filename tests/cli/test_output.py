"""What the command says beside its results."""

from __future__ import annotations

import pytest

from stateward import Reconnect, Unavailable
from stateward_server.cli.failure import Failure
from stateward_server.cli.output import Output

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
