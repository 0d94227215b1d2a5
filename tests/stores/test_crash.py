"""What the SQLite store acknowledged survives `kill -9`; what it did not is there whole or not at all."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from stateward_server.model.names import InstanceUid
from stateward_server.store.sqlite import SqliteStore
from stateward_server.testing.clock import ManualClock, SeededEntropy

CHILD = Path(__file__).with_name("ledger_child.py")
UIDS = [InstanceUid(uid) for uid in (1, 2, 3)]
STEPS = 2


def acknowledged_before_kill(directory: Path, lines: int) -> int:
    """Kill a child once it has acknowledged `lines` batches; return the last revision it acknowledged."""
    with subprocess.Popen(
        [sys.executable, str(CHILD), str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        seen = [line for _, line in zip(range(lines), child.stdout, strict=False)]
        child.kill()
        seen += [line for line in child.stdout if line.endswith("\n")]
        assert len(seen) >= lines, child.stderr.read()
    return int(seen[-1])


@pytest.mark.slow
async def test_acknowledged_commits_survive_kill(tmp_path: Path) -> None:
    chance = random.Random(9)
    reached = 0
    for round_ in range(6):
        acknowledged = acknowledged_before_kill(tmp_path, chance.randrange(1, 120))
        store = await SqliteStore.open(tmp_path, clock=ManualClock(), entropy=SeededEntropy())
        heads = {await head(store, uid) for uid in UIDS}
        await store.close()
        assert len(heads) == 1, f"round {round_}: a batch was written in part"
        found = heads.pop()
        assert found % STEPS == 0
        assert found >= acknowledged > reached
        # At most the one batch that was under way, as the child waits for each.
        assert found <= acknowledged + STEPS
        reached = found


async def head(store: SqliteStore, uid: InstanceUid) -> int:
    """Return the last revision, once everything that belongs to it is found in place."""
    history = await store.history(uid, 0, 1_000_000)
    (timer,) = await store.timers_of(uid)
    assert [item.revision for item in history] == list(range(1, len(history) + 1))
    assert timer.due_ms == len(history)
    return len(history)
