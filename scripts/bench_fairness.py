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
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench import MACHINE, children, cpu_seconds, started
from stateward import Client, Instance, Machine, MachineFault, RetryPolicy, Unavailable, Wait

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


Deed = Callable[[int, Instance], Awaitable[None]]
"""Something bad to do, on a server with this process id, to an instance of a bad machine."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A server, its well-behaved instances, and the machine whose turn it is to be bad."""

    pid: int
    neighbours: list[Instance]
    rate: float
    seconds: float

    async def measure(self, label: str, deed: Deed | None, villain: Instance) -> Row:
        """Send events to the neighbours while `deed` is done over and over."""
        deeds = 0

        async def do() -> None:
            nonlocal deeds
            while deed is not None:
                with suppress(MachineFault, Unavailable):
                    await deed(self.pid, villain)
                deeds += 1

        doing = asyncio.ensure_future(do())
        end = time.perf_counter() + self.seconds
        pause = CALLERS / self.rate
        times = await asyncio.gather(
            *(_call(each, n * pause / CALLERS, pause, end) for n, each in enumerate(self.neighbours))
        )
        doing.cancel()
        return Row(label, deeds, sorted(time for each in times for time in each))


async def spin(_: int, villain: Instance) -> None:
    """Have a guard that never ends."""
    await villain.send("SPIN", wait=Wait.COMMITTED)


async def eat(_: int, villain: Instance) -> None:
    """Have an action that fills the heap."""
    await villain.send("EAT", wait=Wait.COMMITTED)


async def die(pid: int, villain: Instance) -> None:
    """Kill the process in the middle of a service."""
    await villain.send("SERVE", wait=Wait.COMMITTED)
    await asyncio.sleep(1)  # until the next spare process has started: then the villain's is the busiest
    before = {child: cpu_seconds(child) for child in children(pid)}
    await villain.send({"type": "BUSY", "ms": 300}, wait=Wait.COMMITTED)
    await villain.send("BUSY", wait=Wait.COMMITTED)
    used = {child: cpu_seconds(child) - before[child] for child in children(pid) if child in before}
    os.kill(max(used, key=lambda child: used[child]), signal.SIGKILL)


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


CASES: list[tuple[str, Deed | None]] = [
    ("All is well", None),
    ("Spins in a guard", spin),
    ("Fills its heap", eat),
    ("Killed in a service", die),
]


async def run(login: dict[str, str], pid: int, rate: float, seconds: float) -> list[Row]:
    """Prepare the machines and measure each case, with a machine of its own."""
    retry = RetryPolicy(50, first_delay=0.05, max_delay=0.2)
    async with Client.connect(login["grpc"], token=login["token"], retry=retry) as client:
        good = [await _published(client, f"good-{n}", MACHINE) for n in (1, 2)]
        bad = [await _published(client, f"bad-{n}", VILLAIN.read_text()) for n in range(len(CASES))]
        neighbours = [good[n % 2].instance(str(n)) for n in range(CALLERS)]
        villains = [machine.instance("one") for machine in bad]
        for instance in (*neighbours, *villains):
            await instance.create()
        bench = Bench(pid, neighbours, rate, seconds)
        await replace(bench, seconds=2).measure("warm up", None, villains[0])
        return [
            await bench.measure(label, deed, villain)
            for (label, deed), villain in zip(CASES, villains, strict=True)
        ]


async def _published(client: Client, name: str, source: str) -> Machine:
    machine = client.machine(name)
    await machine.create()
    await machine.upload(source, language="typescript")
    return machine


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200, help="events a second to the others")
    parser.add_argument("--seconds", type=float, default=15, help="length of each case, in seconds")
    parser.add_argument("--folder", type=Path, help="where the ledger goes for the time being")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stateward-bench-", dir=options.folder) as folder:
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
