"""`kill -9` of the server at any moment: what was acknowledged is there, what was retried happened once."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.kit import DESKS, published
from tests.servers import Server, gone, serving

from stateward import Cause, Client, Instance, InstanceEnded, Reply, RequestIdReused, State, Transition, Wait

pytestmark = pytest.mark.slow

# The life of a desk; a server is killed after each of these steps.
EVENTS: list[dict[str, object]] = [
    {"type": "ADD", "by": 2},
    {"type": "NEST"},
    {"type": "FILL"},
    {"type": "RELEASE"},
    {"type": "END"},
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server for this test alone."""
    with serving(tmp_path) as server:
        yield server


async def history(instance: Instance) -> list[Transition]:
    return [each async for each in instance.transitions()]


@pytest.mark.parametrize("xstate", ["v4", "v5"])
async def test_an_instance_goes_on_where_the_kill_met_it_between_any_two_events(
    server: Server, xstate: str
) -> None:
    ids = [str(uuid.uuid4()) for _ in EVENTS]
    created = [str(uuid.uuid4()) for _ in range(len(EVENTS) + 1)]
    before: list[Reply] = []
    async with server.client() as client:
        machine = (await published(client, DESKS[xstate], "desk")).name
        # The instance `after-n` has n events behind it when the kill comes.
        for sent, request_id in enumerate(created):
            instance = client.machine(machine).instance(f"after-{sent}")
            reply = await instance.create(request_id=request_id)
            for event, event_id in zip(EVENTS[:sent], ids, strict=False):
                reply = await instance.send(event, request_id=event_id)
            before.append(reply)

    server.restart()

    async with server.client() as client:
        for sent, request_id in enumerate(created):
            instance = client.machine(machine).instance(f"after-{sent}")
            assert await instance.get() == before[sent].state
            # Repeats of what was done, then what is still to come.
            again = await instance.create(request_id=request_id)
            assert (again.replayed, again.revision) == (True, 1)
            for number, (event, event_id) in enumerate(zip(EVENTS, ids, strict=True)):
                reply = await instance.send(event, request_id=event_id)
                assert (reply.replayed, reply.revision) == (number < sent, number + 2)
            with pytest.raises(InstanceEnded):
                await instance.send("ADD")
        states: list[list[object]] = []
        for sent in range(len(created)):
            told = await history(client.machine(machine).instance(f"after-{sent}"))
            states.append([(t.revision, t.event, t.state.value, t.state.public_context) for t in told])
        assert all(each == states[0] for each in states)
        assert len(states[0]) == len(EVENTS) + 1


async def test_a_request_id_of_before_the_kill_is_known_for_good_and_for_its_own_body_only(
    server: Server,
) -> None:
    machine_id, version_id, event_id = (str(uuid.uuid4()) for _ in range(3))
    async with server.client() as client:
        machine = client.machine("desk")
        await machine.create(request_id=machine_id)
        version = await machine.upload(DESKS["v5"], request_id=version_id)
        instance = machine.instance("one")
        await instance.create()
        sent = await instance.send({"type": "ADD", "by": 5}, request_id=event_id)

    server.restart()

    async with server.client() as client:
        machine = client.machine("desk")
        instance = machine.instance("one")
        await machine.create(request_id=machine_id)
        assert await machine.upload(DESKS["v5"], request_id=version_id) == version
        repeated = await instance.send({"type": "ADD", "by": 5}, request_id=event_id)
        assert (repeated.replayed, repeated.revision, repeated.state) == (True, 2, sent.state)
        with pytest.raises(RequestIdReused):
            await instance.send({"type": "ADD", "by": 6}, request_id=event_id)
        with pytest.raises(RequestIdReused):
            await machine.upload(DESKS["v4"], request_id=version_id)
        # Other requests are unaffected, also those with the same body.
        assert (await instance.send({"type": "ADD", "by": 5})).revision == 3
        assert [each.id async for each in machine.versions()] == [version.id]


async def test_timers_outlive_the_kill_and_fire_also_when_they_came_due_meanwhile(server: Server) -> None:
    async with server.client() as client:
        desk = (await published(client, DESKS["v5"])).name
        desk4 = (await published(client, DESKS["v4"])).name
        armed: dict[tuple[str, str], State] = {}
        for machine in (desk, desk4):
            for name, hold_ms in (("missed", 400), ("pending", 2_500), ("released", 400), ("far", 3_600_000)):
                instance = client.machine(machine).instance(name)
                await instance.create(context={"holdMs": hold_ms})
                armed[machine, name] = (await instance.send("HOLD")).state
            await client.machine(machine).instance("released").send("RELEASE")
        first_epoch = (await history(client.machine(desk).instance("far")))[0].epoch

    server.kill()
    due = max(armed[machine, "missed"].update_time.timestamp() for machine in (desk, desk4)) + 0.4
    await asyncio.sleep(max(0.0, due - time.time()))  # until the moment has passed
    server.start()

    async with server.client() as client:
        for machine in (desk, desk4):
            for name, hold_ms in (("missed", 400), ("pending", 2_500)):
                instance = client.machine(machine).instance(name)
                await instance.wait_for(state="idle", timeout=20)
                fired = (await history(instance))[-1]
                assert (fired.revision, fired.cause) == (3, Cause.TIMER)
                assert fired.epoch > first_epoch
                waited = fired.state.update_time - armed[machine, name].update_time
                assert waited.total_seconds() * 1000 >= hold_ms
            released = await client.machine(machine).instance("released").get()
            assert (released.value, released.revision) == ("idle", 3)
            assert await client.machine(machine).instance("far").get() == armed[machine, "far"]


async def test_a_timer_that_fired_before_the_kill_does_not_fire_again(server: Server) -> None:
    async with server.client() as client:
        machine = (await published(client, DESKS["v5"])).name
        instance = client.machine(machine).instance("one")
        await instance.create(context={"holdMs": 1})
        await instance.send("HOLD", wait=Wait.state("idle"))

    server.restart()

    async with server.client() as client:
        instance = client.machine(machine).instance("one")
        # The first event after a restart comes after whatever the restart itself set off.
        assert (await instance.send("ADD")).revision == 4
        assert [each.cause for each in await history(instance)].count(Cause.TIMER) == 1


async def test_a_service_that_ran_when_the_kill_came_fails_before_any_other_event(server: Server) -> None:
    async with server.client() as client:
        names = [(await published(client, DESKS[xstate])).name for xstate in ("v4", "v5")]
        for name in names:
            await client.machine(name).instance("one").create()
            stuck = await client.machine(name).instance("one").send("STICK", wait=Wait.COMMITTED)
            assert not stuck.state.settled

    server.restart()

    async with server.client() as client:
        for name in names:
            instance = client.machine(name).instance("one")
            await instance.send("ADD")
            assert [(each.cause, each.state.value) for each in await history(instance)] == [
                (Cause.CREATED, "idle"),
                (Cause.EVENT, "stuck"),
                (Cause.LOST, "failed"),
                (Cause.EVENT, "failed"),
            ]


async def write(client: Client, machine: str, count: int, acknowledged: asyncio.Queue[Reply]) -> None:
    instance = client.machine(machine).instance("one")
    for number in range(1, count + 1):
        await acknowledged.put(await instance.send({"type": "ADD", "note": f"n{number}"}))


async def test_a_writer_that_retries_through_kills_has_every_event_taken_exactly_once(server: Server) -> None:
    total, kills = 60, (1, 23)
    async with server.client(attempts=200) as client:
        machine = (await published(client, DESKS["v5"])).name
        await client.machine(machine).instance("one").create()
        acknowledged: asyncio.Queue[Reply] = asyncio.Queue()
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


async def test_no_machine_process_outlives_the_server(server: Server) -> None:
    async with server.client() as client:
        machine = await published(client, DESKS["v5"])
        await machine.instance("one").create()
    hosts = server.children()
    assert hosts

    server.kill()

    assert await asyncio.to_thread(gone, hosts)
