"""How late timers fire, and what very many pending ones cost.

First: the server's own engine, ledger (SQLite, each commit flushed to disk before anything is seen) and
machine host, in one process, with many pending timers, of which some hundreds come due in each second. Every
instance is asleep on disk before its timer. A timer is late by the time from when it was due until its
transition was durable and published. Second: a server started on a ledger with very many more; its memory
and start time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import structlog
import uvloop
from rich.console import Console
from rich.table import Table

from stateward_server.engine.engine import Engine
from stateward_server.model.ledger import Commit, Instance, InstanceKey, TimerRow, Transition
from stateward_server.model.machine import Language, Machine, Module, Version
from stateward_server.model.names import InstanceName, InstanceUid, MachineName, OrgId, VersionId
from stateward_server.model.org import Org, User
from stateward_server.model.wait import Until, Wait
from stateward_server.ports.host import ModuleSource
from stateward_server.runtime.pool import HostPool
from stateward_server.store.sqlite.store import SqliteStore
from stateward_server.system import SystemClock, SystemEntropy

ORG = OrgId("org_AAAAAAAAAAAAAAAAAAAAAA")
MACHINE = MachineName("bench")
VERSION = VersionId("ver_AAAAAAAAAAAAAAAAAAAAAA")
HOUR_MS = 3_600_000
LEAD_MS = 3_000
BATCH = 500
MODULE = Module(
    """
import { createMachine } from "xstate";
export const allowRead = () => true;
export const allowWrite = () => true;
export default createMachine({
  context: { public: { n: 0 } }, initial: "waiting",
  states: { waiting: { after: { 3600000: "fired" } }, fired: {} },
});
""",
    Language.JAVASCRIPT,
)


@dataclass(frozen=True, slots=True)
class Punctuality:
    """What was measured while timers came due; lateness in milliseconds."""

    late: list[float]
    seconds: float
    server_cpu: float
    host_cpu: float

    def percentile(self, share: float) -> float:
        return self.late[min(len(self.late) - 1, int(len(self.late) * share))]


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a server on a ledger costs."""

    pending: int
    ready_s: float
    resident_mb: float


async def opened(data: Path) -> SqliteStore:
    """Open a ledger with the bench's machine in it."""
    clock, entropy = SystemClock(), SystemEntropy()
    store = await SqliteStore.open(data, clock=clock, entropy=entropy)
    now = clock.now_ms()
    await store.create_org(Org(ORG, "bench", now), User("usr_bench", "bench", now), None, None)
    await store.create_machine(Machine(ORG, MACHINE, None, now), None)
    version = Version(VERSION, ORG, MACHINE, "v5", "", len(MODULE.source), now)
    await store.create_version(version, MODULE, None, make_current=True)
    return store


async def sample(store: SqliteStore) -> tuple[Instance, Transition, TimerRow]:
    """Create one instance in earnest, to copy the rest from."""

    async def source(version: VersionId) -> Module:  # noqa: ARG001 - there is only one
        return MODULE

    host = HostPool(source)
    engine = Engine(store, host, SystemClock(), lambda *_: None)
    host.listen(engine)
    key = InstanceKey(ORG, MACHINE, InstanceName("sample"))
    async with engine:
        instance, reply = await engine.create(
            key, VERSION, None, "{}", request=None, wait=Wait(Until.COMMITTED, 0)
        )
        (timer,) = await store.timers_of(instance.uid)
    await host.close()
    return instance, reply.own, timer


async def populate(store: SqliteStore, dues: Sequence[int]) -> dict[InstanceUid, int]:
    """Write an instance with one timer for each due time; return the due time by uid."""
    instance, transition, timer = await sample(store)
    by_uid: dict[InstanceUid, int] = {}

    async def commits() -> list[Commit]:
        made = []
        for due in islice(rows, BATCH):
            uid = await store.allocate_uid()
            by_uid[uid] = due
            key = replace(instance.key, name=InstanceName(f"i{uid}"))
            head = replace(instance, uid=uid, key=key)
            made.append(Commit(head, 0, (transition,), (replace(timer, uid=uid, due_ms=due),), ()))
        return made

    rows: Iterator[int] = iter(dues)
    while batch := await commits():
        await store.apply(batch)
    return by_uid


async def punctuality(data: Path, pending: int, rate: int, seconds: int) -> Punctuality:
    """Measure with `pending` timers, of which `rate` come due in each of `seconds` seconds."""
    store = await opened(data)
    now = int(time.time() * 1000)
    far = [now + HOUR_MS + n for n in range(pending)]
    # A due time is written down before it is known how long writing takes: shifted below, at the start.
    dues = await populate(store, far)
    soon = list(dues)[:: max(1, pending // (rate * seconds))][: rate * seconds]
    begin = int(time.time() * 1000) + LEAD_MS
    expected = {uid: begin + n * 1000 // rate for n, uid in enumerate(soon)}
    await move(store, expected)
    late: list[float] = []
    done = asyncio.Event()

    def publish(instance: Instance, transitions: Sequence[Transition], position: int) -> None:  # noqa: ARG001
        due = expected.get(instance.uid)
        if due is not None and transitions:
            late.append(time.time() * 1000 - due)
            if len(late) == len(expected):
                done.set()

    host = HostPool(store_source(store))
    engine = Engine(store, host, SystemClock(), publish)
    host.listen(engine)
    gc.collect()
    gc.freeze()  # what this program holds of the ledger is no part of a server
    async with engine:
        await warmed(engine)
        pid = host.pid_of(VERSION)
        await SystemClock().sleep_until(begin - 5)
        began, server, worker = time.perf_counter(), time.process_time(), cpu_seconds(pid)
        async with asyncio.timeout(seconds * 3 + 30):
            await done.wait()
        elapsed = time.perf_counter() - began
        server, worker = time.process_time() - server, cpu_seconds(pid) - worker
    await host.close()
    await store.close()
    return Punctuality(sorted(late), elapsed, server, worker)


async def move(store: SqliteStore, dues: dict[InstanceUid, int]) -> None:
    """Give timers a new due time, as a commit of their instance would."""
    uids = list(dues)
    for start in range(0, len(uids), BATCH):
        batch = []
        for uid in uids[start : start + BATCH]:
            loaded = await store.load_uid(uid)
            if loaded is None:
                raise LookupError(uid)
            (timer,) = await store.timers_of(loaded.instance.uid)
            row = replace(timer, due_ms=dues[uid])
            batch.append(Commit(loaded.instance, loaded.last.revision, (), (row,), (timer.id,)))
        await store.apply(batch)


async def warmed(engine: Engine) -> None:
    """Have the machine's process started, as it is on a server that is in use."""
    for number in range(50):
        key = InstanceKey(ORG, MACHINE, InstanceName(f"warm-{number}"))
        await engine.create(key, VERSION, None, "{}", request=None, wait=Wait(Until.COMMITTED, 0))


def store_source(store: SqliteStore) -> ModuleSource:
    """Return where a host finds the machine's module."""

    async def source(version: VersionId) -> Module:
        module = await store.get_module(version)
        if module is None:
            raise LookupError(version)
        return module

    return source


async def fill(data: Path, pending: int) -> None:
    """Write a ledger with that many timers, none of them due soon."""
    store = await opened(data)
    now = int(time.time() * 1000)
    await populate(store, range(now + 24 * HOUR_MS, now + 24 * HOUR_MS + pending))
    await store.close()


def footprint(data: Path, pending: int) -> Footprint:
    """Start a server on a ledger and look at it once it accepts calls and has rested."""
    command = (sys.executable, "-m", "stateward_server", "serve", "--data", str(data))
    addresses = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-level", "error")
    began = time.perf_counter()
    with subprocess.Popen((*command, *addresses), stdout=subprocess.PIPE) as server:
        json.loads(next(iter(server.stdout or ())))
        ready = time.perf_counter() - began
        time.sleep(3)
        pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
        server.terminate()
        server.wait(timeout=30)
    return Footprint(pending, ready, pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576)


def cpu_seconds(pid: int) -> float:
    """Return user and system time of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(console: Console, options: argparse.Namespace, told: Punctuality, ledgers: list[Footprint]) -> None:
    """Print both tables."""
    table = Table("pending", "due per s", "fired", "p50 ms", "p99 ms", "max ms", "server CPU", "host CPU")
    table.add_row(
        *(f"{options.pending:,}", f"{options.rate}", f"{len(told.late):,}"),
        *(f"{told.percentile(0.5):.1f}", f"{told.percentile(0.99):.1f}", f"{told.late[-1]:.1f}"),
        *(f"{told.server_cpu / told.seconds:.0%}", f"{told.host_cpu / told.seconds:.0%}"),
    )
    console.print(table)
    console.print("Durability: every transition is flushed to disk (fsync) before it counts as fired.")
    if ledgers:
        sizes = Table("pending timers", "server ready after s", "resident MB")
        for one in ledgers:
            sizes.add_row(f"{one.pending:,}", f"{one.ready_s:.2f}", f"{one.resident_mb:.0f}")
        console.print(sizes)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--pending", type=int, default=100_000, help="pending timers while lateness is measured"
    )
    parser.add_argument("--rate", type=int, default=500, help="timers that come due in a second")
    parser.add_argument("--seconds", type=int, default=10, help="for how long")
    parser.add_argument("--many", type=int, default=1_000_000, help="timers of the large ledger; 0 for none")
    parser.add_argument("--folder", type=Path, help="where the ledgers go for the time being")
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)  # this and the next line as the server does
    gc.set_threshold(50_000, 20, 20)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    ledgers = []
    with (
        tempfile.TemporaryDirectory(prefix="stateward-bench-", dir=options.folder) as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        root = Path(folder)
        told = runner.run(punctuality(root / "due", options.pending, options.rate, options.seconds))
        if options.many:
            for name, pending in (("few", 1), ("many", options.many)):
                runner.run(fill(root / name, pending))
                ledgers.append(footprint(root / name, pending))
    show(Console(), options, told, ledgers)


if __name__ == "__main__":
    main()
