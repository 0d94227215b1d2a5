"""Real servers for tests: a process each, on ports of its own, that never outlives the test run.

A test that fails shows the last lines of the logs of the servers that ran meanwhile (see `conftest.py`).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stateward import Client, RetryPolicy

SECONDS = 30
"""Longer than anything here takes, also on a busy machine."""
_LOG_LINES = 20

running: list[Server] = []
"""Every server that has not been closed."""


class Server:
    """`stateward serve` on one data directory; it can be killed, stopped and started again."""

    def __init__(
        self,
        home: Path,
        *,
        log_level: str = "info",
        command: Sequence[str] = (),
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.data = home / "data"
        self.log = home / "server.log"
        self._places = [held(), held()]
        self.grpc, self.http = (f"127.0.0.1:{place.getsockname()[1]}" for place in self._places)
        self._command = command or (sys.executable, "-m", "stateward_server")
        self._log_level = log_level
        self._settings = settings or {}
        self._process: subprocess.Popen[bytes] | None = None
        running.append(self)

    def start(self) -> None:
        """Start it and wait until it takes calls. Its addresses stay the same, whatever becomes of it."""
        words: list[str] = [*self._command, "serve", "--data", str(self.data), "--grpc", self.grpc]
        words += ["--http", self.http, "--log-level", self._log_level]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(self._settings),
            )
        ready = json.loads(self._first_line())
        assert ready == {"ready": True, "grpc": self.grpc, "http": self.http}

    def kill(self) -> None:
        """Do what `kill -9` does, and wait until the kernel has cleaned up."""
        self.process.kill()
        self.process.wait(SECONDS)

    def restart(self) -> None:
        """Kill it and start it again on the same data."""
        self.kill()
        self.start()

    def ask_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait until it has ended."""
        return self.process.wait(SECONDS)

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        for place in self._places:
            place.close()
        running.remove(self)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server was never started"
        return self._process

    @property
    def profile(self) -> dict[str, str]:
        """What admin.json says: addresses, the administrator's token, a signing key."""
        profile: dict[str, str] = json.loads((self.data / "admin.json").read_bytes())
        return profile

    def client(self, *, token: str | None = None, attempts: int = 1) -> Client:
        """Return a client of the administrator; it does not retry unless told."""
        # Not the usual pauses: what these tests retry is a server on this machine that starts.
        policy = RetryPolicy(attempts, first_delay=0.05, max_delay=0.25)
        return Client.connect(
            self.grpc, token=token or self.profile["token"], retry=policy, timeout=float(SECONDS)
        )

    def children(self) -> list[int]:
        """Return the process ids of the machine hosts that it runs now."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]

    def last_log_lines(self) -> str:
        if not self.log.exists():
            return "(nothing)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:])

    def _first_line(self) -> bytes:
        assert self.process.stdout is not None
        with self.process.stdout as output:  # it says nothing else there
            readable, _, _ = select.select([output], [], [], SECONDS)
            line = output.readline() if readable else b""
        assert line, f"the server did not start:\n{self.last_log_lines()}"
        return line


@contextlib.contextmanager
def serving(
    home: Path,
    *,
    log_level: str = "info",
    command: Sequence[str] = (),
    settings: Mapping[str, object] | None = None,
) -> Iterator[Server]:
    """Run a server in an empty directory, with its defaults but for these settings."""
    server = Server(home, log_level=log_level, command=command, settings=settings)
    try:
        server.start()
        yield server
    finally:
        server.close()


def held() -> socket.socket:
    """Return a socket on a port that the kernel gives to nobody else, and where connections are refused.

    Who is told the port can listen there. Without this, a server of another test could get the port of one
    that is about to be started again, and answer its clients.
    """
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", 0))
    return place


def gone(pids: Sequence[int]) -> bool:
    """Wait until processes that are not ours to reap have ended; False when they live on."""
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            if not poll.poll(SECONDS * 1000):
                return False
        finally:
            os.close(handle)
    return True


def _environment(settings: Mapping[str, object]) -> dict[str, str]:
    """Return what the server may see: settings of whoever runs the tests are not for it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STATEWARD_")}
    return kept | {f"STATEWARD_{name.upper()}": str(value) for name, value in settings.items()}
