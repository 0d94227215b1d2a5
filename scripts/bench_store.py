#!/usr/bin/env python3
"""Measure the SQLite store: CPU per transition and latency of `apply`, for batches of 1, 16 and 64 commits.

Usage: scripts/bench_store.py [--seconds 2] [--instances 1000] [--context 400] [--timers] [--index] [--busy]
  --context N   bytes of context in each snapshot
  --timers      each transition also replaces a timer
  --index       each transition also moves its instance in an index
  --busy        keep the event loop's thread spinning meanwhile, as a loaded server does
  --directory D the disk to measure, by default that of the working directory
Commits of a batch are of different instances, chosen at random; each transition carries a request id.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stateward_server.model.index import NO_ENTRIES
from stateward_server.model.ledger import (
    Cause,
    Commit,
    Instance,
    InstanceKey,
    RequestTag,
    TimerRow,
    Transition,
)
from stateward_server.model.machine import Machine
from stateward_server.model.names import InstanceName, MachineName, OrgId, VersionId
from stateward_server.model.step import Status, View
from stateward_server.store.sqlite import SqliteStore

ORG, MACHINE, VERSION = OrgId("org_" + "o" * 22), MachineName("orders"), VersionId("ver_" + "v" * 22)
VIEW = View('{"checkout":"paying"}', ("checkout", "checkout.paying"), (), '{"total":12}', Status.ACTIVE, True)


class Now:
    """Time and chance of the bench."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep_until(self, due_ms: int) -> None:
        raise NotImplementedError

    def token_bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)


class Load:
    """Instances that take turns, each at the revision it has reached."""

    def __init__(self, instances: list[Instance], context: int, *, timers: bool, index: bool) -> None:
        self._instances = instances
        self._revisions = [0] * len(instances)
        self._snapshot = f'{{"value":{VIEW.value_json},"context":{{"note":"{"x" * context}"}}}}'
        self._timers = timers
        self._index = index

    def batch(self, places: list[int]) -> list[Commit]:
        return [self._commit(place) for place in places]

    def _commit(self, place: int) -> Commit:
        base = self._revisions[place]
        self._revisions[place] = base + 1
        uid = self._instances[place].uid
        request = RequestTag(f"{random.getrandbits(128):032x}", b"d" * 16)
        step = Transition(
            base + 1,
            1,
            1_700_000_000_000,
            Cause.EVENT,
            '{"type":"PAY"}',
            self._snapshot,
            VIEW,
            VERSION,
            request,
            frozenset({("due", f"{random.getrandbits(32):08x}")}) if self._index else NO_ENTRIES,
        )
        timers = (TimerRow(uid, "t", 1_700_000_000_000 + base, "{}", None),) if self._timers else ()
        return Commit(self._instances[place], base, (step,), timers, ())


@contextmanager
def spinning(wanted: bool) -> Iterator[None]:
    """Compete for the interpreter's lock like a loop that always has something to do."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(500))

    thread = threading.Thread(target=spin)
    if wanted:
        thread.start()
    yield
    stop.set()
    if wanted:
        thread.join()


async def measure(store: SqliteStore, load: Load, size: int, options: argparse.Namespace) -> None:
    latencies: list[float] = []
    cpu = 0.0
    end = time.perf_counter() + options.seconds
    while time.perf_counter() < end:
        batch = load.batch(random.sample(range(options.instances), size))
        cpu_start, start = time.process_time(), time.perf_counter()
        await store.apply(batch)
        latencies.append(time.perf_counter() - start)
        cpu += time.process_time() - cpu_start
    latencies.sort()
    p50, p99 = (latencies[int(len(latencies) * part)] * 1000 for part in (0.5, 0.99))
    spent = f"{cpu / len(latencies) / size * 1e6:6.1f} µs CPU/transition" if not options.busy else ""
    rate = size * len(latencies) / sum(latencies)
    print(f"batch {size:3}: {spent}  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  {rate:7.0f} transitions/s")


async def run(options: argparse.Namespace, directory: Path) -> None:
    store = await SqliteStore.open(directory, clock=Now(), entropy=Now())
    try:
        await store.create_machine(Machine(ORG, MACHINE, None, 0), None)
        keys = [
            InstanceKey(ORG, MACHINE, InstanceName(f"order-{number}")) for number in range(options.instances)
        ]
        instances = [Instance(await store.allocate_uid(), key, VERSION, 0) for key in keys]
        load = Load(instances, options.context, timers=options.timers, index=options.index)
        for start in range(0, len(instances), 100):
            await store.apply(load.batch(list(range(start, min(start + 100, len(instances))))))
        with spinning(options.busy):
            for size in (1, 16, 64):
                await measure(store, load, size, options)
    finally:
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--context", type=int, default=400)
    parser.add_argument("--timers", action="store_true")
    parser.add_argument("--index", action="store_true")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--directory", type=Path, default=Path())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        asyncio.run(run(options, Path(directory)))


if __name__ == "__main__":
    main()
