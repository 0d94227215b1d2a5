"""A user who follows a page of the documentation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path


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
        elif " watch " in line:
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
