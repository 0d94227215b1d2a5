"""The timers in memory are the nearest ones, however they came."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from stateward_server.engine.alarms import Alarms
from stateward_server.engine.timers import TimerQueue
from stateward_server.model.ledger import TimerRow
from stateward_server.model.names import InstanceUid
from stateward_server.testing.clock import ManualClock, settle

_NEAR = 64


class _Rows:
    """Timers on disk."""

    def __init__(self) -> None:
        self.rows: list[TimerRow] = []
        self.held: asyncio.Event | None = None
        """Reading waits for it."""

    async def due_after(self, after: tuple[int, InstanceUid, str], limit: int) -> Sequence[TimerRow]:
        found = sorted((row for row in self.rows if _key(row) > after), key=_key)[:limit]
        if self.held is not None:
            await self.held.wait()
        return found

    async def timers_of(self, uid: InstanceUid) -> Sequence[TimerRow]:
        return [row for row in self.rows if row.uid == uid]


def _key(row: TimerRow) -> tuple[int, InstanceUid, str]:
    return (row.due_ms, row.uid, row.id)


@pytest.mark.parametrize("reading", [False, True])
async def test_any_number_of_timers_set_while_it_runs_takes_the_room_of_the_nearest(reading: bool):
    clock, rows, random_ = ManualClock(), _Rows(), random.Random(7)
    fired: list[TimerRow] = []

    def fire(row: TimerRow) -> bool:
        if row in rows.rows:
            rows.rows.remove(row)
            fired.append(row)
        return True

    alarms = Alarms(clock)
    queue = TimerQueue(rows, clock, alarms, _NEAR, fire)
    tasks = [asyncio.create_task(loop) for loop in (queue.run(), alarms.run())]
    if reading:
        rows.held = asyncio.Event()
    await settle()
    for uid in range(2_000):
        row = TimerRow(InstanceUid(uid), "t", clock.now_ms() + random_.randrange(1, 100_000), "", None)
        rows.rows.append(row)
        queue.arm(row)
        if reading and uid == 40:
            assert rows.held is not None
            rows.held.set()
            await settle()
        assert len(queue) <= 3 * _NEAR
    every = sorted(rows.rows, key=_key)
    await clock.advance(100_000)
    assert fired == every
    for task in tasks:
        task.cancel()
