"""`kill -9` of the server at any moment: what was acknowledged is there, what was retried happened once."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.e2e.kit import DESKS, published
from tests.servers import Server, gone, serving

from stateward import Cause, Client, Instance, InstanceEnded, Reply, RequestIdReused, State, Transition, Wait

pytestmark = pytest.mark.slow

# The life of a desk. Of each generation there is a desk for every place between two of these for a kill.
EVENTS: list[dict[str, object]] = [
    {"type": "ADD", "by": 2},
    {"type": "NEST"},
    {"type": "FILL"},
    {"type": "RELEASE"},
    {"type": "END"},
]
MISSED_MS = 800
HOLDING = {"far": 3_600_000, "pending": 2_500, "missed": MISSED_MS, "released": MISSED_MS}
"""How long an instance holds, in milliseconds, by its name."""


@dataclass
class Before:
    """What a server was told, and what it answered, before it was killed."""

    ids: dict[str, str] = field(default_factory=dict)
    lives: dict[tuple[str, int], Reply] = field(default_factory=dict)
    holding: dict[tuple[str, str], State] = field(default_factory=dict)
    hosts: list[int] = field(default_factory=list)

    def id(self, of: str) -> str:
        """Return the request id of a call, by a name for it."""
        return self.ids.setdefault(of, str(uuid.uuid4()))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Before]]:
    """A server that was killed once, while much was going on, and started again."""
    with serving(tmp_path_factory.mktemp("killed")) as server:
        before = asyncio.run(live(server))
        before.hosts = server.children()
        server.kill()
        armed = max(state.update_time.timestamp() for state in before.holding.values())
        due = armed + MISSED_MS / 1000
        time.sleep(max(0.0, due - time.time()))  # until the moment has passed while it was down
        server.start()
        yield server, before


@pytest.fixture
async def client(before: tuple[Server, Before]) -> AsyncIterator[Client]:
    async with before[0].client() as client:
        yield client


async def live(server: Server) -> Before:
    before = Before()
    async with server.client() as client:
        for xstate, module in DESKS.items():
            machine = client.machine(xstate)
            await machine.create(request_id=before.id(f"machine {xstate}"))
            await machine.upload(module, request_id=before.id(f"version {xstate}"))
            for sent in range(len(EVENTS) + 1):
                instance = machine.instance(f"after-{sent}")
                reply = await instance.create(request_id=before.id(f"instance {sent}"))
                for number in range(sent):
                    reply = await instance.send(EVENTS[number], request_id=before.id(f"event {number}"))
                before.lives[xstate, sent] = reply
            fired = machine.instance("fired")
            await fired.create(context={"holdMs": 1})
            await fired.send("HOLD", wait=Wait.state("idle"))
            await machine.instance("stuck").create()
            await machine.instance("stuck").send("STICK", wait=Wait.COMMITTED)
            for name, hold_ms in HOLDING.items():
                await machine.instance(name).create(context={"holdMs": hold_ms})
        # The server must be killed before the first of these comes due, so they are armed last.
        for name in HOLDING:
            for xstate in DESKS:
                instance = client.machine(xstate).instance(name)
                before.holding[xstate, name] = (await instance.send("HOLD")).state
        for xstate in DESKS:
            await client.machine(xstate).instance("released").send("RELEASE")
    return before


async def history(instance: Instance) -> list[Transition]:
    return [each async for each in instance.transitions()]


@pytest.mark.parametrize("xstate", DESKS)
async def test_an_instance_goes_on_where_the_kill_met_it_between_any_two_events(
    before: tuple[Server, Before], client: Client, xstate: str
) -> None:
    _, known = before
    lives = []
    for sent in range(len(EVENTS) + 1):
        instance = client.machine(xstate).instance(f"after-{sent}")
        assert await instance.get() == known.lives[xstate, sent].state
        # Repeats of what was done, then what is still to come.
        again = await instance.create(request_id=known.id(f"instance {sent}"))
        assert (again.replayed, again.revision) == (True, 1)
        for number, event in enumerate(EVENTS):
            reply = await instance.send(event, request_id=known.id(f"event {number}"))
            assert (reply.replayed, reply.revision) == (number < sent, number + 2)
        with pytest.raises(InstanceEnded):
            await instance.send("ADD")
        told = await history(instance)
        lives.append([(t.revision, t.event, t.state.value, t.state.public_context) for t in told])
    assert all(each == lives[0] for each in lives)
    assert len(lives[0]) == len(EVENTS) + 1


async def test_a_request_id_from_before_the_kill_belongs_to_its_own_body_for_good(
    before: tuple[Server, Before], client: Client
) -> None:
    _, known = before
    machine = client.machine("v5")
    instance = machine.instance("after-1")
    state = await instance.get()

    again = await instance.send(EVENTS[0], request_id=known.id("event 0"))
    assert (again.replayed, again.revision) == (True, 2)
    with pytest.raises(RequestIdReused):
        await instance.send({"type": "ADD", "by": 6}, request_id=known.id("event 0"))
    with pytest.raises(RequestIdReused):
        await instance.create(context={"holdMs": 1}, request_id=known.id("instance 1"))
    assert await instance.get() == state


async def test_catalog_calls_from_before_the_kill_are_repeated_without_effect(
    before: tuple[Server, Before], client: Client
) -> None:
    _, known = before
    machine = client.machine("v5")
    versions = [each async for each in machine.versions()]

    await machine.create(request_id=known.id("machine v5"))
    assert await machine.upload(DESKS["v5"], request_id=known.id("version v5")) == versions[0]
    with pytest.raises(RequestIdReused):
        await machine.upload(DESKS["v4"], request_id=known.id("version v5"))
    assert [each async for each in machine.versions()] == versions


@pytest.mark.parametrize("xstate", DESKS)
async def test_timers_fire_after_the_kill_also_those_that_came_due_meanwhile(
    before: tuple[Server, Before], client: Client, xstate: str
) -> None:
    _, known = before
    for name, hold_ms in HOLDING.items():
        if name not in ("missed", "pending"):
            continue
        instance = client.machine(xstate).instance(name)
        await instance.wait_for(state="idle", timeout=20)
        armed, fired = (await history(instance))[1:]
        assert (fired.revision, fired.cause) == (3, Cause.TIMER)
        assert fired.epoch > armed.epoch
        waited = fired.state.update_time - known.holding[xstate, name].update_time
        assert waited.total_seconds() * 1000 >= hold_ms


@pytest.mark.parametrize("xstate", DESKS)
async def test_other_timers_do_not_fire(before: tuple[Server, Before], client: Client, xstate: str) -> None:
    _, known = before
    machine = client.machine(xstate)
    # The timers of these, which came due before, would have fired before this one.
    await machine.instance("pending").wait_for(state="idle", timeout=20)

    assert await machine.instance("far").get() == known.holding[xstate, "far"]
    for name, timers_fired in (("released", 0), ("fired", 1)):
        told = await history(machine.instance(name))
        assert [each.cause for each in told].count(Cause.TIMER) == timers_fired
        assert told[-1].state.revision == 3


@pytest.mark.parametrize("xstate", DESKS)
async def test_a_service_that_ran_when_the_kill_came_fails_before_any_other_event(
    before: tuple[Server, Before], client: Client, xstate: str
) -> None:
    instance = client.machine(xstate).instance("stuck")
    await instance.send("ADD")
    assert [(each.cause, each.state.value) for each in await history(instance)] == [
        (Cause.CREATED, "idle"),
        (Cause.EVENT, "stuck"),
        (Cause.LOST, "failed"),
        (Cause.EVENT, "failed"),
    ]


async def test_no_machine_process_outlives_the_server(before: tuple[Server, Before]) -> None:
    _, known = before
    assert known.hosts
    assert await asyncio.to_thread(gone, known.hosts)


async def write(client: Client, machine: str, count: int, acknowledged: asyncio.Queue[Reply]) -> None:
    instance = client.machine(machine).instance("one")
    for number in range(1, count + 1):
        await acknowledged.put(await instance.send({"type": "ADD", "note": f"n{number}"}))


async def test_a_writer_that_retries_through_kills_has_every_event_taken_exactly_once(tmp_path: Path) -> None:
    total, kills = 60, (23,)
    with serving(tmp_path) as server:
        async with server.client(attempts=200) as client:
            machine = (await published(client, DESKS["v5"])).name
            await client.machine(machine).instance("one").create()
            acknowledged: asyncio.Queue[Reply] = asyncio.Queue(1)
            writing = asyncio.create_task(write(client, machine, total, acknowledged))
            for number in range(1, total + 1):
                reply = await acknowledged.get()
                assert reply.revision == number + 1
                if number in kills:
                    await asyncio.to_thread(server.restart)
            await writing
            told = await history(client.machine(machine).instance("one"))

    assert [each.event.get("note") for each in told[1:]] == [f"n{n}" for n in range(1, total + 1)]
    assert told[-1].state.public_context == {"count": total, "last": "ADD"}
    assert len({each.epoch for each in told}) == len(kills) + 1
