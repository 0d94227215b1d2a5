"""Measure the machine host alone: steps per second, and the processor time of a step on either side.

Drives HostPool as the engine does, one toggle per step, with many instances in flight. `riding` lets the
implied commit of the next step stand for the commit, `commit` sends one for each step.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

import uvloop

from stateward_server.model.machine import Language, Module
from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.model.step import EventInput, Outcomes, Step
from stateward_server.ports.host import Address
from stateward_server.runtime.pool import HostPool

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"
AUTH = '{"sid":"i"}'
TOGGLE = EventInput('{"type":"toggle"}', AUTH)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each case runs")
    parser.add_argument("--instances", type=int, default=64, help="instances in flight at once")
    parser.add_argument("--asyncio", action="store_true", help="use asyncio's own event loop, not uvloop")
    args = parser.parse_args()
    print(f"{'case':<16}{'steps/s':>10}{'python µs':>12}{'host µs':>10}")
    factory = None if args.asyncio else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(compare(args.seconds, args.instances))
    return 0


async def compare(seconds: float, instances: int) -> None:
    async def source(version: VersionId) -> Module:
        return Module((EXAMPLES / f"toggle.{version}.ts").read_text(), Language.TYPESCRIPT)

    pool = HostPool(source)
    try:
        for dialect in ("v5", "v4"):
            for case in ("riding", "commit"):
                await measure(pool, VersionId(dialect), case, seconds, instances)
    finally:
        await pool.close()


async def measure(pool: HostPool, version: VersionId, case: str, seconds: float, instances: int) -> None:
    addresses = [Address(version, InstanceUid(uid)) for uid in range(1, instances + 1)]
    for at in addresses:
        started = await pool.start(at, "i", None, AUTH)
        if not isinstance(started, Step):
            raise SystemExit(f"bench_host: {started}")
        pool.commit(at, 1)
    revisions = dict.fromkeys(addresses, 1)
    pid = pool.pid_of(version)
    end = time.perf_counter() + seconds / 4
    await drive(pool, revisions, end, commit=case == "commit")  # warms up the compilers
    steps, began = sum(revisions.values()), time.perf_counter()
    ours, theirs = time.process_time(), processor_time(pid)
    await drive(pool, revisions, began + seconds, commit=case == "commit")
    done = sum(revisions.values()) - steps
    elapsed = time.perf_counter() - began
    ours, theirs = time.process_time() - ours, processor_time(pid) - theirs
    rate, python, host = done / elapsed, ours / done * 1e6, theirs / done * 1e6
    print(f"{version + ' ' + case:<16}{rate:>10.0f}{python:>12.1f}{host:>10.1f}")


async def drive(pool: HostPool, revisions: dict[Address, int], end: float, *, commit: bool) -> None:
    async def one(at: Address) -> None:
        while time.perf_counter() < end:
            reply = await pool.step(at, revisions[at], (TOGGLE,), None)
            if not (isinstance(reply, Outcomes) and isinstance(reply.items[0], Step)):
                raise SystemExit(f"bench_host: {reply}")
            revisions[at] += 1
            if commit:
                pool.commit(at, revisions[at])

    async with asyncio.TaskGroup() as tasks:
        for at in revisions:
            tasks.create_task(one(at))


def processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
