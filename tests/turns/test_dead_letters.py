"""What fails too often is kept as a dead letter, and can be put back or thrown away."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.turns.mail_kit import ORG, Json, Move, World, key, log, world

from stateward_server.model.errors import FailedPrecondition, NotFound
from stateward_server.model.ledger import Cause, DeadLetter
from stateward_server.model.machine import RequestRecord
from stateward_server.model.outbox import Parcel, ParcelKind
from stateward_server.model.step import Ref, SendTo, SetTimer, Status
from stateward_server.testing.clock import settle
from stateward_server.testing.faulty_store import FaultyStore, Point

BACKOFF = (2_000, 8_000, 32_000, 128_000)


def fragile(context: Json, event: Json) -> Move:
    """A machine that takes nothing but MEND until it is mended."""
    match event["type"]:
        case "init":
            return Move({"public": {"got": []}, "broken": True, **(event["input"] or {})})
        case "SET":
            return Move(context, timers=(SetTimer("t", 10, '{"type":"T"}', None),))
        case "MEND":
            return Move({**context, "broken": False})
        case "BREAK":
            return Move({**context, "broken": True})
        case "END":
            return Move(context, status=Status.DONE)
        case _ if context["broken"]:
            raise RuntimeError("not now")
        case "lost.service":
            context = {**context, "lost": None}
    got = [*context["public"]["got"], event]
    return Move({**context, "public": {"got": got}})


async def fail_timer(here: World) -> DeadLetter:
    await here.machine("fragile", fragile)
    await here.create("fragile", "i")
    await here.send("fragile", "i", "SET")
    await here.rest(10)
    for pause in BACKOFF:
        assert await here.letters("fragile") == []
        await here.rest(pause)
    (letter,) = await here.letters("fragile")
    return letter


async def test_a_failing_timer_is_tried_five_times_then_kept():
    async with world() as here:
        letter = await fail_timer(here)
        assert (letter.reason, letter.message, letter.attempts) == ("MACHINE_THREW", "not now", 5)
        assert letter.owner == key("fragile", "i")
        assert await here.engine.timers.list(key("fragile", "i"), "", 9) == []
        steps = here.host.steps
        await here.rest(10_000_000)
        assert here.host.steps == steps


async def test_a_timer_that_succeeds_at_last_leaves_no_letter():
    async with world() as here:
        await here.machine("fragile", fragile)
        await here.create("fragile", "i")
        await here.send("fragile", "i", "SET")
        await here.rest(5_000)
        await here.send("fragile", "i", "MEND")
        await here.rest(10_000)
        assert await here.types("fragile", "i") == ["T"]
        assert await here.letters("fragile") == []


async def test_a_retried_timer_is_due_at_once_and_acts_once():
    async with world() as here:
        letter = await fail_timer(here)
        await here.send("fragile", "i", "MEND")
        record = RequestRecord(ORG, "retry-1", b"d", "", 0)
        await here.engine.letters.retry(letter.owner, letter.id, record, by="admin")
        await here.rest()
        assert await here.types("fragile", "i") == ["T"]
        assert (await here.history("fragile", "i"))[-1].cause is Cause.TIMER
        assert await here.letters("fragile") == []
        assert await here.store.get_request(ORG, "retry-1") == record
        with pytest.raises(NotFound):
            await here.engine.letters.retry(letter.owner, letter.id, None, by="admin")


async def test_a_retried_timer_that_fails_again_comes_back():
    async with world() as here:
        letter = await fail_timer(here)
        await here.engine.letters.retry(letter.owner, letter.id, None, by="admin")
        await here.rest()
        assert await here.letters("fragile") == []
        await here.rest(sum(BACKOFF))
        (again,) = await here.letters("fragile")
        assert again.id != letter.id
        assert again.attempts == 5


async def test_the_move_to_the_letters_is_one_commit():
    async with world() as first:
        faulty = FaultyStore(first.store)
    async with world(first, faulty.store) as here:
        await here.machine("fragile", fragile)
        await here.create("fragile", "i")
        await here.send("fragile", "i", "SET")
        await here.rest(10 + sum(BACKOFF[:3]))
        faulty.fail("apply")
        await here.rest(BACKOFF[3])
        assert len(await here.engine.timers.list(key("fragile", "i"), "", 9)) == 1
        assert await here.letters("fragile") == []
        await here.rest(300_000)
        assert await here.engine.timers.list(key("fragile", "i"), "", 9) == []
        assert len(await here.letters("fragile")) == 1


@pytest.mark.parametrize("event", ["END", "SET"])
async def test_a_timer_that_has_no_place_any_more_is_not_put_back(event: str):
    async with world() as here:
        letter = await fail_timer(here)
        await here.send("fragile", "i", event)
        with pytest.raises(FailedPrecondition) as caught:
            await here.engine.letters.retry(letter.owner, letter.id, None, by="admin")
        assert caught.value.reason == "DEAD_LETTER_NOT_RETRYABLE"
        assert len(await here.letters("fragile")) == 1


async def test_a_discarded_letter_is_gone():
    async with world() as here:
        letter = await fail_timer(here)
        await here.engine.letters.discard(letter.owner, letter.id, None, by="admin")
        assert await here.letters("fragile") == []
        with pytest.raises(NotFound) as caught:
            await here.engine.letters.discard(letter.owner, letter.id, None, by="admin")
        assert caught.value.reason == "DEAD_LETTER_NOT_FOUND"


async def test_a_message_the_receiver_cannot_take_is_kept_and_can_be_put_back():
    def sends(context: Json, event: Json) -> Move:
        messages = (SendTo(Ref("fragile", "i"), '{"type":"M"}'),) if event["type"] == "GO" else ()
        return Move(context, messages)

    async with world() as here:
        await here.machine("from", sends)
        await here.machine("fragile", fragile)
        await here.create("fragile", "i")
        await here.create("from", "f")
        await here.send("from", "f", "GO")
        await here.rest()
        await here.rest(sum(BACKOFF))
        (letter,) = await here.letters("from")
        assert (letter.reason, letter.attempts) == ("MACHINE_THREW", 5)
        await here.send("fragile", "i", "MEND")
        await here.engine.letters.retry(letter.owner, letter.id, None, by="admin")
        await here.rest()
        await here.rest()
        assert await here.types("fragile", "i") == ["M"]
        assert await here.owed() == 0
        assert await here.letters("from") == []


async def test_a_service_event_the_machine_cannot_take_is_owed_to_it():
    async with world() as here:
        await here.machine("fragile", fragile)
        await here.create("fragile", "i")
        loaded = await here.load("fragile", "i")
        assert loaded is not None
        here.host.inboxes[loaded.instance.uid] = [{"type": "done.service", "n": 1}]
        here.engine.inbox(loaded.instance.uid)
        await here.rest()
        assert await here.owed() == 1
    async with world(here) as again:
        await again.send("fragile", "i", "MEND")
        await again.rest(2_000)
        assert await again.got("fragile", "i") == [{"type": "done.service", "n": 1}]
        assert (await again.history("fragile", "i"))[-1].cause is Cause.SERVICE


async def test_a_service_event_that_keeps_failing_becomes_a_letter():
    async with world() as here:
        await here.machine("fragile", fragile)
        await here.create("fragile", "i")
        loaded = await here.load("fragile", "i")
        assert loaded is not None
        here.host.inboxes[loaded.instance.uid] = [{"type": "done.service"}]
        here.engine.inbox(loaded.instance.uid)
        await here.rest(sum(BACKOFF) + 1_000)
        (letter,) = await here.letters("fragile")
        assert isinstance(letter.what, Parcel)
        assert letter.what.kind is ParcelKind.SERVICE
        assert json.loads(letter.what.payload_json or "") == {"type": "done.service"}
        assert letter.attempts == 5


async def test_the_loss_of_a_service_that_the_machine_cannot_take_is_owed_to_it():
    async with world() as here:
        await here.machine("fragile", fragile)
        await here.create("fragile", "i", {"lost": "service"})
    async with world(here) as again:
        await again.rest()
        assert [item.parcel.kind for item in await again.store.owed_after(0, 9)] == [ParcelKind.LOST]
        await again.send("fragile", "i", "MEND")
        await again.rest(2_000)
        assert await again.types("fragile", "i") == ["lost.service"]
        await again.rest()
        assert await again.owed() == 0


async def fail_message(here: World) -> DeadLetter:
    """Write to somebody who is not there until that is given up."""

    def sends(context: Json, event: Json) -> Move:
        text = json.dumps({"type": event["type"]})
        return Move(context, () if event["type"] == "init" else (SendTo(Ref("log", "late"), text),))

    await here.machine("log", log)
    await here.machine("from", sends)
    await here.create("from", "f")
    await here.send("from", "f", "FIRST")
    await here.rest(10)
    await here.rest(sum(BACKOFF) + 1_000)
    (letter,) = await here.letters("from")
    return letter


async def test_a_message_is_put_back_while_later_ones_wait_behind_another_attempt():
    async with world() as here:
        letter = await fail_message(here)
        await here.send("from", "f", "SECOND")
        await here.rest(10)
        await here.create("log", "late")
        await here.engine.letters.retry(letter.owner, letter.id, None, by="ann")
        await here.rest(1_000_000)
        assert sorted(await here.types("log", "late")) == ["FIRST", "SECOND"]
        assert await here.owed() == 0


async def test_a_message_put_back_by_a_caller_that_goes_is_sent():
    async with world() as first:
        faulty = FaultyStore(first.store)
    async with world(first, faulty.store) as here:
        letter = await fail_message(here)
        await here.create("log", "late")
        answering = faulty.hold("put_back", Point.AFTER)
        retrying = asyncio.ensure_future(here.engine.letters.retry(letter.owner, letter.id, None, by="ann"))
        await settle()
        retrying.cancel()
        await settle()
        answering.set()
        await here.rest(1_000_000)
        assert await here.types("log", "late") == ["FIRST"]
