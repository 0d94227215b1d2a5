"""What one machine does to its process is not felt by the others on the server, however long it lasts."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.kit import DESKS, MACHINES, published
from tests.servers import SECONDS, Server

from stateward import Cause, Client, Instance, MachineFault, Wait

pytestmark = pytest.mark.slow

ENOUGH = 10
"""Events that each neighbour has to be served at least."""


@dataclass
class Street:
    """A villain, and neighbours of both generations, each with a process of its own."""

    villain: Instance
    neighbours: list[Instance]

    async def served_until(self, over: asyncio.Future[object]) -> int:
        """Have every neighbour take events, as on any other day; return how many each has taken."""
        count = 0
        before = [(await neighbour.get()).revision for neighbour in self.neighbours]
        while not over.done():
            count += 1
            for neighbour, revision in zip(self.neighbours, before, strict=True):
                assert (await neighbour.send("ADD", wait=Wait.COMMITTED)).revision == revision + count
        return count


@pytest.fixture
async def street(client: Client) -> Street:
    neighbours = [(await published(client, module)).instance("one") for module in DESKS.values()]
    villain = (await published(client, MACHINES / "villain.v5.ts")).instance("one")
    for instance in (*neighbours, villain):
        await instance.create(context={"payMs": 60_000})
    return Street(villain, neighbours)


@pytest.mark.parametrize("deed", ["SPIN", "EAT"])
async def test_others_are_served_while_a_machine_holds_its_process(street: Street, deed: str) -> None:
    doing: asyncio.Future[object] = asyncio.ensure_future(street.villain.send(deed))
    assert await street.served_until(doing) >= ENOUGH
    with pytest.raises(MachineFault) as caught:
        await doing
    # On a busy machine the time can be over before the heap is full.
    assert caught.value.reason in ("MACHINE_TIMED_OUT", "MACHINE_OUT_OF_MEMORY")
    assert (await street.villain.send("BUSY")).revision == 2


async def test_services_of_others_go_on_when_a_process_is_killed(server: Server, street: Street) -> None:
    for neighbour in street.neighbours:
        await neighbour.send("PAY", wait=Wait.COMMITTED)
    await street.villain.send("SERVE", wait=Wait.COMMITTED)
    os.kill(await busiest(server, street.villain), signal.SIGKILL)
    async with server.client(attempts=100) as client:
        villain = client.machine(street.villain.machine).instance("one")
        hearing: asyncio.Future[object] = asyncio.ensure_future(
            villain.wait_for(state="calm", timeout=SECONDS)
        )
        await street.served_until(hearing)
        await hearing
    assert [each.cause async for each in street.villain.transitions()][-1] is Cause.LOST
    for neighbour in street.neighbours:
        assert (await neighbour.get()).matches("paying")


async def busiest(server: Server, villain: Instance) -> int:
    """Return the process of the villain: the one that used the processor while the villain was busy."""
    before = {pid: ticks(pid) for pid in server.children()}
    await villain.send({"type": "BUSY", "ms": 300}, wait=Wait.COMMITTED)
    await villain.send("BUSY", wait=Wait.COMMITTED)  # actions run after their reply: this one came after it
    return max(before, key=lambda pid: ticks(pid) - before[pid])


def ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
