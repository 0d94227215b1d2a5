"""Services: what they say is a turn like any other; how long they may run; what a restart does to them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.turns.kit import VERSION, add, refused, until, world

from stateward_server.model.ledger import Cause
from stateward_server.model.wait import Until
from stateward_server.testing.clock import settle

LIMIT = 90_000


async def test_a_service_runs_after_the_commit_and_its_result_is_a_transition():
    async with world() as here:
        await here.create()
        reply = await here.send("WORK")
        assert not reply.own.view.settled
        here.host.finish(await here.at(), "work")
        await settle()
        done = await here.last()
        assert (done.revision, done.cause, json.loads(done.event_json)) == (
            3,
            Cause.SERVICE,
            {"type": "done.work"},
        )
        assert (await here.values())[-1] == "worked"
        assert here.published[-1] == ("one", [3])


async def test_events_are_taken_while_a_service_runs():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        assert (await here.send(add("1"))).own.revision == 3
        await here.send("STOP")
        assert (await here.last()).view.settled
        await here.clock.advance(LIMIT)
        assert len(await here.history()) == 4


async def test_a_service_is_stopped_at_the_settle_limit_and_the_machine_gets_its_error():
    async with world() as here:
        await here.create()
        waiting = here.sending("WORK", wait=until(Until.SETTLED, 2 * LIMIT))
        await here.clock.advance(LIMIT - 1)
        assert "stop_children" not in here.host.calls
        assert not waiting.done()
        await here.clock.advance(1)
        assert await here.values() == ["off", "working", "failed"]
        assert (await here.last()).cause is Cause.LOST
        reply = await waiting
        assert (reply.met, reply.latest.revision) == (True, 3)


async def test_each_event_from_outside_gives_services_their_whole_time_again():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        for n in range(3):
            await here.clock.advance(LIMIT - 1)
            await here.send(add(str(n)))
        await here.clock.advance(LIMIT - 1)
        assert (await here.values())[-1] == "working"
        await here.clock.advance(1)
        assert (await here.values())[-1] == "failed"


async def test_what_happens_inside_gives_services_no_more_time():
    async with world() as here:
        # A chain of services, each begun by the end of the one before.
        await here.create()
        await here.send("PASS")
        await settle()
        assert (await here.values())[-1] == "passed"
        at = await here.at()
        await here.clock.advance(LIMIT - 1)
        here.host._instances[at].running.add("quick2")
        await here.clock.advance(1)
        assert (await here.values())[-1] == "failed"


async def test_the_limit_ends_with_the_service():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        await here.clock.advance(LIMIT // 2)
        here.host.finish(await here.at(), "work")
        await settle()
        await here.send("WORK")
        await here.clock.advance(LIMIT - 1)
        assert (await here.values())[-1] == "working"


async def test_services_that_ran_when_the_server_stopped_are_reported_lost_at_the_next_start():
    async with world() as here:
        for number in range(300):
            await here.create(str(number))
        for name in ("3", "299"):
            await here.send("WORK", name)
    async with world(here) as again:
        await settle()
        for name in ("3", "299"):
            assert await again.values(name) == ["off", "working", "failed"]
            assert (await again.last(name)).cause is Cause.LOST
        assert len(again.host.batches) <= 4
    async with world(again) as third:
        await settle()
        assert third.host.batches == []


async def test_the_loss_comes_before_events_that_are_sent_as_soon_as_the_server_is_up():
    async with world() as here:
        await here.create()
        await here.send("WORK")
    async with world(here) as again:
        replies = await asyncio.gather(again.send(add("1")), again.send(add("2")))
        assert sorted(reply.own.revision for reply in replies) == [4, 5]
        assert await again.values() == ["off", "working", "failed", "failed", "failed"]


async def test_a_service_that_speaks_after_its_machine_has_left_it_says_nothing():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        at = await here.at()
        gate = here.host.hold()
        (stop,) = await here.queued("FINISH")
        here.host.finish(at, "work")
        gate.set()
        await stop
        await settle()
        assert await here.values() == ["off", "working", "over"]


async def test_a_service_that_the_settle_limit_has_brought_about_has_a_limit_too():
    async with world() as here:
        await here.create()
        here.desk.stubborn = True
        await here.send("WORK")
        await here.clock.advance(3 * LIMIT)
        assert (await here.values())[1:] == ["working", "retrying", "retrying-again", "retrying"]
        assert [each.cause for each in await here.history()][2:] == [Cause.LOST] * 3


async def test_the_loss_comes_before_other_events_though_it_could_not_be_written_at_first():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        here.store.fail("apply")
        here.host.die(VERSION)
        await settle()
        reply = await here.send(add("1"))
        assert await here.values() == ["off", "working", "failed", "failed"]
        assert reply.own.revision == 4
        await here.clock.advance(100_000)
        assert len(await here.history()) == 4


async def test_callers_do_not_wait_behind_a_loss_that_cannot_be_written():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        gate = here.host.hold()
        here.host.die(VERSION)
        tasks = await here.queued(add("1"), add("2"))
        for _ in range(2):
            here.store.fail("apply")
        gate.set()
        assert {(await refused(task)).reason for task in tasks} == {"STORE_UNAVAILABLE"}
        assert (await refused(here.send(add("3")))).reason == "STORE_UNAVAILABLE"
        await here.clock.advance(100_000)
        assert await here.values() == ["off", "working", "failed"]
        await here.send(add("4"))
        assert await here.notes() == ["4"]


async def test_what_a_machine_could_not_take_of_a_service_is_kept_though_the_store_fails_too():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        here.desk.broken = {"done.work"}
        here.store.fail("apply")
        here.host.finish(await here.at(), "work")
        await settle()
        here.desk.broken = set()
        await here.clock.advance(60_000)
        assert await here.values() == ["off", "working", "worked"]


async def test_a_service_whose_process_ends_before_the_commit_is_reported_at_once():
    async with world() as here:
        await here.create()
        writing = here.store.hold("apply")
        task = here.sending("WORK")
        await settle()
        here.host.die(VERSION)
        writing.set()
        await task
        await settle()
        assert await here.values() == ["off", "working", "failed"]


async def test_a_first_service_whose_process_ends_before_the_commit_is_reported_at_once():
    async with world() as here:
        writing = here.store.hold("apply")
        creating = asyncio.create_task(here.create(context={"value": "working", "service": "work"}))
        await settle()
        here.host.die(VERSION)
        writing.set()
        await creating
        await settle()
        assert await here.values() == ["working", "failed"]


async def test_a_service_that_never_stops_talking_does_not_keep_the_server_from_stopping():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        at = await here.at()
        talk = here.host._act

        def talks(*args: Any) -> None:
            talk(*args)
            here.host._deliver(at, {"type": "SHOUT"})

        here.host._act = talks  # type: ignore[method-assign,assignment]  # it has a word for each step
        await here.send("SHOUT")
        async with asyncio.timeout(5):
            await here.engine.drain()
