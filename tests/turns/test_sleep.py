"""Instances that are put to sleep when many are awake: they come back as they were, and miss nothing."""

from __future__ import annotations

import asyncio

from tests.turns.kit import add, key, tag, until, world

from stateward_server.model.ledger import Cause
from stateward_server.model.wait import Until
from stateward_server.testing.clock import settle
from stateward_server.testing.faulty_store import Point

NAMES = [f"i{number}" for number in range(6)]


async def test_an_idle_instance_is_put_to_sleep_and_wakes_with_its_next_event():
    async with world(awake=2) as here:
        for name in NAMES:
            await here.create(name)
            await here.send(add(name), name)
        assert here.host.calls.count("evict") == len(NAMES) - 2
        for name in NAMES:
            assert (await here.send(add("again"), name)).own.revision == 3
            assert await here.notes(name) == [name, "again"]


async def test_the_longest_unused_sleeps_first():
    async with world(awake=2) as here:
        await here.create("a")
        await here.create("b")
        await here.send(add("1"), "a")
        await here.create("c")
        await here.send(add("2"), "a")
        assert not any(here.host.resumes)
        await here.send(add("3"), "b")
        assert here.host.resumes[-1]


async def test_a_request_id_is_known_after_a_sleep():
    async with world(awake=1) as here:
        request = tag()
        await here.create("a")
        await here.send(add("1"), "a", request=request)
        await here.create("b")
        assert (await here.send(add("1"), "a", request=request)).replayed


async def test_an_instance_with_a_running_service_does_not_sleep():
    async with world(awake=1) as here:
        await here.create("a")
        await here.send("WORK", "a")
        for name in NAMES:
            await here.create(name)
        here.host.finish(await here.at("a"), "work")
        await settle()
        assert (await here.values("a"))[-1] == "worked"
        assert (await here.last("a")).cause is Cause.SERVICE


async def test_an_instance_that_somebody_waits_for_does_not_sleep():
    async with world(awake=1) as here:
        await here.create("a")
        waiting = here.sending(add("1"), "a", wait=until(Until.TAG, match="calm"))
        await waiting
        waiting = here.sending({"type": "WAIT", "ms": 500}, "a", wait=until(Until.TAG, match="calm"))
        await settle()
        for name in NAMES:
            await here.create(name)
        await here.clock.advance(500)
        assert (await waiting).met


async def test_an_instance_in_its_turn_does_not_sleep():
    async with world(awake=1) as here:
        await here.create("a")
        gate = here.host.hold()
        tasks = await here.queued(add("1"), "WORK", name="a")
        for name in NAMES:
            await here.create(name)
        gate.set()
        await asyncio.gather(*tasks)
        here.host.finish(await here.at("a"), "work")
        await settle()
        assert (await here.values("a"))[-1] == "worked"


async def test_a_sleeping_instance_hears_its_timers():
    async with world(awake=1) as here:
        for name in NAMES:
            await here.create(name)
            await here.send({"type": "WAIT", "ms": 1_000}, name)
        await here.clock.advance(1_000)
        for name in NAMES:
            assert (await here.last(name)).cause is Cause.TIMER


async def test_many_that_wake_at_once_disturb_each_other_in_nothing():
    async with world(awake=1) as here:
        for name in NAMES:
            await here.create(name)
    async with world(here) as again:
        replies = await asyncio.gather(
            *(again.send("WORK", name) for name in NAMES),
            *(again.send(add("1"), name) for name in NAMES),
        )
        assert {reply.own.revision for reply in replies} == {2, 3}
        for name in NAMES:
            again.host.finish(await again.at(name), "work")
        await settle()
        # A service whose instance had been put to sleep under it would not be heard.
        assert [(await again.values(name))[-1] for name in NAMES] == ["worked"] * len(NAMES)


async def test_one_load_wakes_an_instance_for_all_who_want_it():
    async with world() as here:
        await here.create()
    async with world(here) as again:
        await asyncio.gather(*(again.send(add(str(n))) for n in range(10)))
        assert again.store.calls.count("load") == 1
        assert sorted(await again.notes()) == sorted(str(n) for n in range(10))


async def test_a_timer_and_a_caller_wake_an_instance_with_one_load_each_and_share_it():
    async with world() as here:
        await here.create()
        await here.send({"type": "WAIT", "ms": 1_000})
    async with world(here) as again:
        released = again.store.hold("load_uid", Point.AFTER)
        await again.clock.advance(1_000)
        await again.send(add("1"))
        released.set()
        await settle()
        assert (again.store.calls.count("load_uid"), again.store.calls.count("load")) == (1, 1)
        assert [each.cause for each in (await again.history())[2:]] == [Cause.EVENT, Cause.TIMER]
        assert len(again.published) == 2  # neither had to be computed again


async def test_an_instance_that_a_timer_is_waking_does_not_sleep():
    async with world(awake=1) as here:
        await here.create()
        await here.send({"type": "WAIT", "ms": 1_000})
    async with world(here) as again:
        released = again.store.hold("timers_of")
        await again.clock.advance(1_000)
        await again.send(add("1"))
        await again.create("other")
        released.set()
        await settle()
        assert [each.cause for each in (await again.history())[2:]] == [Cause.EVENT, Cause.TIMER]
        assert "conflict" not in again.host.calls
        assert again.store.calls.count("apply") == 3


async def test_an_instance_that_is_deleted_while_its_timer_wakes_it_does_not_come_back():
    async with world() as here:
        await here.create()
        await here.send({"type": "WAIT", "ms": 1_000})
    async with world(here) as again:
        released = again.store.hold("timers_of")
        await again.clock.advance(1_000)
        await again.engine.delete(key("one"))
        await again.create()
        released.set()
        await settle()
        await again.send(add("1"))
        loads = again.store.calls.count("load")
        await again.send(add("2"))
        assert again.store.calls.count("load") == loads
        assert await again.notes() == ["1", "2"]


async def test_an_instance_deleted_while_it_was_waking_does_not_come_back():
    async with world() as here:
        await here.create()
        uid = (await here.at()).uid
    async with world(here) as again:
        reading = again.store.hold("timers_of")
        creating = asyncio.create_task(again.create())
        await settle()
        # Its timer has found it faster.
        assert await again.engine._directory.wake_uid(uid) is not None
        await again.engine.delete(key("one"))
        reading.set()
        assert (await creating).own.revision == 1
        assert (await again.send(add("1"))).own.revision == 2


async def test_the_repeat_of_a_creation_waits_at_the_instance_though_that_fell_asleep_meanwhile():
    async with world(awake=1) as here:
        request = tag()
        await here.create(context={"value": "begun"}, request=request)
        asking = here.store.hold("find_request")
        wait = until(Until.TAG, match="calm")
        repeat = asyncio.create_task(here.create(context={"value": "begun"}, request=request, wait=wait))
        await settle()
        await here.create("two")
        asking.set()
        await settle()
        await here.send("STOP")
        assert (await repeat).latest.revision == 2
