"""Instances that are deleted, callers that go away, mailboxes that are full, engines that stop."""

from __future__ import annotations

import asyncio

import pytest
from tests.turns.kit import World, add, key, refused, tag, until, world

from stateward_server.model.errors import Code
from stateward_server.model.machine import RequestRecord
from stateward_server.model.wait import Until
from stateward_server.testing.clock import settle

# ---------------------------------------------------------------- deletion


async def test_a_deletion_waits_for_the_turns_before_it_and_refuses_those_after():
    async with world() as here:
        await here.create()
        gate = here.host.hold()
        before = await here.queued(add("1"))
        deleting = asyncio.create_task(here.engine.delete(key("one")))
        await settle()
        after = await here.queued(add("2"), add("3"))
        gate.set()

        assert (await before[0]).own.revision == 2
        await deleting
        for task in after:
            assert (await refused(task)).reason == "INSTANCE_NOT_FOUND"
        assert await here.memory.load(key("one")) is None
        assert here.published == [("one", [1]), ("one", [2]), ("one", [])]


async def test_a_deleted_instance_is_forgotten_by_its_host_with_its_services():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        await here.engine.delete(key("one"))
        assert here.host.calls[-2:] == ["stop_children", "evict"]
        await here.clock.advance(200_000)
        assert here.host.calls[-1] == "evict"


async def test_a_second_deletion_at_the_same_time_finds_nothing():
    async with world() as here:
        await here.create()
        gate = here.store.hold("delete_instance")
        first = asyncio.create_task(here.engine.delete(key("one")))
        second = asyncio.create_task(here.engine.delete(key("one")))
        await settle()
        gate.set()
        await first
        assert (await refused(second)).reason == "INSTANCE_NOT_FOUND"
        assert here.published.count(("one", [])) == 1


async def test_a_deletion_is_recorded_with_its_request():
    async with world() as here:
        await here.create()
        record = RequestRecord(key("one").org, "call-1", b"digest", "", 7)
        await here.engine.delete(key("one"), record)
        assert await here.memory.get_request(key("one").org, "call-1") == record


async def test_a_name_is_free_again_after_a_deletion():
    async with world() as here:
        request = tag()
        await here.create(request=request)
        await here.send(add("old"), request=tag())
        old = await here.at()
        await here.engine.delete(key("one"))
        # The request made another instance, which is gone.
        created = await here.create(request=request)
        assert (created.replayed, created.own.revision) == (False, 1)
        assert await here.at() != old
        assert await here.notes() == []


# ---------------------------------------------------------------- callers that go away


async def test_an_event_whose_caller_has_gone_before_its_turn_does_not_happen():
    async with world() as here:
        await here.create()
        gate = here.host.hold()
        first = await here.queued("STOP")
        gone, stays = await here.queued(add("gone"), add("stays"))
        gone.cancel()
        await settle()
        gate.set()
        assert (await stays).own.revision == 3
        await asyncio.gather(*first)
        assert await here.notes() == ["stays"]


@pytest.mark.parametrize("place", ["host", "store"])
async def test_an_event_whose_caller_goes_during_its_turn_happens(place: str):
    async with world() as here:
        await here.create()
        gate = here.host.hold() if place == "host" else here.store.hold("apply")
        (gone,) = await here.queued(add("1"))
        await settle()
        gone.cancel()
        await settle()
        gate.set()
        assert (await here.send(add("2"))).own.revision == 3
        assert await here.notes() == ["1", "2"]


async def test_a_caller_that_goes_while_it_waits_leaves_nothing_behind():
    async with world(awake=1) as here:
        await here.create()
        waiting = here.sending({"type": "WAIT", "ms": 50_000}, wait=until(Until.TAG, match="calm"))
        await settle()
        waiting.cancel()
        await settle()
        # The next transition finds that nobody waits any more, so the instance may sleep.
        await here.send(add("1"))
        evicted = here.host.calls.count("evict")
        await here.create("two")
        assert here.host.calls.count("evict") == evicted + 1


async def test_a_creation_whose_caller_goes_is_finished():
    async with world() as here:
        gate = here.host.hold()
        creating = asyncio.create_task(here.create(wait=until(Until.DONE)))
        await settle()
        creating.cancel()
        await settle()
        gate.set()
        await settle()
        assert (await here.send(add("1"))).own.revision == 2


async def test_a_caller_that_goes_while_its_instance_wakes_does_not_disturb_others():
    async with world() as here:
        await here.create()
    async with world(here) as again:
        loading = again.store.hold("load")
        gone, stays = again.sending(add("gone")), again.sending(add("stays"))
        await settle()
        gone.cancel()
        await settle()
        loading.set()
        assert (await stays).own.revision == 2
        assert await again.notes() == ["stays"]


# ---------------------------------------------------------------- too many


async def fill(here: World, limit: int) -> list[asyncio.Task[object]]:
    """Hold a turn, and have the mailbox filled behind it."""
    tasks = await here.queued("STOP")
    await settle()
    tasks += await here.queued(*(add(str(n)) for n in range(limit)))
    return [*tasks]


async def test_a_full_mailbox_refuses_at_once_and_takes_events_again_later():
    async with world(mailbox=4) as here:
        await here.create()
        await here.create("other")
        gate = here.host.hold()
        tasks = await fill(here, 4)
        error = await refused(here.send(add("too many")))
        assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "MAILBOX_FULL")
        assert error.metadata["limit"] == "4"
        assert error.retry_after is not None
        assert (await here.send(add("1"), "other")).own.revision == 2
        gate.set()
        await asyncio.gather(*tasks)
        assert (await here.send(add("4"))).own.revision == 7
        assert await here.notes() == ["0", "1", "2", "3", "4"]


async def test_services_timers_and_deletions_find_room_in_a_full_mailbox():
    async with world(mailbox=2) as here:
        await here.create()
        await here.send("WORK")
        at = await here.at()
        gate = here.host.hold()
        tasks = await here.queued(add("0"))
        await settle()
        tasks += await here.queued(add("1"), add("2"))
        here.host.finish(at, "work")
        await settle()
        deleting = asyncio.create_task(here.engine.delete(key("one")))
        await settle()
        gate.set()
        await asyncio.gather(*tasks)
        await deleting
        assert here.published[-2:] == [("one", [6]), ("one", [])]


# ---------------------------------------------------------------- the end


async def test_a_draining_engine_finishes_what_was_begun_and_refuses_what_is_new():
    async with world() as here:
        await here.create()
        gate = here.host.hold()
        tasks = await here.queued(add("1"))
        await settle()
        tasks += await here.queued(add("2"), add("3"))
        draining = asyncio.create_task(here.engine.drain())
        await settle()
        for call in (here.send(add("4")), here.create("two"), here.engine.delete(key("one"))):
            error = await refused(call)
            assert (error.code, error.reason) == (Code.UNAVAILABLE, "DRAINING")
            assert error.retry_after is not None
        assert not draining.done()
        gate.set()
        await draining
        assert [(await task).own.revision for task in tasks] == [2, 3, 4]
        # It can still be read.
        assert (await here.engine.read(key("one"), '{"sub":"ann"}')).last.revision == 4


async def test_a_draining_engine_sends_away_those_who_wait():
    async with world() as here:
        await here.create()
        waiting = here.sending("WORK", wait=until(Until.SETTLED))
        await settle()
        await here.engine.drain()
        assert (await refused(waiting)).reason == "DRAINING"
        assert len(await here.history()) == 2


async def test_a_call_that_was_waking_its_instance_when_the_drain_came_is_sent_away():
    async with world() as here:
        await here.create()
    async with world(here) as again:
        loading = again.store.hold("load")
        sending = again.sending(add("1"), wait=until(Until.DONE))
        await settle()
        await again.engine.drain()
        loading.set()
        async with asyncio.timeout(5):
            assert (await refused(sending)).reason == "DRAINING"
        assert len(await again.history()) == 1


async def test_a_timer_that_comes_due_during_the_drain_fires_at_the_next_start():
    async with world() as here:
        await here.create()
        await here.send({"type": "WAIT", "ms": 1_000})
        await here.engine.drain()
        await here.clock.advance(1_000)
        assert len(await here.history()) == 2
    async with world(here) as again:
        await settle()
        assert await again.values() == ["off", "waiting-1000", "off"]


async def test_an_engine_that_is_left_has_written_all_it_acknowledged():
    async with world() as here:
        await here.create()
        tasks = await here.queued(*(add(str(n)) for n in range(20)))
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    taken = [reply for reply in replies if not isinstance(reply, BaseException)]
    assert len(await here.notes()) == len(taken) == 20
