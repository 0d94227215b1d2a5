"""What a reply waits for: nothing that comes true is missed, nothing is waited for that cannot come."""

from __future__ import annotations

import asyncio

import pytest
from tests.turns.kit import Json, add, key, refused, tag, until, world

from stateward_server.model.wait import Until, Wait
from stateward_server.testing.clock import settle


@pytest.mark.parametrize(
    ("event", "wait", "met", "own"),
    [
        ("WORK", until(Until.COMMITTED), True, 2),
        ("STOP", until(Until.SETTLED), True, 2),
        ("STOP", until(Until.STATE, match="off"), True, 2),
        ("STOP", until(Until.TAG, match="calm"), True, 2),
        ("FINISH", until(Until.DONE), True, 2),
        # It has ended, so there is nothing to wait for.
        ("FINISH", until(Until.STATE, match="off"), False, 2),
        ("FINISH", until(Until.TAG, match="calm"), False, 2),
        # A wait of no time at all.
        ("WORK", until(Until.SETTLED, 0), False, 2),
        ("WORK", until(Until.DONE, 0), False, 2),
    ],
)
async def test_a_reply_comes_at_once_when_its_own_transition_decides(
    event: str, wait: Wait, met: bool, own: int
):
    async with world() as here:
        await here.create()
        async with asyncio.timeout(5):
            reply = await here.send(event, wait=wait)
        assert (reply.met, reply.own.revision, reply.latest) == (met, own, reply.own)
        assert here.clock.sleeping == 0


@pytest.mark.parametrize(
    ("wait", "events", "latest"),
    [
        (until(Until.SETTLED), ["STOP"], 3),
        (until(Until.STATE, match="off"), [add("1"), "STOP"], 4),
        (until(Until.TAG, match="calm"), [add("1"), "STOP"], 4),
        (until(Until.DONE), [add("1"), "STOP", "FINISH"], 5),
    ],
)
async def test_a_reply_comes_with_the_transition_that_makes_it_true(
    wait: Wait, events: list[str | Json], latest: int
):
    async with world() as here:
        await here.create()
        waiting = here.sending("WORK", wait=wait)
        await settle()
        for event in events:
            assert not waiting.done()
            await here.send(event)
        reply = await waiting
        assert (reply.met, reply.own.revision, reply.latest.revision) == (True, 2, latest)


async def test_a_state_that_passes_quickly_is_not_missed():
    async with world() as here:
        await here.create()
        first = here.sending({"type": "WAIT", "ms": 50}, wait=until(Until.STATE, match="passed"))
        await settle()
        gate = here.host.hold()
        # The state is there in the middle of a batch only.
        tasks = await here.queued("PASS", add("1"))
        gate.set()
        await asyncio.gather(*tasks)
        await settle()
        reply = await first
        assert reply.met
        assert reply.latest.view.states == ("passed",)
        assert (await here.last()).revision >= reply.latest.revision


async def test_a_state_in_the_middle_of_a_batch_is_not_missed():
    async with world() as here:
        await here.create()
        await here.send({"type": "WAIT", "ms": 50_000})
        waiting = here.sending(add("0"), wait=until(Until.TAG, match="calm"))
        await settle()
        gate = here.host.hold()
        tasks = await here.queued(add("1"), "STOP", {"type": "WAIT", "ms": 50_001}, add("2"))
        gate.set()
        await asyncio.gather(*tasks)
        assert here.host.batches[-1] == 4
        reply = await waiting
        assert (reply.met, reply.latest.revision) == (True, 5)
        assert (await here.last()).revision == 7


async def test_an_event_of_the_same_batch_before_ones_own_is_not_waited_for():
    async with world() as here:
        await here.create()
        gate = here.host.hold()
        (stop,) = await here.queued("STOP")
        (waiting,) = await here.queued(
            {"type": "WAIT", "ms": 50_000}, wait=until(Until.TAG, 1_000, match="calm")
        )
        gate.set()
        await stop
        await settle()
        assert not waiting.done()
        await here.clock.advance(1_000)
        assert not (await waiting).met


async def test_when_the_time_is_over_the_reply_has_the_newest_state():
    async with world() as here:
        await here.create()
        waiting = here.sending("WORK", wait=until(Until.SETTLED, 5_000))
        await settle()
        await here.clock.advance(3_000)
        await here.send(add("1"))
        await here.clock.advance(1_999)
        assert not waiting.done()
        await here.clock.advance(1)
        reply = await waiting
        assert (reply.met, reply.own.revision, reply.latest.revision) == (False, 2, 3)


async def test_the_time_counts_from_the_commit():
    async with world() as here:
        await here.create()
        gate = here.host.hold()
        (waiting,) = await here.queued("WORK", wait=until(Until.SETTLED, 5_000))
        await here.clock.advance(60_000)
        gate.set()
        await settle()
        await here.clock.advance(4_999)
        assert not waiting.done()
        await here.clock.advance(1)
        assert not (await waiting).met


async def test_a_wait_ends_when_the_machine_ends_without_it():
    async with world() as here:
        await here.create()
        waiting = here.sending("WORK", wait=until(Until.STATE, match="worked"))
        await settle()
        await here.send("FINISH")
        reply = await waiting
        assert (reply.met, reply.latest.revision) == (False, 3)


async def test_a_wait_ends_when_its_instance_is_deleted():
    async with world() as here:
        await here.create()
        waiting = here.sending("WORK", wait=until(Until.SETTLED))
        await settle()
        await here.engine.delete(key("one"))
        assert (await refused(waiting)).reason == "INSTANCE_NOT_FOUND"


async def test_many_wait_for_different_things_at_once():
    async with world() as here:
        await here.create()
        waits = [until(Until.SETTLED), until(Until.STATE, match="worked"), until(Until.DONE)]
        first, second, third = [here.sending(add(str(n)), wait=wait) for n, wait in enumerate(waits)]
        await settle()
        assert first.done()
        await here.send("WORK")
        here.host.finish(await here.at(), "work")
        await settle()
        assert (await second).met
        assert not third.done()
        await here.send("FINISH")
        assert (await third).met
        await here.clock.advance(90_000)


async def test_a_creation_waits_as_an_event_does():
    async with world() as here:
        waiting = asyncio.create_task(
            here.create(context={"value": "working", "service": "work"}, wait=until(Until.SETTLED))
        )
        await settle()
        assert not waiting.done()
        here.host.finish(await here.at(), "work")
        reply = await waiting
        assert (reply.met, reply.own.revision, reply.latest.revision) == (True, 1, 2)


async def test_a_refused_event_does_not_wait():
    async with world() as here:
        await here.create()
        here.desk.broken = {"ADD"}
        async with asyncio.timeout(5):
            assert (await refused(here.send(add("1"), wait=until(Until.DONE)))).reason == "MACHINE_THREW"


async def test_a_repeat_that_waits_is_answered_by_what_comes_next():
    async with world() as here:
        await here.create()
        request = tag()
        await here.send("WORK", request=request)
        waiting = here.sending("WORK", request=request, wait=until(Until.TAG, match="calm"))
        await settle()
        await here.send("STOP")
        reply = await waiting
        assert (reply.met, reply.replayed, reply.own.revision, reply.latest.revision) == (True, True, 2, 3)


async def test_nobody_waits_after_the_last_answer():
    async with world() as here:
        await here.create()
        waiting = here.sending("WORK", wait=until(Until.SETTLED, 5_000))
        await settle()
        await here.send("STOP")
        await waiting
        # The clock has alarms of nobody, or none.
        await here.clock.advance(10_000)
        assert (await here.last()).revision == 3
