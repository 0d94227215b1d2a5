"""Timers of a machine: each fires once, at its time, unless the machine has thought better of it."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.turns.kit import Json, World, add, key, until, world

from stateward_server.model.ledger import Cause
from stateward_server.model.wait import Until
from stateward_server.testing.clock import settle


def wait(ms: int, id_: str = "t") -> Json:
    return {"type": "WAIT", "ms": ms, "id": id_}


async def fired(here: World, name: str = "one") -> list[int]:
    """Return the revisions that timers made."""
    return [each.revision for each in await here.history(name) if each.cause is Cause.TIMER]


async def test_a_timer_fires_once_at_its_time():
    async with world() as here:
        await here.create()
        await here.send(wait(1_000))
        await here.clock.advance(999)
        assert await fired(here) == []
        await here.clock.advance(1)
        assert await here.values() == ["off", "waiting-1000", "off"]
        last = await here.last()
        assert (last.cause, last.time_ms) == (Cause.TIMER, here.clock.now_ms())
        assert json.loads(last.event_json) == {"type": "due"}
        assert await here.pending() == []
        await here.clock.advance(1_000_000)
        assert await fired(here) == [3]


async def test_a_timer_that_is_due_at_once_fires_after_its_commit():
    async with world() as here:
        await here.create()
        reply = await here.send(wait(0), wait=until(Until.TAG, match="calm"))
        assert (reply.met, reply.latest.cause) == (True, Cause.TIMER)


async def test_a_timer_that_was_cancelled_does_not_fire():
    async with world() as here:
        await here.create()
        await here.send(wait(1_000))
        await here.clock.advance(999)
        await here.send("STOP")
        assert await here.pending() == []
        await here.clock.advance(10_000)
        assert await fired(here) == []


async def test_a_timer_that_was_replaced_fires_at_its_new_time_only():
    async with world() as here:
        await here.create()
        await here.send(wait(1_000))
        await here.clock.advance(500)
        await here.send(wait(2_000))
        await here.clock.advance(1_999)
        assert await fired(here) == []
        await here.clock.advance(1)
        assert await fired(here) == [4]


async def test_a_timer_replaced_by_an_earlier_one_fires_then_and_never_again():
    async with world() as here:
        await here.create()
        await here.send(wait(2_000))
        await here.send(wait(100))
        await here.clock.advance(100)
        assert await fired(here) == [4]
        await here.clock.advance(10_000)
        assert await fired(here) == [4]


@pytest.mark.parametrize(("event", "values"), [("STOP", ["off"]), ("FINISH", ["over"])])
async def test_a_timer_on_its_way_does_not_act_when_an_event_before_it_has_taken_it_away(
    event: str, values: list[str]
):
    async with world() as here:
        await here.create()
        await here.send(wait(1_000))
        gate = here.host.hold()
        (task,) = await here.queued(event)
        await here.clock.advance(1_000)
        gate.set()
        await task
        await here.clock.advance(100_000)
        assert await here.values() == ["off", "waiting-1000", *values]
        assert await here.pending() == []


async def test_a_timer_set_anew_while_its_old_one_is_on_its_way_waits_for_its_own_time():
    async with world() as here:
        await here.create()
        await here.send(wait(1_000))
        gate = here.host.hold()
        (task,) = await here.queued(wait(5_000))
        await here.clock.advance(1_000)
        gate.set()
        await task
        await settle()
        assert await fired(here) == []
        await here.clock.advance(5_000)
        assert await fired(here) == [4]


async def test_the_machine_is_not_asked_who_its_timers_are():
    async with world() as here:
        await here.create()
        await here.send(wait(100))
        here.desk.banned = {"due"}
        await here.clock.advance(100)
        assert await fired(here) == [3]


async def test_timers_of_many_instances_fire_in_due_order():
    async with world() as here:
        for name, ms in (("a", 300), ("b", 100), ("c", 200)):
            await here.create(name)
            await here.send(wait(ms), name)
        told = len(here.published)
        await here.clock.advance(300)
        assert [name for name, _ in here.published[told:]] == ["b", "c", "a"]


async def test_overdue_timers_fire_at_the_next_start_in_due_order():
    async with world() as here:
        for name, ms in (("a", 300), ("b", 100), ("c", 200), ("later", 90_000)):
            await here.create(name)
            await here.send(wait(ms), name)
    here.clock.set(here.clock.now_ms() + 60_000)
    async with world(here, ringing=1) as again:
        await settle()
        assert [name for name, _ in again.published] == ["b", "c", "a"]
        assert await fired(again, "later") == []
        await again.clock.advance(30_000)
        assert await fired(again, "later") == [3]


@pytest.mark.parametrize("near", [2, 3, 4])
async def test_more_timers_than_memory_holds_fire_each_once_in_due_order(near: int):
    names = [f"i{number:02}" for number in range(20)]
    async with world(timers_near=near) as here:
        for place, name in enumerate(names):
            await here.create(name)
            # Neither in the order of creation nor all different.
            await here.send(wait(1_000 + 100 * (place * 7 % 10)), name)
        told = len(here.published)
        await here.clock.advance(950)
        await here.create("early")
        await here.send(wait(10), "early")
        await here.clock.advance(10_000)
        order = [name for name, revisions in here.published[told:] if revisions == [3]]
        due = {name: (1_000 + 100 * (place * 7 % 10)) for place, name in enumerate(names)}
        assert sorted(order) == sorted([*names, "early"])
        assert order[0] == "early"
        assert [due[name] for name in order[1:]] == sorted(due.values())


async def test_timers_on_disk_are_found_when_the_store_can_be_read_again():
    async with world() as here:
        await here.create()
        await here.send(wait(100))
    async with world(here) as again:
        again.store.fail("due_after")
        await again.clock.advance(10_000)
        assert await fired(again) == [3]


async def test_a_timer_does_not_wake_the_machine_of_another():
    async with world(awake=1) as here:
        for name in ("one", "two", "three"):
            await here.create(name)
        await here.send(wait(1_000), "one")
        await here.send(add("x"), "two")
        await here.send(add("y"), "three")
        await here.clock.advance(1_000)
        assert await fired(here, "one") == [3]
        assert len(await here.history("two")) == len(await here.history("three")) == 2


async def test_a_timer_that_fails_is_tried_again_until_it_is_taken():
    async with world() as here:
        await here.create()
        await here.send(wait(100))
        here.desk.broken = {"due"}
        await here.clock.advance(3_000)
        assert await fired(here) == []
        assert await here.pending() == ["t"]
        here.desk.broken = set()
        await here.clock.advance(60_000)
        assert await fired(here) == [3]


async def test_a_failing_timer_that_the_machine_replaces_is_let_go():
    async with world() as here:
        await here.create()
        await here.send(wait(100))
        here.desk.broken = {"due"}
        await here.clock.advance(100)
        here.desk.broken = set()
        await here.send(wait(50_000))
        await here.clock.advance(49_999)
        assert await fired(here) == []
        await here.clock.advance(1)
        assert await fired(here) == [4]


async def test_a_timer_fires_though_the_host_was_lost_meanwhile():
    async with world() as here:
        await here.create()
        await here.send(wait(100))
        here.host.losses = 4
        await here.clock.advance(60_000)
        assert await fired(here) == [3]


async def test_timers_of_an_instance_that_is_deleted_go_with_it():
    async with world() as here:
        await here.create()
        await here.send(wait(100))
        at = await here.at()
        await here.engine.delete(key("one"))
        await here.create()
        assert list(await here.memory.timers_of(at.uid)) == []
        await here.clock.advance(1_000)
        assert len(await here.history()) == 1


async def test_callers_and_timers_take_turns():
    async with world() as here:
        await here.create()
        await here.send(wait(100))
        gate = here.host.hold()
        before = await here.queued(add("1"))
        await here.clock.advance(100)
        after = await here.queued(add("2"))
        gate.set()
        await asyncio.gather(*before, *after)
        causes = [each.cause for each in await here.history()][2:]
        assert causes == [Cause.EVENT, Cause.TIMER, Cause.EVENT]
