"""A process that plays scripts on XState itself: see `native.ts`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from deno import find_deno_bin  # type: ignore[import-untyped]  # the package has no stubs
from tests.machines.kit import ROOT


def deno(program: Path, *arguments: str) -> list[str]:
    """Return the command that runs a program of the tests with the libraries of the host."""
    config = ROOT / "server" / "hosts" / "xstate" / "deno.json"
    options = ["--quiet", "--no-prompt", "--frozen", f"--config={config}", "--allow-env=NODE_ENV"]
    return [find_deno_bin(), "run", *options, str(program), *arguments]


class Native:
    """The library, with a clock that is told."""

    def __init__(self) -> None:
        command = deno(ROOT / "tests" / "machines" / "native.ts")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def play(self, source: str, script: list[list[Any]]) -> list[str]:
        """Return what `trace` returns for the same script here."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"source": source, "script": script}) + "\n")
        self._process.stdin.flush()
        states = json.loads(self._process.stdout.readline())
        assert isinstance(states, list), states
        return [json.dumps(state, sort_keys=True) for state in states]

    def close(self) -> None:
        self._process.communicate(timeout=20)
