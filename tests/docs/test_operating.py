"""The commands of docs/operating.md work as they are written, and the events it names are logged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text()
MACHINE = "stateward machines create toggle --node ./docs/examples/toggle.v5.ts"


@pytest.mark.slow
def test_a_server_is_backed_up_and_restored_as_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    run, backup, restore = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    terminal = Terminal(tmp_path)
    try:
        for line in [*run.splitlines(), "export STATEWARD_PROFILE=./data/admin.json", MACHINE]:
            terminal.enter(line)
        for line in [*backup.splitlines(), "stateward machines delete toggle", *restore.splitlines()]:
            terminal.enter(line)
        terminal.enter("export STATEWARD_PROFILE=./restored/admin.json")
        terminal.shown = ""
        terminal.enter("stateward machines list")
    finally:
        terminal.close()

    assert "toggle" in terminal.shown


def test_the_events_it_names_are_logged() -> None:
    server = "\n".join(path.read_text() for path in (ROOT / "server" / "stateward_server").rglob("*.py"))
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PAGE)) - {"elapsed_ms", "error_id"}

    assert "commit_failed" in named
    assert [name for name in named if name not in server] == []
