"""Writes batches to the store in a directory until it is killed, and says each one that is durable.

Run by `test_crash.py` as a process of its own. A batch brings each of three instances two revisions and one
timer forward, so whoever looks afterwards can tell a whole batch from a part of one.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from stateward_server.model.ledger import Committed
from stateward_server.model.names import InstanceUid
from stateward_server.store.sqlite import SqliteStore
from stateward_server.system import SystemClock, SystemEntropy
from stateward_server.testing.store_samples import sample_commit, sample_timer, with_machine

UIDS = (1, 2, 3)
STEPS = 2


async def main(directory: Path) -> None:
    store = await SqliteStore.open(directory, clock=SystemClock(), entropy=SystemEntropy())
    await with_machine(store)
    loaded = await store.load_uid(InstanceUid(UIDS[0]))
    base = loaded.last.revision if loaded else 0
    while True:
        timer = base + STEPS
        batch = [
            sample_commit(uid, base, steps=STEPS, timers=[sample_timer(uid, due_ms=timer)]) for uid in UIDS
        ]
        results = await store.apply(batch)
        if not all(isinstance(result, Committed) for result in results):
            raise SystemExit(f"refused: {results}")
        base += STEPS
        sys.stdout.write(f"{base}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
