"""Timers as rows: listed, cancelled, fired in due order and few at once, whatever has piled up."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from tests.turns.mail_kit import Json, Move, Script, World, key, log, world

from stateward_server.engine.envelope import Envelope
from stateward_server.model.errors import NotFound
from stateward_server.model.ledger import Cause
from stateward_server.model.limits import EngineLimits
from stateward_server.model.step import CancelTimer, SetTimer
from stateward_server.testing.clock import settle
from stateward_server.testing.faulty_store import FaultyStore


def ticker(context: Json, event: Json) -> Move:
    """A machine that sets the timers it is told to, and keeps what they say."""
    match event["type"]:
        case "SET":
            ops = [SetTimer(id_, delay, json.dumps({"type": id_}), None) for id_, delay in event["timers"]]
            return Move(context, timers=tuple(ops))
        case "CANCEL":
            return Move(context, timers=(CancelTimer(event["id"]),))
        case "BUSY":
            return Move(context)
        case _:
            return log(context, event)


async def ready(here: World, *names: str) -> None:
    await here.machine("ticker", ticker)
    for name in names:
        await here.create("ticker", name)


async def set_timers(here: World, name: str, **delays: int) -> None:
    await here.send("ticker", name, {"type": "SET", "timers": list(delays.items())})


async def pending(here: World, name: str) -> list[str]:
    return [row.id for row in await here.engine.timers.list(key("ticker", name), "", 1000)]


async def test_pending_timers_are_listed_by_id_in_pages():
    async with world() as here:
        await ready(here, "i")
        await set_timers(here, "i", b=50, a=70, c=60)
        start = here.clock.now_ms()
        rows = await here.engine.timers.list(key("ticker", "i"), "", 2)
        assert [(row.id, row.due_ms - start) for row in rows] == [("a", 70), ("b", 50)]
        assert [row.id for row in await here.engine.timers.list(key("ticker", "i"), "b", 2)] == ["c"]
        with pytest.raises(NotFound):
            await here.engine.timers.list(key("ticker", "absent"), "", 2)


async def test_a_cancelled_timer_never_fires_not_even_after_a_restart():
    async with world() as here:
        await ready(here, "i")
        await set_timers(here, "i", a=50, b=60)
        await here.engine.timers.cancel(key("ticker", "i"), "a", None)
        assert await pending(here, "i") == ["b"]
    async with world(here) as again:
        await again.rest(100)
        assert await again.types("ticker", "i") == ["b"]
        assert len(await again.history("ticker", "i")) == 3
        with pytest.raises(NotFound) as caught:
            await again.engine.timers.cancel(key("ticker", "i"), "a", None)
        assert caught.value.reason == "TIMER_NOT_FOUND"


async def test_late_timers_fire_in_due_order():
    async with world() as here:
        await ready(here, "i")
        await set_timers(here, "i", c=30, a=50, b=40, d=20)
    here.clock.set(here.clock.now_ms() + 1_000)
    async with world(here) as again:
        await again.rest(0)
        await again.rest(0)
        assert await again.types("ticker", "i") == ["d", "c", "b", "a"]
        assert {item.cause for item in (await again.history("ticker", "i"))[2:]} == {Cause.TIMER}


async def test_timers_of_one_moment_fire_once_each_also_when_they_set_themselves_anew():
    def chain(context: Json, event: Json) -> Move:
        move = log(context, event)
        if len(move.context["public"]["got"]) < 5:
            return Move(move.context, timers=(SetTimer("t", 10, '{"type":"T"}', None),))
        return move

    async with world() as here:
        await here.machine("chain", chain)
        await here.create("chain", "i")
        await here.rest(1_000)
        assert len(await here.types("chain", "i")) == 5


async def test_a_long_downtime_wakes_few_at_a_time_in_due_order_and_starves_nobody():
    limits = EngineLimits(timers_near=64, ringing=8, ringing_each=4, awake=16)
    names = [f"i{number}" for number in range(60)]
    async with world(limits=limits) as here:
        await ready(here, "busy", *names)
        await here.send(
            "ticker", "busy", {"type": "SET", "timers": [(f"t{number:03}", number) for number in range(200)]}
        )
        for number, name in enumerate(names):
            await set_timers(here, name, one=100 + number, two=1_000)
    here.clock.set(here.clock.now_ms() + 10_000)
    most = 0

    async with world(here) as again:
        gate = again.host.gate = asyncio.Event()
        for _ in range(20):
            await settle()
            most = max(most, len(asyncio.all_tasks()))
        gate.set()
        again.host.gate = None
        for _ in range(200):
            await settle()
            most = max(most, len(asyncio.all_tasks()))
        assert await again.types("ticker", "busy") == [f"t{number:03}" for number in range(200)]
        for name in names:
            assert await again.types("ticker", name) == ["one", "two"]
    assert most < 40


async def test_a_call_is_served_while_timers_pile_up():
    limits = EngineLimits(ringing=4, ringing_each=4)
    async with world(limits=limits) as here:
        await ready(here, "busy", "other")
        await here.send(
            "ticker", "busy", {"type": "SET", "timers": [(f"t{number:04}", 1) for number in range(500)]}
        )
        here.clock.set(here.clock.now_ms() + 10)
        await asyncio.sleep(0)
        call = asyncio.ensure_future(here.send("ticker", "other", "HELLO"))
        await settle(30)
        assert call.done()
        assert len(await here.types("ticker", "busy")) < 500
        for _ in range(60):
            await settle()
        assert Counter(await here.types("ticker", "busy")).most_common(1)[0][1] == 1
        assert len(await here.types("ticker", "busy")) == 500


async def test_trouble_of_the_server_delays_a_timer_and_nothing_else():
    async with world() as here:
        await ready(here, "i")
        await set_timers(here, "i", a=50)
        here.host.down = True
        await here.rest(600_000)
        assert await pending(here, "i") == ["a"]
        here.host.down = False
        await here.rest(60_000)
        assert await here.types("ticker", "i") == ["a"]
        assert await here.letters("ticker") == []


async def test_a_store_that_cannot_be_read_delays_a_timer_and_nothing_else():
    async with world() as here:
        await ready(here, "i")
        await set_timers(here, "i", a=50)
    faulty = FaultyStore(here.store)
    async with world(here, faulty.store) as again:
        faulty.fail("load_uid")
        faulty.fail("due_after")
        await again.rest(60_000)
        assert await again.types("ticker", "i") == ["a"]


async def test_the_machine_cancels_a_timer_that_is_already_on_its_way():
    async with world() as here:
        await ready(here, "i")
        await set_timers(here, "i", a=50)
        gate = here.host.gate = asyncio.Event()
        call = asyncio.ensure_future(here.send("ticker", "i", {"type": "CANCEL", "id": "a"}))
        await settle()
        await here.rest(50)  # it comes due while the cancellation is being computed
        gate.set()
        await call
        await here.rest()
        assert await here.types("ticker", "i") == []
        assert await pending(here, "i") == []


async def test_a_timer_set_anew_for_the_same_moment_brings_its_new_event_only():
    def debounce(context: Json, event: Json) -> Move:
        if event["type"] != "KEY":
            return log(context, event)
        due = json.dumps({"type": "due", "text": event["text"]})
        return Move(context, timers=(CancelTimer("t"), SetTimer("t", 100, due, None)))

    async with world() as here:
        await here.machine("typed", debounce)
        await here.create("typed", "i")
        # Faster than a clock of milliseconds.
        for text in ("z", "y", "x"):
            await here.send("typed", "i", {"type": "KEY", "text": text})
        await here.rest(1_000)
        assert await here.got("typed", "i") == [{"type": "due", "text": "x"}]


async def test_a_timer_set_anew_while_its_failed_one_waits_is_found_among_many():
    def moody(context: Json, event: Json) -> Move:
        if event["type"] == "MOOD":
            return Move({**context, "bad": event["bad"]})
        if event["type"] == "t" and context.get("bad"):
            raise RuntimeError("not now")
        return ticker(context, event)

    async with world(limits=EngineLimits(ringing_each=1)) as here:
        await here.machine("ticker", moody)
        await here.create("ticker", "i")
        await here.send("ticker", "i", {"type": "MOOD", "bad": True})
        await set_timers(here, "i", t=10)
        await here.rest(100)
        await here.send("ticker", "i", {"type": "MOOD", "bad": False})
        await set_timers(here, "i", t=100, a=100, b=100)
        await here.rest(10_000)
        assert sorted(await here.types("ticker", "i")) == ["a", "b", "t"]


async def test_a_timer_is_buried_at_its_instance_though_that_fell_asleep_meanwhile():
    def broken(context: Json, event: Json) -> Move:
        if event["type"] == "t":
            raise RuntimeError("never")
        return ticker(context, event)

    async with world() as first:
        faulty = FaultyStore(first.store)
    async with world(first, faulty.store, EngineLimits(attempts=1)) as here:
        await ready(here)
        here.host.scripts = dict.fromkeys(here.host.scripts, Script(broken))
        await here.create("ticker", "i")
        await set_timers(here, "i", t=10)
        refuse, writing = Envelope.refuse, None

        def refused(envelope: Envelope, error: Exception) -> None:
            nonlocal writing
            refuse(envelope, error)
            actor = here.engine._directory.find(key("ticker", "i"))
            assert actor is not None
            here.engine._directory.remove(actor)
            writing = faulty.hold("apply")

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Envelope, "refuse", refused)
            await here.rest(100)
        assert await pending(here, "i") == ["t"]
        assert writing is not None
        writing.set()
        await settle()
        assert len(await here.letters("ticker")) == 1
        assert await pending(here, "i") == []


async def test_timers_of_a_machine_that_does_not_answer_hold_up_no_others():
    async with world(limits=EngineLimits(ringing=4)) as here:
        await ready(here)
        slow = await here.machine("slow", ticker)
        names = [f"i{n}" for n in range(20)]
        for name in names:
            await here.create("slow", name)
            await here.send("slow", name, {"type": "SET", "timers": [("a", 10), ("b", 11)]})
        await here.create("ticker", "i")
        await set_timers(here, "i", t=20)
        answer = here.host.stuck[slow] = asyncio.Event()
        await here.rest(1_100)
        assert await here.types("ticker", "i") == ["t"]
        # And those that are due later do not wait at all.
        await set_timers(here, "i", u=20)
        await here.rest(20)
        assert await here.types("ticker", "i") == ["t", "u"]
        assert all([await here.types("slow", name) == [] for name in names])
        answer.set()
        for _ in range(20):
            await here.rest()
        assert all([await here.types("slow", name) == ["a", "b"] for name in names])


async def test_timers_that_failed_at_a_machine_that_does_not_answer_are_tried_again():
    def moody(context: Json, event: Json) -> Move:
        if event["type"] == "MEND":
            return Move({**context, "mended": True})
        if event["type"] == "a" and not context.get("mended"):
            raise RuntimeError("not now")
        return ticker(context, event)

    async with world(limits=EngineLimits(ringing=2)) as here:
        slow = await here.machine("slow", moody)
        names = [f"i{n}" for n in range(6)]
        for name in names:
            await here.create("slow", name)
            await here.send("slow", name, {"type": "SET", "timers": [("a", 10)]})
        await here.rest(100)
        for name in names:
            await here.send("slow", name, "MEND")
        answer = here.host.stuck[slow] = asyncio.Event()
        await here.rest(20_000)
        answer.set()
        for _ in range(20):
            await here.rest(2_000)
        assert all([await here.types("slow", name) == ["a"] for name in names])
