"""A paused instance refuses callers and keeps all else until it is resumed."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.turns.mail_kit import AUTH, NOW, ORG, Json, Move, World, key, log, world

from stateward_server.model.errors import FailedPrecondition, NotFound
from stateward_server.model.ledger import RequestTag
from stateward_server.model.machine import RequestRecord
from stateward_server.model.step import Ref, SendTo, SetTimer
from stateward_server.testing.clock import settle
from stateward_server.testing.faulty_store import FaultyStore, Point

AT = key("log", "i")


def timed(context: Json, event: Json) -> Move:
    if event["type"] == "SET":
        ops = [SetTimer(id_, delay, json.dumps({"type": id_}), None) for id_, delay in event["timers"]]
        return Move(context, timers=tuple(ops))
    return log(context, event)


def sends(context: Json, event: Json) -> Move:
    return Move(context, (SendTo(Ref("log", "i"), json.dumps(event)),) if event["type"] != "init" else ())


async def ready(here: World) -> None:
    await here.machine("log", timed)
    await here.machine("from", sends)
    await here.create("log", "i")
    await here.create("from", "f")


async def test_callers_are_refused_and_readers_are_not():
    async with world() as here:
        await ready(here)
        loaded = await here.engine.pauses.pause(AT, None)
        assert loaded.instance.paused
        with pytest.raises(FailedPrecondition) as caught:
            await here.send("log", "i", "HELLO")
        assert caught.value.reason == "INSTANCE_PAUSED"
        assert (await here.engine.read(AT, AUTH)).instance.paused
        await here.engine.pauses.resume(AT, None)
        await here.send("log", "i", "HELLO")
        assert await here.types("log", "i") == ["HELLO"]


async def test_an_absent_instance_cannot_be_paused():
    async with world() as here:
        await ready(here)
        with pytest.raises(NotFound):
            await here.engine.pauses.pause(key("log", "absent"), None)


async def test_a_pause_waits_for_the_turn_in_progress_and_comes_before_the_next():
    async with world() as here:
        await ready(here)
        gate = here.host.gate = asyncio.Event()
        first = asyncio.ensure_future(here.send("log", "i", "FIRST"))
        await settle()
        pause = asyncio.ensure_future(here.engine.pauses.pause(AT, None))
        await settle()
        second = asyncio.ensure_future(here.send("log", "i", "SECOND"))
        await settle()
        assert not pause.done()
        gate.set()
        await first
        await pause
        with pytest.raises(FailedPrecondition, match="paused"):
            await second
        assert await here.types("log", "i") == ["FIRST"]


async def test_a_repeat_of_what_was_accepted_before_the_pause_gets_its_outcome():
    async with world() as here:
        await ready(here)
        tag = RequestTag("r", b"d")
        text = '{"type":"ONCE"}'
        sent = await here.engine.send(AT, text, AUTH, request=tag, expected_revision=0, wait=NOW)
        await here.engine.pauses.pause(AT, None)
        again = await here.engine.send(AT, text, AUTH, request=tag, expected_revision=0, wait=NOW)
        assert again.replayed
        assert again.own == sent.own


async def test_timers_and_messages_wait_and_come_in_order_also_across_a_restart():
    async with world() as here:
        await ready(here)
        timers = [("late", 300), ("early", 100), ("middle", 200)]
        await here.send("log", "i", {"type": "SET", "timers": timers})
        record = RequestRecord(ORG, "pause-1", b"d", "", 0)
        await here.engine.pauses.pause(AT, record)
        for number in range(3):
            await here.send("from", "f", f"M{number}")
        await here.rest(1_000)
        assert await here.types("log", "i") == []
        assert await here.store.get_request(ORG, "pause-1") == record
    async with world(here) as again:
        await again.rest(600_000)
        assert await again.types("log", "i") == []
        assert await again.letters("from") == []
        await again.engine.pauses.resume(AT, None)
        for _ in range(5):
            await again.rest()
        types = await again.types("log", "i")
        assert [type_ for type_ in types if type_.startswith("M")] == ["M0", "M1", "M2"]
        assert [type_ for type_ in types if not type_.startswith("M")] == ["early", "middle", "late"]
        assert await again.owed() == 0


async def test_what_services_say_waits_too():
    async with world() as here:
        await ready(here)
        loaded = await here.load("log", "i")
        assert loaded is not None
        await here.engine.pauses.pause(AT, None)
        here.host.inboxes[loaded.instance.uid] = [{"type": "done.service"}]
        here.engine.inbox(loaded.instance.uid)
        await here.rest()
        assert await here.types("log", "i") == []
        await here.engine.pauses.resume(AT, None)
        await here.rest()
        assert await here.types("log", "i") == ["done.service"]


async def test_a_lost_service_is_told_of_after_the_pause():
    async with world() as here:
        await here.machine(
            "log",
            lambda context, event: (
                Move({"lost": "s"}) if event["type"] == "init" else log({"public": {"got": []}}, event)
            ),
        )
        await here.create("log", "i")
        await here.engine.pauses.pause(AT, None)
    async with world(here) as again:
        await again.rest(600_000)
        assert len(await again.history("log", "i")) == 1
        await again.engine.pauses.resume(AT, None)
        await again.rest()
        assert await again.types("log", "i") == ["lost.s"]


async def test_pausing_twice_and_resuming_twice_change_nothing_more():
    async with world() as here:
        await ready(here)
        for _ in range(2):
            assert (await here.engine.pauses.pause(AT, None)).instance.paused
        for _ in range(2):
            assert not (await here.engine.pauses.resume(AT, None)).instance.paused
        await here.send("log", "i", "HELLO")


async def test_a_paused_receiver_holds_up_no_other():
    def to_both(context: Json, event: Json) -> Move:
        if event["type"] == "init":
            return Move({})
        return Move({}, tuple(SendTo(Ref("log", name), json.dumps(event)) for name in ("i", "j")))

    async with world() as here:
        await ready(here)
        await here.machine("both", to_both)
        await here.create("log", "j")
        await here.create("both", "b")
        await here.engine.pauses.pause(AT, None)
        await here.send("both", "b", "A")
        await here.send("both", "b", "B")
        await here.rest()
        assert await here.types("log", "j") == ["A", "B"]
        await here.engine.pauses.resume(AT, None)
        await here.rest()
        assert await here.types("log", "i") == ["A", "B"]


async def test_a_paused_instance_can_be_deleted():
    async with world() as here:
        await ready(here)
        await here.engine.pauses.pause(AT, None)
        await here.engine.delete(AT)
        assert await here.load("log", "i") is None


async def test_a_resumption_whose_caller_goes_delivers_what_has_waited():
    async with world() as first:
        faulty = FaultyStore(first.store)
    async with world(first, faulty.store) as here:
        await ready(here)
        await here.send("log", "i", {"type": "SET", "timers": [("tick", 100)]})
        await here.engine.pauses.pause(AT, None)
        await here.send("from", "f", "MAIL")
        await here.rest(1_000)
        answering = faulty.hold("set_paused", Point.AFTER)
        resuming = asyncio.ensure_future(here.engine.pauses.resume(AT, None))
        await settle()
        resuming.cancel()
        await settle()
        answering.set()
        for _ in range(5):
            await here.rest()
        assert sorted(await here.types("log", "i")) == ["MAIL", "tick"]


async def test_messages_for_a_paused_instance_do_not_wait_for_one_that_was_deleted():
    async with world() as here:
        await ready(here)
        await here.engine.pauses.pause(AT, None)
        await here.send("from", "f", "OLD")
        await here.rest()
        await here.engine.delete(AT)
        await here.rest()
        await here.create("log", "i")
        await here.send("from", "f", "NEW")
        await here.rest(5_000)
        assert await here.types("log", "i") == ["OLD", "NEW"]
        assert await here.owed() == 0
