"""Services: what they say is a turn like any other; how long they may run; what a restart does to them."""

from __future__ import annotations

import asyncio
import json

from tests.turns.kit import add, until, world

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
