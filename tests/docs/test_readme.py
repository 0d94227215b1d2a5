"""The quick start of the README runs, command by command, as it is written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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


class Terminal:
    """A user's terminals: enters lines, leaves running what does not end."""

    def __init__(self, directory: Path) -> None:
        self.shown = ""
        self._directory = directory
        self._running: list[subprocess.Popen[str]] = []
        self._environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            # Ports nobody else has; the rest is what the page says.
            "STATEWARD_GRPC": "127.0.0.1:0",
            "STATEWARD_HTTP": "127.0.0.1:0",
        }

    def enter(self, line: str) -> None:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self._environment[name] = value
        elif line.startswith("stateward serve"):
            assert json.loads(self._first_line(line))["ready"]
        elif "instances watch" in line:
            self.shown += self._first_line(line)
        elif not line.startswith(("make ", "source ")):
            self.shown += self.run(["bash", "-c", line])

    def run(self, words: list[str]) -> str:
        done = subprocess.run(
            words,
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        for process in reversed(self._running):
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)

    def _first_line(self, line: str) -> str:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {line}"],
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._running.append(process)
        assert process.stdout is not None
        return process.stdout.readline()
