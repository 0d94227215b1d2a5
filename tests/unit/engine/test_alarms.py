"""Alarms ring in their order, and those that were cancelled leave nothing behind."""

from __future__ import annotations

import asyncio

from stateward_server.engine.alarms import Alarms
from stateward_server.testing.clock import ManualClock, settle

_YEAR_MS = 365 * 86_400_000


async def test_cancelled_alarms_take_no_room_however_far_away_they_were():
    clock = ManualClock()
    alarms = Alarms(clock)
    running = asyncio.create_task(alarms.run())
    rung: list[int] = []
    for n in range(10_000):
        alarms.set(clock.now_ms() + _YEAR_MS, lambda: rung.append(-1)).cancel()
        if n % 100 == 0:
            alarms.set(clock.now_ms() + 10_000 - n, lambda n=n: rung.append(n))  # type: ignore[misc]
    assert len(alarms) < 300
    await settle()
    await clock.advance(2 * _YEAR_MS)
    assert rung == sorted(range(0, 10_000, 100), reverse=True)
    running.cancel()
