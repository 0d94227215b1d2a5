"""What becomes of an instance whose host is lost, or does not know it: it goes on from the ledger."""

from __future__ import annotations

import asyncio
import json

import pytest
from structlog.testing import capture_logs
from tests.turns.kit import VERSION, add, key, refused, world

from stateward_server.model.errors import Code
from stateward_server.model.ledger import Cause
from stateward_server.testing.clock import settle


async def test_a_hop_that_loses_its_host_is_made_again_with_the_snapshot():
    async with world() as here:
        await here.create()
        await here.send(add("1"))
        here.host.losses = 1
        with capture_logs() as logs:
            assert (await here.send(add("2"))).own.revision == 3
        lost = next(entry for entry in logs if entry["event"] == "host_lost")
        assert (lost["version"], lost["error"]) == (VERSION, "the process died")
        assert await here.notes() == ["1", "2"]
        assert here.host.resumes == [False, True]


async def test_two_lost_hosts_in_a_row_are_told_to_the_caller_and_nothing_has_changed():
    async with world() as here:
        await here.create()
        gate = here.host.hold()
        here.host.losses = 2
        tasks = await here.queued(add("1"), add("2"))
        gate.set()
        for task in tasks:
            error = await refused(task)
            assert (error.code, error.reason) == (Code.UNAVAILABLE, "HOST_UNAVAILABLE")
            assert error.retry_after is not None
        assert len(await here.history()) == 1
        assert (await here.send(add("3"))).own.revision == 2
        assert here.host.resumes == [True]


async def test_a_creation_survives_one_lost_host_and_is_refused_after_two():
    async with world() as here:
        here.host.losses = 1
        assert (await here.create("one")).own.revision == 1
        here.host.losses = 2
        with capture_logs() as logs:
            assert (await refused(here.create("two"))).reason == "HOST_UNAVAILABLE"
        assert [entry["event"] for entry in logs] == ["host_lost"] * 2
        assert await here.memory.load(key("two")) is None
        await here.create("two")


async def test_a_host_that_does_not_know_the_instance_is_told_its_snapshot():
    async with world() as here:
        await here.create()
        await here.send(add("1"))
        here.host.evict(await here.at())
        assert (await here.send(add("2"))).own.revision == 3
        assert await here.notes() == ["1", "2"]
        assert here.host.resumes == [False, False, True]


async def test_a_host_that_never_knows_the_instance_is_no_host():
    async with world() as here:
        await here.create()
        here.host.forgetful = True
        assert (await refused(here.send(add("1")))).reason == "HOST_UNAVAILABLE"
        here.host.forgetful = False
        assert (await here.send(add("1"))).own.revision == 2


async def test_a_read_brings_the_snapshot_only_when_it_is_asked_for():
    async with world() as here:
        await here.create()
        await here.engine.read(key("one"), '{"sub":"ann"}')
        assert here.host.calls.count("allow_read") == 1
        here.host.evict(await here.at())
        await here.engine.read(key("one"), '{"sub":"ann"}')
        assert here.host.calls.count("allow_read") == 3
        assert here.host.batches == []


async def test_a_service_lost_with_its_host_fails_at_once_without_anyone_asking():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        here.host.die(VERSION)
        await settle()
        assert [each.cause for each in await here.history()][2:] == [Cause.LOST]
        assert await here.values() == ["off", "working", "failed"]


async def test_the_loss_of_a_service_comes_before_the_events_that_wait():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        # The process dies in the middle of a batch, before the engine has heard of it.
        gate = here.host.hold()
        tasks = await here.queued(add("1"), add("2"))
        here.host.losses = 1
        gate.set()
        replies = await asyncio.gather(*tasks)

        assert [reply.own.revision for reply in replies] == [4, 5]
        assert await here.values() == ["off", "working", "failed", "failed", "failed"]


async def test_a_loss_is_reported_once():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        here.host.die(VERSION)
        here.host.die(VERSION)
        await here.send(add("1"))
        await settle()
        assert [each.cause for each in await here.history()].count(Cause.LOST) == 1


async def test_an_instance_without_services_does_not_notice_the_loss_of_its_host():
    async with world() as here:
        await here.create()
        here.host.die(VERSION)
        await settle()
        assert here.host.batches == []
        assert (await here.send(add("1"))).own.revision == 2
        assert here.host.resumes == [True]


@pytest.mark.parametrize("losses", [1, 2, 3, 6])
async def test_the_loss_of_a_service_is_reported_though_hosts_are_lost_over_and_over(losses: int):
    async with world() as here:
        await here.create()
        await here.send("WORK")
        here.host.losses = losses
        here.host.die(VERSION)
        await here.clock.advance(60_000)
        assert here.host.losses == 0
        assert await here.values() == ["off", "working", "failed"]


async def test_the_loss_of_a_service_is_reported_once_a_host_can_be_started_again():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        # No process comes up, so none is lost either.
        here.host.forgetful = True
        here.host.die(VERSION)
        await here.clock.advance(20_000)
        assert await here.values() == ["off", "working"]
        here.host.forgetful = False
        # Long before the settle limit would have asked again.
        await here.clock.advance(60_000)
        assert await here.values() == ["off", "working", "failed"]


async def test_start_gives_the_machine_its_context_and_asks_it_for_the_caller():
    async with world() as here:
        reply = await here.create(context={"value": "working", "service": "work"})
        assert json.loads(reply.own.view.value_json) == "working"
        assert reply.own.cause is Cause.CREATED
        assert not reply.own.view.settled
        assert "commit" in here.host.calls
