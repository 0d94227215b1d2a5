"""The real clock and randomness do what the ports say."""

from __future__ import annotations

import asyncio
import time

import pytest

from stateward_server.ports.clock import Clock, Entropy
from stateward_server.system import SystemClock, SystemEntropy
from stateward_server.testing.clock import ManualClock, SeededEntropy, settle


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock()])
async def test_a_moment_already_past_is_not_slept_for(clock: Clock):
    async with asyncio.timeout(1):
        await clock.sleep_until(clock.now_ms())
        await clock.sleep_until(0)


async def test_the_real_clock_is_wall_time_and_sleeps_until_the_moment():
    clock = SystemClock()
    assert abs(clock.now_ms() - time.time() * 1000) < 1000
    due = clock.now_ms() + 5
    await clock.sleep_until(due)
    assert clock.now_ms() >= due


async def test_a_manual_clock_wakes_sleepers_in_the_order_of_their_times():
    clock = ManualClock(0)
    woken: list[tuple[int, int]] = []

    async def sleeper(due: int) -> None:
        await clock.sleep_until(due)
        woken.append((due, clock.now_ms()))

    tasks = [asyncio.ensure_future(sleeper(due)) for due in (30, 10, 20, 40)]
    await clock.advance(30)
    assert woken == [(10, 10), (20, 20), (30, 30)]
    assert (clock.now_ms(), clock.sleeping) == (30, 1)
    tasks[-1].cancel()
    await settle()
    assert clock.sleeping == 0


async def test_a_manual_clock_lets_a_sleeper_sleep_again_on_the_way():
    clock = ManualClock(0)
    ticks: list[int] = []

    async def ticker() -> None:
        while True:
            await clock.sleep_until(clock.now_ms() + 10)
            ticks.append(clock.now_ms())

    task = asyncio.ensure_future(ticker())
    await clock.advance(35)
    assert ticks == [10, 20, 30]
    task.cancel()


@pytest.mark.parametrize("entropy", [SystemEntropy(), SeededEntropy()])
def test_random_bytes_are_as_many_as_asked_and_differ(entropy: Entropy):
    assert [len(entropy.token_bytes(count)) for count in (0, 1, 16, 1000)] == [0, 1, 16, 1000]
    assert entropy.token_bytes(16) != entropy.token_bytes(16)


def test_seeded_bytes_repeat():
    assert SeededEntropy(3).token_bytes(16) == SeededEntropy(3).token_bytes(16)
    assert SeededEntropy(3).token_bytes(16) != SeededEntropy(4).token_bytes(16)
