"""A request id takes effect once, whenever and however often it comes: its first outcome is what it gets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.turns.kit import add, key, refused, tag, until, world

from stateward_server.model.errors import Code
from stateward_server.model.ledger import RequestTag
from stateward_server.model.wait import Until
from stateward_server.testing.clock import settle


async def test_a_later_repeat_gets_the_stored_outcome_and_moves_nothing():
    async with world() as here:
        await here.create()
        request = tag()
        first = await here.send(add("1"), request=request)
        await here.send(add("2"))
        again = await here.send(add("1"), request=request)

        assert (first.replayed, again.replayed) == (False, True)
        assert again.own == first.own
        assert await here.notes() == ["1", "2"]
        assert here.published[-1] == ("one", [3])


async def test_a_repeat_that_comes_while_the_first_is_on_its_way_waits_for_its_outcome():
    async with world() as here:
        await here.create()
        request, gate = tag(), here.host.hold()
        tasks = await here.queued(add("1"), add("1"), request=request)
        gate.set()
        first, again = await asyncio.gather(*tasks)

        assert (first.replayed, again.replayed) == (False, True)
        assert first.own == again.own
        assert await here.notes() == ["1"]


async def test_a_repeat_is_answered_within_a_batch_of_others_that_all_take_effect():
    async with world() as here:
        await here.create()
        old, twice = tag(), tag()
        await here.send(add("old"), request=old)
        gate = here.host.hold()
        first = await here.queued("STOP")
        requests = [None, twice, None, old, twice, None]
        notes = ["1", "twice", "2", "old", "twice", "3"]
        tasks = [
            (await here.queued(add(note), request=request))[0]
            for note, request in zip(notes, requests, strict=True)
        ]
        gate.set()
        replies = await asyncio.gather(*tasks)
        await asyncio.gather(*first)

        assert [reply.replayed for reply in replies] == [False, False, False, True, True, False]
        assert replies[1].own == replies[4].own
        assert await here.notes() == ["old", "1", "twice", "2", "3"]


async def test_a_request_id_with_another_body_is_refused():
    async with world() as here:
        await here.create()
        request = tag("one body")
        await here.send(add("1"), request=request)
        error = await refused(here.send(add("2"), request=tag("another", request.id)))

        assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
        assert error.metadata["request_id"] == request.id
        assert await here.notes() == ["1"]


async def test_two_bodies_with_one_id_at_the_same_time_take_effect_once():
    async with world() as here:
        await here.create()
        request, gate = tag("one body"), here.host.hold()
        first = here.sending(add("1"), request=request)
        await settle(3)
        second = here.sending(add("2"), request=tag("another", request.id))
        await settle(3)
        gate.set()

        assert (await first).own.revision == 2
        assert (await refused(second)).reason == "REQUEST_ID_REUSED"
        assert await here.notes() == ["1"]


@pytest.mark.parametrize("event", ["DENIED", "BROKEN"])
async def test_a_refusal_is_not_an_outcome_so_the_same_request_may_succeed_later(event: str):
    async with world() as here:
        await here.create()
        here.desk.banned, here.desk.broken = {"DENIED"}, {"BROKEN"}
        request = tag()
        await refused(here.send(event, request=request))
        here.desk.banned, here.desk.broken = set(), set()

        assert (await here.send(event, request=request)).own.revision == 2
        assert (await here.send(event, request=request)).replayed


@pytest.mark.parametrize("spoiler", ["banned", "broken", "ended", "revision", "paused"])
async def test_a_repeat_gets_its_outcome_though_the_event_would_be_refused_now(spoiler: str):
    async with world() as here:
        await here.create()
        request = tag()
        first = await here.send(add("1"), request=request, expected_revision=1)
        match spoiler:
            case "banned" | "broken":
                setattr(here.desk, spoiler, {"ADD"})
            case "ended":
                await here.send("FINISH")
            case "revision":
                await here.send(add("2"))
            case _:
                await here.engine.pauses.pause(key("one"), None)
        again = await here.send(add("1"), request=request, expected_revision=1)

        assert (again.replayed, again.own) == (True, first.own)
        reused = await refused(here.send(add("2"), request=tag("another", request.id), expected_revision=1))
        assert reused.reason == "REQUEST_ID_REUSED"


async def test_a_repeat_is_known_after_a_restart():
    request = tag()
    async with world() as here:
        first = await here.create(request=request)
        other = tag()
        await here.send(add("1"), request=other)
    async with world(here) as again:
        created = await again.create(request=request)
        assert (created.replayed, created.own, created.latest) == (True, first.own, first.latest)
        assert (await again.send(add("1"), request=other)).replayed
        assert await again.notes() == ["1"]


async def test_a_repeat_waits_for_what_it_asks_for_from_the_present_on():
    async with world() as here:
        await here.create()
        request = tag()
        await here.send("WORK", request=request)
        waiting = here.sending("WORK", request=request, wait=until(Until.SETTLED))
        await settle()
        assert not waiting.done()
        here.host.finish(await here.at(), "work")
        reply = await waiting

        assert (reply.replayed, reply.met, reply.own.revision, reply.latest.revision) == (True, True, 2, 3)
        # What has come true meanwhile need not be waited for.
        assert (await here.send("WORK", request=request, wait=until(Until.SETTLED))).latest.revision == 3


async def test_a_repeat_shows_the_present_to_whom_the_machine_shows_it_only():
    async with world() as here:
        born, request = tag(), tag()
        await here.create(request=born)
        first = await here.send("WORK", request=request)
        await here.send(add("a secret"))
        here.desk.strangers.add("ann")
        for ending in (None, "FINISH"):
            if ending:
                here.desk.strangers.clear()
                await here.send(ending)
                here.desk.strangers.add("ann")
            again = await here.send("WORK", request=request, wait=until(Until.TAG, match="never"))
            assert (again.own, again.latest, again.met, again.replayed) == (first.own, first.own, False, True)
            created = await here.create(request=born, wait=until(Until.TAG, match="never"))
            assert (created.latest.revision, created.met, created.replayed) == (1, False, True)


async def test_creations_with_one_request_id_make_one_instance():
    async with world() as here:
        request, gate = tag(), here.host.hold()
        first = asyncio.create_task(here.create(request=request))
        await settle(3)
        second = asyncio.create_task(here.create(request=request))
        await settle(3)
        gate.set()
        replies = await asyncio.gather(first, second)

        assert sorted(reply.replayed for reply in replies) == [False, True]
        assert {reply.own for reply in replies} == {await here.last()}
        assert here.published == [("one", [1])]


def another(request: RequestTag) -> dict[str, Any]:
    return {"request": tag("another", request.id)}


async def test_a_creation_is_repeated_by_its_own_request_only():
    async with world() as here:
        request = tag()
        await here.create(request=request)
        assert (await refused(here.create())).reason == "INSTANCE_EXISTS"
        assert (await refused(here.create(request=tag()))).reason == "INSTANCE_EXISTS"
        assert (await refused(here.create(**another(request)))).reason == "REQUEST_ID_REUSED"
        event = tag()
        await here.send(add("1"), request=event)
        # The id of an event is no id of a creation.
        assert (await refused(here.create(request=event))).reason == "INSTANCE_EXISTS"
        assert len(await here.history()) == 2
