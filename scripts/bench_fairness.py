"""How long others wait while one machine does its worst: latency of events beside a process that is bad.

A server with its defaults. Callers send at a steady rate to instances of two well-behaved machines, while the
process of a third one is killed in the middle of a service, fills its heap, or spins in a guard, again and
again. Every event is flushed to disk (fsync) before its reply.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench import MACHINE, children, cpu_seconds, started
from stateward import Client, Instance, MachineFault, RetryPolicy, Unavailable, Wait

VILLAIN = Path(__file__).parents[1] / "tests" / "e2e" / "machines" / "villain.v5.ts"
CALLERS = 16


@dataclass(frozen=True, slots=True)
class Row:
    """What callers of well-behaved machines met meanwhile; times in milliseconds, in order."""

    label: str
    deeds: int
    times: list[float]

    def percentile(self, share: float) -> float:
        return self.times[min(len(self.times) - 1, int(len(self.times) * share))]


@dataclass(frozen=True, slots=True)
class Bench:
    """A server, its well-behaved instances, and the villain."""

    pid: int
    neighbours: list[Instance]
    villain: Instance

    async def measure(
        self, label: str, deed: Callable[[], Awaitable[None]] | None, rate: float, seconds: float
    ) -> Row:
        """Send `rate` events a second while `deed` is done over and over."""
        deeds = 0

        async def do() -> None:
            nonlocal deeds
            while deed is not None:
                with suppress(MachineFault, Unavailable):
                    await deed()
                deeds += 1

        doing = asyncio.ensure_future(do())
        end = time.perf_counter() + seconds
        pause = CALLERS / rate
        times = await asyncio.gather(
            *(_call(each, n * pause / CALLERS, pause, end) for n, each in enumerate(self.neighbours))
        )
        doing.cancel()
        return Row(label, deeds, sorted(time for each in times for time in each))

    async def spin(self) -> None:
        await self.villain.send("SPIN", wait=Wait.COMMITTED)

    async def eat(self) -> None:
        await self.villain.send("EAT", wait=Wait.COMMITTED)

    async def die(self) -> None:
        """Kill the villain's process in the middle of a service."""
        await self.villain.send("SERVE", wait=Wait.COMMITTED)
        before = {pid: cpu_seconds(pid) for pid in children(self.pid)}
        await self.villain.send({"type": "BUSY", "ms": 200}, wait=Wait.COMMITTED)
        await self.villain.send("BUSY", wait=Wait.COMMITTED)
        used = {pid: cpu_seconds(pid) - before[pid] for pid in children(self.pid) if pid in before}
        os.kill(max(used, key=lambda pid: used[pid]), signal.SIGKILL)


async def _call(instance: Instance, delay: float, pause: float, end: float) -> list[float]:
    """Send at fixed moments, and count the wait from the moment, also when the one before was late."""
    times = []
    due = time.perf_counter() + delay
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await instance.send("toggle", wait=Wait.COMMITTED)
        times.append((time.perf_counter() - due) * 1000)
        due += pause
    return times


async def run(login: dict[str, str], pid: int, rate: float, seconds: float) -> list[Row]:
    """Prepare the machines and measure each case."""
    async with Client.connect(
        login["grpc"], token=login["token"], retry=RetryPolicy(50, first_delay=0.05, max_delay=0.2)
    ) as client:
        for name, source in (("good-1", MACHINE), ("good-2", MACHINE), ("villain", VILLAIN.read_text())):
            await client.machine(name).create()
            await client.machine(name).upload(source, language="typescript")
        neighbours = [client.machine(f"good-{1 + n % 2}").instance(str(n)) for n in range(CALLERS)]
        bench = Bench(pid, neighbours, client.machine("villain").instance("one"))
        for instance in (*neighbours, bench.villain):
            await instance.create()
        await bench.measure("", None, rate, 2)
        cases = (
            ("All is well", None),
            ("Process killed in a service", bench.die),
            ("Heap filled", bench.eat),
            ("Spinning in a guard", bench.spin),
        )
        return [await bench.measure(label, deed, rate, seconds) for label, deed in cases]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200, help="events a second to the others")
    parser.add_argument("--seconds", type=float, default=15, help="length of each case")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stateward-bench-") as folder:
        data = Path(folder) / "data"
        command = (sys.executable, "-m", "stateward_server", "serve", "--data", str(data))
        addresses = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
        with (
            (Path(folder) / "server.log").open("wb") as log,
            started(*command, *addresses, log=log) as (process, _),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            login = json.loads((data / "admin.json").read_text())
            rows = runner.run(run(login, process.pid, options.rate, options.seconds))
    table = Table("meanwhile", "times", "events of others", "p50 ms", "p99 ms", "max ms")
    for row in rows:
        table.add_row(
            *(row.label, str(row.deeds), f"{len(row.times):,}"),
            *(f"{row.percentile(0.5):.1f}", f"{row.percentile(0.99):.1f}", f"{row.times[-1]:.1f}"),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
