"""Many clients, many kills, at any moment: the whole history is as it was promised.

Killed are the server, at a random moment or at a random point of a turn, and the processes that run machines.
STATEWARD_KILLS and STATEWARD_KILL_SEED make a run longer, or another one; `make crash` makes a long one.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.crash.doomed import POINTS
from tests.crash.office import GENERATIONS, Office, any_event, doomed, hire, kill_host, opened

from stateward import Wait

KILLS = int(os.environ.get("STATEWARD_KILLS", "4"))
SEED = int(os.environ.get("STATEWARD_KILL_SEED", "7"))
CLERKS = 12
SENDERS = 8

pytestmark = [pytest.mark.slow, pytest.mark.timeout(KILLS * 15 + 90)]


async def send(office: Office, moves: random.Random, over: asyncio.Event) -> None:
    """A client that sends to all of them; some give up at the first failure, and never know."""
    patient = moves.random() < 0.6
    names = list(office.clerks)
    async with office.client() if patient else office.doomed.server.client() as client:
        while not over.is_set():
            name, event = moves.choice(names), any_event(office, moves)
            wait = moves.choice([Wait.COMMITTED, Wait.COMMITTED, Wait.SETTLED])
            call = await office.send(client, name, event, wait)
            if call.revision is None:
                await asyncio.sleep(0.1)
            elif moves.random() < 0.1:
                async with office.client() as again:
                    await office.repeat(again, name, event, call)


async def kill(office: Office, moves: random.Random) -> str:
    """Kill something once there is something going on again; return what."""
    server = office.doomed
    await office.moves(moves.randrange(1, 40))
    how = moves.choice(["point", "point", "moment", "host"])
    if how == "point":
        how = moves.choice(list(POINTS))
        server.arm(how, passes=int(2 ** moves.uniform(0, 6)))
        if not await server.dies(3):
            how = "moment"
    else:
        await asyncio.sleep(moves.random() * 0.1)
    if how == "host" and kill_host(server, moves):
        return how
    await server.revive()
    return how


async def test_no_promise_is_broken_by_kills_at_any_moment(tmp_path: Path) -> None:
    sys.stdout.write(f"STATEWARD_KILL_SEED={SEED}\n")  # shown when it fails
    moves = random.Random(SEED)
    names = {f"clerk-{number}": GENERATIONS[number % 2] for number in range(CLERKS)}
    over = asyncio.Event()
    with doomed(tmp_path) as server:
        await hire(server)
        async with opened(server, names, watched=list(names)) as office:
            senders = [random.Random(f"{SEED} {number}") for number in range(SENDERS)]
            sending = asyncio.gather(*(send(office, each, over) for each in senders))
            killed = [await kill(office, moves) for _ in range(KILLS)]
            over.set()
            await sending
            known = await office.known()
    assert known.objections() == []
    lives = known.lives
    transitions = sum(len(life.history) for life in lives.values())
    unheard = sum(call.revision is None for life in lives.values() for call in life.calls)
    sys.stdout.write(
        f"{transitions} transitions, {unheard} events without an answer, {len(killed)} kills:"
        f" {Counter(killed)}\n"
    )
    assert transitions > KILLS * 10
