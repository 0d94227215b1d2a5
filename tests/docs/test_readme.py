"""The quick start of the README runs, command by command, as it is written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from tests.docs.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(README) if kind == language]


def test_the_machine_it_shows_is_the_example() -> None:
    assert blocks("ts") == [(ROOT / "docs" / "examples" / "toggle.v5.ts").read_text()]


def test_the_make_tasks_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()

    for task in set(re.findall(r"\bmake (\w+)", "\n".join(blocks("sh")))):
        assert re.search(rf"^{task}:", makefile, re.MULTILINE), task


@pytest.mark.slow
def test_its_commands_and_its_program_work(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    terminal = Terminal(tmp_path)
    try:
        for line in "\n".join(blocks("sh")).splitlines():
            terminal.enter(line)
        program = terminal.run([sys.executable, "-c", blocks("python")[0]])
    finally:
        terminal.close()

    assert 'public context  {"toggleCount": 1}' in terminal.shown
    assert "revision 2  off" in terminal.shown
    assert program == "off {'toggleCount': 1}\n2 off\n"
