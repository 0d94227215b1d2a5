"""A server over an older copy of its data directory: nobody who watches is led to believe all is well."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.kit import OPEN, published
from tests.servers import Server, serving

from stateward import Client, Instance, Machine, ResumeTokenDiverged, Synced

pytestmark = pytest.mark.slow

LAMP = (
    'import { createMachine } from "xstate";\n'
    + OPEN
    + """
export default createMachine({
  initial: "off", states: { off: { on: { toggle: "lit" } }, lit: { on: { toggle: "off" } } },
});
"""
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as server:
        yield server


async def token_of(instance: Instance) -> str:
    async with instance.subscribe(mode="every_transition") as updates:
        return (await anext(updates)).resume_token


async def place_in(machine: Machine) -> str:
    async with machine.watch() as events:
        async for event in events:
            if isinstance(event, Synced):
                return event.resume_token
    raise AssertionError("the watch ended")


async def toggle(client: Client, machine: str, times: int) -> None:
    for _ in range(times):
        await client.machine(machine).instance("lamp").send("toggle")


@pytest.mark.parametrize("later", [0, 3, 20])
async def test_a_token_from_the_lost_part_is_refused_however_far_the_new_history_is(
    server: Server, tmp_path: Path, later: int
) -> None:
    copy = tmp_path / "copy"
    async with server.client(attempts=20) as client:
        machine = await published(client, LAMP)
        await machine.instance("lamp").create()
        early = await token_of(machine.instance("lamp"))
        await toggle(client, machine.name, 2)
        server.ask_to_stop()
        server.exit_code()
        shutil.copytree(server.data, copy)
        server.start()
        await toggle(client, machine.name, 5)
        late, place = await token_of(machine.instance("lamp")), await place_in(machine)
        server.kill()
        shutil.rmtree(server.data)
        shutil.copytree(copy, server.data)
        server.start()
        await toggle(client, machine.name, later)
        with pytest.raises(ResumeTokenDiverged):
            await anext(machine.instance("lamp").subscribe(mode="every_transition", resume_token=late))
        with pytest.raises(ResumeTokenDiverged):
            await anext(machine.watch(resume_token=place))
        # What both histories have in common can be gone on from.
        async with machine.instance("lamp").subscribe(mode="every_transition", resume_token=early) as updates:
            revisions = [(await anext(updates)).state.revision for _ in range(2 + later)]
        assert revisions == list(range(2, 4 + later))
