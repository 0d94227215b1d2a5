"""A machine that gets hold of its process's voice can say whatever it likes; only its instances suffer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.e2e.kit import DESKS, published, unused
from tests.servers import SECONDS, Server, serving

from stateward import Client, Instance, StatewardError, Wait
from stateward.errors import RejectedByMachineAuthorizer

pytestmark = pytest.mark.slow

# JSON.stringify asks every array how it wants to be written, so this rewrites one answer of the host.
FORGER = """
import { createMachine } from "xstate@5";
let forged = false;
const forge = ({ part, value }) => {
  forged = true;
  Array.prototype.toJSON = function () {
    if (this[2]?.[0] !== 0) return this;
    delete Array.prototype.toJSON;
    if (part === undefined) return [0, "later", this[0]];
    const outcome = [...this[2][1][0]];
    outcome[part] = value;
    return [this[0], 1, [0, [outcome]]];
  };
  return true;
};
export const allowRead = () => forged;
export const allowWrite = ({ event }) => !event || forge(event);
export default createMachine({ on: { FORGE: { actions: () => {} } } });
"""
PARTS = [(4, [[1]]), (2, {"a": 1}), (9, [["t", 1e300, "{}", None]]), (13, [[1, 2]])]
"""What is no state, no snapshot, no timer and no value of an index."""


async def test_others_are_served_whatever_a_machine_forges(server: Server, client: Client) -> None:
    neighbour = (await published(client, DESKS["v5"])).instance("one")
    await neighbour.create(context={"payMs": 60_000})
    forger = await published(client, FORGER)
    async with server.client(attempts=100) as patient:
        for revision, (part, value) in enumerate(PARTS, start=2):
            name = unused("forger")
            # The process of the one before may be on its way out.
            await patient.machine(forger.name).instance(name).create()
            forged = forger.instance(name).send({"type": "FORGE", "part": part, "value": value})
            # At the same time, so that both may come into the same transaction.
            refused, served = await asyncio.gather(
                forged, neighbour.send("ADD", wait=Wait.COMMITTED), return_exceptions=True
            )
            assert isinstance(refused, StatewardError)
            assert not isinstance(served, BaseException)
            assert served.revision == revision
            assert [each.revision async for each in forger.instance(name).transitions()] == [1]
    assert server.process.poll() is None


async def test_a_server_stops_though_a_machine_owes_an_answer_for_ever(tmp_path: Path) -> None:
    with serving(tmp_path, settings={"drain_seconds": 1}) as server:
        async with server.client() as client:
            forger = (await published(client, FORGER)).instance("one")
            await forger.create()
            waiting = asyncio.ensure_future(forger.send("FORGE"))
            async with asyncio.timeout(SECONDS):
                while not await has_promised(forger):
                    pass
            server.ask_to_stop()
            assert await asyncio.to_thread(server.exit_code) == 0
            with pytest.raises(StatewardError):
                await waiting


async def has_promised(forger: Instance) -> bool:
    try:
        await forger.get()
    except RejectedByMachineAuthorizer:
        return False
    return True
