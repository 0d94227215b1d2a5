"""Events per second and latency of a durable server, beside a bare gRPC echo in the same run.

The server runs with its defaults: embedded store, fsync before each reply, one log line per RPC and per
turn (to a file). The machine is a two-state XState 5 toggle that counts in its public context.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.table import Table

from stateward import Client

SCRIPTS = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
MACHINE = """
import { createMachine, assign } from "xstate";
export const allowRead = () => true;
export const allowWrite = () => true;
export default createMachine({
  context: { public: { n: 0 } }, initial: "on",
  states: {
    on: { on: { toggle: {
      target: "off", actions: assign({ public: ({ context }) => ({ n: context.public.n + 1 }) }),
    } } },
    off: { on: { toggle: "on" } },
  },
});
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One measured line: times in milliseconds, CPU in milliseconds per event."""

    label: str
    rate: float
    p50: float
    p99: float
    server_cpu: float
    host_cpu: float


@contextmanager
def started(*command: str, log: IO[bytes]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a server, yield it with its first line of output, and stop it."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:
        line = next(iter(process.stdout or ())).decode()
        try:
            yield process, line
        finally:
            process.terminate()
            process.wait(timeout=30)


def cpu_seconds(pid: int) -> float:
    """Return user and system time of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def children(pid: int) -> list[int]:
    """Return the process ids of the direct children."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def host_seconds(pid: int) -> float:
    """Return what the machine processes of a server have used."""
    return sum(cpu_seconds(child) for child in children(pid))


def measure(
    label: str, pid: int, target: str, token: str, *, callers: int, instances: int, seconds: float
) -> Row:
    """Run the load generator and account CPU to the timed part only."""
    command = [
        *(sys.executable, str(SCRIPTS / "bench_load.py"), "--target", target, "--token", token),
        *("--callers", str(callers), "--instances", str(instances), "--seconds", str(seconds)),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        said = iter(load.stdout or ())
        next(said)  # it has warmed up
        server, host = cpu_seconds(pid), host_seconds(pid)
        print(file=load.stdin, flush=True)
        report = json.loads(next(said))
        server, host = cpu_seconds(pid) - server, host_seconds(pid) - host
    events = report["events"]
    return Row(
        label,
        events / report["seconds"],
        report["p50_ms"],
        report["p99_ms"],
        server * 1000 / events,
        host * 1000 / events,
    )


async def prepare(profile: Path, instances: int) -> None:
    """Upload the machine and create its instances."""
    async with Client.from_profile(profile) as client:
        machine = client.machine("bench")
        await machine.create()
        await machine.upload(MACHINE, language="javascript")
        await asyncio.gather(*(machine.instance(str(n)).create() for n in range(instances)))


def show(console: Console, rows: list[Row]) -> None:
    """Print the table, and the ratios the project holds itself to."""
    table = Table("load", "events/s", "p50 ms", "p99 ms", "server CPU ms/event", "host CPU ms/event")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(
            *(row.label, f"{row.rate:,.0f}", f"{row.p50:.2f}", f"{row.p99:.2f}"),
            *(f"{row.server_cpu:.3f}", f"{row.host_cpu:.3f}"),
        )
    console.print(table)
    by_label = {row.label: row for row in rows}
    rate = by_label["64 callers, 64 instances"].rate / by_label["echo, 64 callers"].rate
    p50 = by_label["1 caller"].p50 / by_label["echo, 1 caller"].p50
    console.print(
        f"64 callers: {rate:.2f} of the echo's rate. One caller: p50 is {p50:.2f} times the echo's."
    )


def main() -> None:
    """Run both servers and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="length of each measured run")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="stateward-bench-") as folder:
        data = Path(folder) / "data"
        with (Path(folder) / "server.log").open("wb") as log:
            echo = (sys.executable, str(SCRIPTS / "bench_echo.py"))
            serve = (sys.executable, "-m", "stateward_server", "serve", "--data", str(data))
            with started(*echo, log=log) as (process, line):
                target = f"127.0.0.1:{line.strip()}"
                for callers in (1, 16, 64):
                    label = f"echo, {callers} caller{'s' if callers > 1 else ''}"
                    rows.append(
                        measure(
                            label,
                            process.pid,
                            target,
                            "",
                            callers=callers,
                            instances=64,
                            seconds=options.seconds,
                        )
                    )
            with started(*serve, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", log=log) as (
                process,
                line,
            ):
                target = json.loads(line)["grpc"]
                asyncio.run(prepare(data / "admin.json", 64))
                token = json.loads((data / "admin.json").read_text())["token"]
                for label, callers, instances in (
                    ("1 caller", 1, 64),
                    ("16 callers, 64 instances", 16, 64),
                    ("64 callers, 64 instances", 64, 64),
                    ("64 callers, 1 instance", 64, 1),
                ):
                    rows.append(
                        measure(
                            *(label, process.pid, target, token),
                            callers=callers,
                            instances=instances,
                            seconds=options.seconds,
                        )
                    )
    show(Console(), rows)


if __name__ == "__main__":
    main()
