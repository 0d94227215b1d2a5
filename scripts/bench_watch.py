"""Subscribers: updates per second and server core, delay from transition to subscriber, cost of idling.

Beside it, in the same run, a bare grpc.aio server that streams frames of the same size. The server runs with
its defaults: every transition is flushed to disk before anyone hears of it. Delays are counted from when the
transition was computed, so they include its commit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.table import Table

from bench import SCRIPTS, cpu_seconds, prepare

Report = dict[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One measured line."""

    label: str
    report: Report
    server_cpu: float
    """Seconds."""

    def cells(self) -> tuple[str, ...]:
        updates = self.report["updates"]
        return (
            self.label,
            f"{updates / self.report['seconds']:,.0f}",
            f"{updates / self.server_cpu:,.0f}",
            f"{updates / self.report['frames']:.1f}",
            f"{self.report['p50_ms']:.1f}",
            f"{self.report['p99_ms']:.1f}",
        )


class Talk:
    """A process that answers each line with a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def hear(self) -> str:
        """Return its next line."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("a process of the benchmark has ended early")
        return line

    def say(self, **order: object) -> None:
        """Tell it what to do."""
        print(json.dumps(order), file=self._process.stdin, flush=True)

    def ask(self, **order: object) -> Any:
        """Tell it what to do, and return its report."""
        self.say(**order)
        return json.loads(self.hear())


@contextmanager
def talking(*command: str, log: IO[bytes]) -> Iterator[Talk]:
    """Run a process to talk with; it ends when its input does."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
    ) as process:
        try:
            yield Talk(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def load(
    target: str, token: str, *, streams: int, instances: int, together: bool = False, log: IO[bytes]
) -> Iterator[Talk]:
    """Run subscribers, and wait until all have their first state."""
    command = [sys.executable, str(SCRIPTS / "bench_watch_load.py"), "--target", target, "--token", token]
    command += ["--streams", str(streams), "--instances", str(instances)]
    command += ["--together"] if together else []
    with talking(*command, log=log) as talk:
        talk.hear()
        yield talk


def resident(pid: int) -> int:
    """Return the memory of a process in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def floor(rows: list[Row], streams: int, log: IO[bytes]) -> None:
    """Measure what gRPC alone can do."""
    with talking(sys.executable, str(SCRIPTS / "bench_watch_floor.py"), log=log) as server:
        target = f"127.0.0.1:{server.hear().strip()}"
        with load(target, "", streams=streams, instances=1, log=log) as subscribers:
            for label, bursts, pause in (
                (f"floor: one burst to {streams:,}, 5 a second", 10, 0.2),
                (f"floor: {streams:,} streams, as fast as it goes", 40, 0.0),
            ):
                before = cpu_seconds(server.pid)
                subscribers.say(expect=bursts * streams)
                subscribers.hear()
                server.say(bursts=bursts, pause=pause)
                report = json.loads(subscribers.hear())
                rows.append(Row(label, report, cpu_seconds(server.pid) - before))


def measured(
    rows: list[Row],
    server: int,
    target: str,
    token: str,
    *,
    streams: int,
    instances: int,
    together: bool = False,
    log: IO[bytes],
) -> None:
    """Measure one kind of load: few events, so that each is a burst of its own, then as many as will go."""
    each = streams // instances
    where = "1 instance" if instances == 1 else f"{instances:,} instances"
    what = "1 stream of all" if together else f"{streams:,} streams on"
    paced, paced_callers = (15, 1) if instances == 1 else (400, 4)
    full, full_callers = (300, 32) if instances == 1 else (6_000, 64)
    with load(target, token, streams=streams, instances=instances, together=together, log=log) as subscribers:
        for label, events, callers, pause in (
            (f"{what} {where}, paced", paced, paced_callers, 0.2 if each > 1 else 0.01),
            (f"{what} {where}, as fast as it goes", full, full_callers, 0.0),
        ):
            before = cpu_seconds(server)
            report = subscribers.ask(send=events, callers=callers, pause=pause, subscribers=each)
            rows.append(Row(label, report, cpu_seconds(server) - before))


def idling(server: int, target: str, token: str, streams: int, log: IO[bytes]) -> str:
    """Measure what streams cost on which nothing happens."""
    empty = resident(server)
    with load(target, token, streams=streams, instances=streams, log=log) as subscribers:
        grown = (resident(server) - empty) / streams
        before = cpu_seconds(server)
        report = subscribers.ask(idle=15)
        busy = (cpu_seconds(server) - before) / 15
        size = report["bytes"] / max(report["frames"], 1)
    frames = report["frames"] / streams
    return (
        f"{streams:,} idle streams: {grown / 1024:.1f} KiB of server memory each, {busy * 100:.1f} % of a"
        f" core in all; {frames:.1f} frames of {size:.0f} bytes in 15 s each"
    )


def main() -> None:
    """Run both servers and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1_000)
    streams = parser.parse_args().streams
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="stateward-bench-") as folder:
        data = Path(folder) / "data"
        with (Path(folder) / "log").open("wb") as log:
            floor(rows, streams, log)
            serve = [sys.executable, "-m", "stateward_server", "serve", "--data", str(data)]
            serve += ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
            with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=log, text=True) as process:
                try:
                    assert process.stdout is not None  # noqa: S101 - it was asked for
                    target = json.loads(process.stdout.readline())["grpc"]
                    asyncio.run(prepare(data / "admin.json", streams))
                    token = json.loads((data / "admin.json").read_text())["token"]
                    server = (process.pid, target, token)
                    idle = idling(*server, streams, log)
                    for instances, together in ((1, False), (streams, False), (streams, True)):
                        measured(
                            *(rows, *server),
                            streams=streams,
                            instances=instances,
                            together=together,
                            log=log,
                        )
                finally:
                    process.terminate()
                    process.wait(30)
    table = Table("load", "updates/s", "updates/s per server core", "updates/frame", "p50 ms", "p99 ms")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row.cells())
    console = Console(width=130)
    console.print(table)
    console.print(idle)


if __name__ == "__main__":
    main()
