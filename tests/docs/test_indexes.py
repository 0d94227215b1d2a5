"""The page about indexes works, command by command, as it is written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from tests.docs.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "indexes.md").read_text()


@pytest.mark.slow
def test_its_commands_and_its_program_work(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    terminal = Terminal(tmp_path)
    try:
        terminal.enter("stateward serve --data ./data")
        terminal.enter("export STATEWARD_PROFILE=./data/admin.json")
        made, asked, watched = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in (made + asked).splitlines():
            terminal.enter(line)
        found = re.findall(r"^(\S+) +(o-\d) ", terminal.shown, re.MULTILINE)
        terminal.enter(watched.strip())
        program = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
        printed = terminal.run([sys.executable, "-c", program])
    finally:
        terminal.close()

    assert found == [
        ("ann", "o-1"),
        ("lamp", "o-1"),
        ("lamp", "o-2"),
        ("2026-12-01", "o-1"),
        ("2026-12-24", "o-2"),
        ("2026-12-01", "o-1"),
    ]
    assert terminal.shown.splitlines()[-1].startswith("entered  o-1  ")
    assert printed == "2026-12-24 o-2\n2026-12-01 o-1\n"
