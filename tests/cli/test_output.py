"""What the command says beside its results."""

from __future__ import annotations

import pytest

from stateward import Reconnect, Unavailable
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
