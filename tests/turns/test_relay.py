"""Messages between instances: committed with the transition, delivered in order, taken once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from tests.turns.mail_kit import Json, Move, React, Script, World, key, log, world

from stateward_server.model.ledger import Cause
from stateward_server.model.limits import EngineLimits
from stateward_server.model.outbox import Parcel, ParcelKind
from stateward_server.model.step import Ref, SendParent, SendTo, SetTimer, Spawn, Status
from stateward_server.testing.faulty_store import FaultyStore, Point


def sender(*refs: Ref) -> React:
    """A machine that passes every event on to `refs`, with its number."""

    def react(context: Json, event: Json) -> Move:
        if event["type"] == "init":
            return Move({"n": 0})
        number = context["n"] + 1
        text = json.dumps({"type": event["type"], "n": number})
        return Move({"n": number}, tuple(SendTo(ref, text) for ref in refs))

    return react


def parent(child: str = "kid", machine: str = "child", instance: str = "c") -> React:
    """A machine that spawns a child on SPAWN, and keeps everything else it hears."""

    def react(context: Json, event: Json) -> Move:
        if event["type"] == "SPAWN":
            given = json.dumps({"from": "parent"})
            return Move(context, (Spawn(child, Ref(machine, instance), event.get("version"), given),))
        return log(context, event)

    return react


def child(context: Json, event: Json) -> Move:
    """A machine that tells its parent, ends, or fails, as it is told."""
    match event["type"]:
        case "init":
            return Move({"public": {"input": event["input"]}})
        case "TELL":
            return Move(context, (SendParent('{"type":"TOLD"}'),))
        case "END":
            return Move(context, (SendParent('{"type":"LAST"}'),), status=Status.DONE, output={"sum": 3})
        case "FAIL":
            return Move(context, status=Status.ERROR, output={"message": "no"})
        case _:
            return Move(context)


async def correspondents(here: World, receiver: React | Script = log) -> None:
    """Make from/f, which passes events on to to/t."""
    await here.machine("from", sender(Ref("to", "t")))
    await here.machine("to", receiver)
    await here.create("to", "t")
    await here.create("from", "f")


async def test_message_reaches_its_target_with_the_sender_as_auth_context():
    seen: list[Json] = []

    def allow(auth: Json, event: Json | None) -> bool:
        seen.append(auth)
        return True

    async with world() as here:
        await correspondents(here, Script(log, allow))
        await here.send("from", "f", "GO")
        await here.rest()
        assert await here.got("to", "t") == [{"type": "GO", "n": 1}]
        assert seen[-1] == {"stateBackedSender": {"machineName": "from", "machineInstanceName": "f"}}
        assert (await here.history("to", "t"))[-1].cause is Cause.MESSAGE
        assert await here.owed() == 0


async def test_messages_of_a_pair_arrive_in_order():
    async with world() as here:
        await here.machine("from", sender(Ref("to", "t"), Ref("to", "u")))
        await here.machine("to", log)
        for name in "tu":
            await here.create("to", name)
        await here.create("from", "f")
        for _ in range(100):
            await here.send("from", "f", "GO")
        for _ in range(20):
            await here.rest()
        for name in "tu":
            assert [event["n"] for event in await here.got("to", name)] == list(range(1, 101))
        assert await here.owed() == 0


async def test_more_than_memory_holds_arrives_in_order():
    limits = EngineLimits(owed_near=20, owed_each=3)
    async with world(limits=limits) as here:
        await here.machine("from", sender(Ref("to", "t"), Ref("to", "absent")))
        await here.machine("to", log)
        await here.create("to", "t")
        await here.create("from", "f")
        for _ in range(50):
            await here.send("from", "f", "GO")
        for _ in range(60):
            await here.rest()
        assert [event["n"] for event in await here.got("to", "t")] == list(range(1, 51))


async def test_message_is_durable_before_it_is_sent_and_survives_a_restart():
    async with world() as here:
        await correspondents(here)
        here.engine._relay.stop()
        await here.send("from", "f", "GO")
        await here.rest()
        assert await here.types("to", "t") == []
        assert await here.owed() == 1
    async with world(here) as again:
        await again.rest()
        assert await again.types("to", "t") == ["GO"]
        assert await again.owed() == 0


async def test_lost_acknowledgement_does_not_repeat_the_event():
    async with world() as here:
        await correspondents(here)
        await here.send("from", "f", "GO")
        for _ in range(3):
            await here.rest(0)
        assert await here.types("to", "t") == ["GO"]
        assert await here.owed() == 1  # arrived, and not deleted yet
    async with world(here) as again:
        await again.rest()
        assert await again.types("to", "t") == ["GO"]
        assert await again.owed() == 0


async def test_unacknowledged_parcels_are_tried_again_when_the_store_recovers():
    async with world() as first:
        faulty = FaultyStore(first.store)
    async with world(first, faulty.store) as here:
        await correspondents(here)
        faulty.fail("acknowledge")
        faulty.fail("owed_after")
        await here.send("from", "f", "GO")
        await here.rest(5_000)
        assert await here.types("to", "t") == ["GO"]
        assert await here.owed() == 0


async def test_sender_that_repeats_a_turn_after_a_store_fault_sends_once():
    async with world() as first:
        faulty = FaultyStore(first.store)
    async with world(first, faulty.store) as here:
        await correspondents(here)
        faulty.fail("apply", Point.BEFORE)
        with pytest.raises(Exception, match="could not write"):
            await here.send("from", "f", "GO")
        await here.send("from", "f", "GO")
        await here.rest()
        assert await here.got("to", "t") == [{"type": "GO", "n": 1}]


async def test_a_receiver_that_refuses_is_not_asked_again():
    async with world() as here:
        await correspondents(here, Script(log, lambda auth, event: event is None or "sub" in auth))
        await here.send("from", "f", "GO")
        await here.rest()
        (letter,) = await here.letters("from")
        assert (letter.reason, letter.attempts) == ("REJECTED_BY_MACHINE_AUTHORIZER", 1)
        assert letter.what.to == Ref("to", "t")
        assert await here.owed() == 0


async def test_a_missing_receiver_is_tried_five_times_and_holds_up_nobody_else():
    async with world() as here:
        await here.machine("from", sender(Ref("to", "missing"), Ref("to", "t")))
        await here.machine("to", log)
        await here.create("to", "t")
        await here.create("from", "f")
        await here.send("from", "f", "GO")
        await here.rest()
        assert await here.types("to", "t") == ["GO"]
        assert await here.letters("from") == []
        await here.rest(2_000 + 8_000 + 32_000)
        assert await here.letters("from") == []
        await here.rest(128_000)
        (letter,) = await here.letters("from")
        assert (letter.reason, letter.attempts) == ("INSTANCE_NOT_FOUND", 5)


async def test_attempts_are_counted_across_restarts():
    async with world() as here:
        await here.machine("from", sender(Ref("to", "missing")))
        await here.machine("to", log)
        await here.create("from", "f")
        await here.send("from", "f", "GO")
        await here.rest()
        await here.rest(2_000)
        (row,) = await here.store.owed_after(0, 10)
        assert row.parcel.attempt == 2
    async with world(here) as again:
        await again.rest(8_000 + 32_000 + 128_000)
        (letter,) = await again.letters("from")
        assert letter.attempts == 5


async def test_a_receiver_that_comes_in_time_gets_everything_in_order():
    async with world() as here:
        await here.machine("from", sender(Ref("to", "late")))
        await here.machine("to", log)
        await here.create("from", "f")
        for _ in range(3):
            await here.send("from", "f", "GO")
        await here.rest()
        await here.create("to", "late")
        for _ in range(5):
            await here.rest(2_000)
        assert [event["n"] for event in await here.got("to", "late")] == [1, 2, 3]


async def test_trouble_of_the_server_is_no_attempt():
    async with world() as here:
        await correspondents(here)
        await here.send("from", "f", "GO")
        here.host.down = True
        await here.rest(600_000)
        (row,) = await here.store.owed_after(0, 10)
        assert row.parcel.attempt == 0
        here.host.down = False
        await here.rest(60_000)
        assert await here.types("to", "t") == ["GO"]


async def test_names_that_are_no_names_end_as_dead_letters():
    async with world() as here:
        await here.machine("from", sender(Ref("to", "a/b")))
        await here.create("from", "f")
        await here.send("from", "f", "GO")
        await here.rest()
        (letter,) = await here.letters("from")
        assert (letter.reason, letter.attempts) == ("INVALID_NAME", 1)


async def test_messages_of_a_deleted_sender_still_arrive():
    async with world() as here:
        await here.machine("from", sender(Ref("to", "late")))
        await here.machine("to", log)
        await here.create("from", "f")
        await here.send("from", "f", "GO")
        await here.rest()
        await here.engine.delete(key("from", "f"))
        await here.create("to", "late")
        await here.rest(2_000)
        assert await here.types("to", "late") == ["GO"]


async def test_an_instance_can_write_to_itself():
    def react(context: Json, event: Json) -> Move:
        move = log(context, event)
        return replace(
            move, messages=(SendTo(Ref("self", "s"), '{"type":"B"}'),) if event["type"] == "A" else ()
        )

    async with world() as here:
        await here.machine("self", react)
        await here.create("self", "s")
        await here.send("self", "s", "A")
        await here.rest()
        assert await here.types("self", "s") == ["A", "B"]


# ---------------------------------------------------------------------- children


async def spawned(here: World) -> None:
    await here.machine("parent", parent())
    await here.machine("child", child)
    await here.create("parent", "p")
    await here.send("parent", "p", "SPAWN")
    await here.rest()


async def test_spawn_creates_the_child_after_the_commit_with_its_context():
    async with world() as here:
        await spawned(here)
        loaded = await here.load("child", "c")
        assert loaded is not None
        assert loaded.last.view.public_json == '{"input": {"from": "parent"}}'
        assert loaded.instance.parent is not None
        assert (loaded.instance.parent.name, loaded.instance.parent.child) == ("p", "kid")


async def test_child_reaches_its_parent_and_tells_of_its_end_last():
    async with world() as here:
        await spawned(here)
        await here.send("child", "c", "TELL")
        await here.send("child", "c", "END")
        await here.rest()
        assert await here.got("parent", "p") == [
            {"type": "TOLD"},
            {"type": "LAST"},
            {"type": "done.kid", "by": "c", "said": {"sum": 3}},
        ]
        assert (await here.history("parent", "p"))[-1].cause is Cause.CHILD


async def test_a_child_that_fails_says_so_with_its_error():
    async with world() as here:
        await spawned(here)
        await here.send("child", "c", "FAIL")
        await here.rest()
        assert (await here.got("parent", "p"))[-1] == {
            "type": "failed.kid",
            "by": "c",
            "said": {"message": "no"},
        }


async def test_the_end_of_a_child_asks_no_authoriser_and_its_messages_do():
    async with world() as here:
        await here.machine("parent", Script(parent(), lambda auth, event: "sub" in auth))
        await here.machine("child", child)
        await here.create("parent", "p")
        await here.send("parent", "p", "SPAWN")
        await here.rest()
        await here.send("child", "c", "END")
        await here.rest()
        assert await here.types("parent", "p") == ["done.kid"]
        (letter,) = await here.letters("child")
        assert letter.reason == "REJECTED_BY_MACHINE_AUTHORIZER"


async def test_a_child_that_ends_at_once_is_told_of():
    def brief(context: Json, event: Json) -> Move:
        return Move({}, status=Status.DONE, output=7)

    async with world() as here:
        await here.machine("parent", parent())
        await here.machine("child", brief)
        await here.create("parent", "p")
        await here.send("parent", "p", "SPAWN")
        await here.rest()
        assert await here.got("parent", "p") == [{"type": "done.kid", "by": "c", "said": 7}]


async def test_spawning_what_exists_adopts_it_without_initialising():
    async with world() as here:
        await here.machine("parent", parent())
        await here.machine("child", child)
        await here.create("child", "c", {"mine": True})
        await here.create("parent", "p")
        await here.send("parent", "p", "SPAWN")
        await here.rest()
        loaded = await here.load("child", "c")
        assert loaded is not None
        assert loaded.last.revision == 1
        assert loaded.last.view.public_json == '{"input": {"mine": true}}'
        await here.send("child", "c", "TELL")
        await here.rest()
        assert await here.types("parent", "p") == ["TOLD"]


async def test_adopting_what_has_ended_tells_of_its_end_once():
    async with world() as here:
        await here.machine("parent", parent())
        await here.machine("child", child)
        await here.create("child", "c")
        await here.send("child", "c", "END")
        await here.create("parent", "p")
        await here.send("parent", "p", "SPAWN")
        for _ in range(3):
            await here.rest(0)
        done = {"type": "done.kid", "by": "c", "said": {"sum": 3}}
        assert await here.got("parent", "p") == [done]
        assert await here.owed() == 1  # not acknowledged: after a restart it is carried out once more
    async with world(here) as again:
        await again.rest()
        assert await again.got("parent", "p") == [done]


async def test_a_child_of_a_living_parent_is_not_taken_away():
    async with world() as here:
        await spawned(here)
        await here.create("parent", "other")
        await here.send("parent", "other", "SPAWN")
        await here.rest()
        await here.send("child", "c", "END")
        await here.rest()
        assert await here.types("parent", "p") == ["LAST", "done.kid"]
        assert await here.types("parent", "other") == []


async def test_a_repeated_spawn_after_a_crash_creates_nothing_twice():
    async with world() as here:
        await here.machine("parent", parent())
        await here.machine("child", child)
        await here.create("parent", "p")
        await here.send("parent", "p", "SPAWN")
        for _ in range(3):
            await here.rest(0)
        assert await here.owed() == 1
    async with world(here) as again:
        await again.rest()
        assert len(await again.history("child", "c")) == 1
        assert await again.letters("parent") == []
        assert await again.owed() == 0


async def test_a_child_without_a_parent_speaks_to_nobody():
    async with world() as here:
        await here.machine("child", child)
        await here.create("child", "c")
        await here.send("child", "c", "TELL")
        await here.send("child", "c", "END")
        await here.rest()
        assert await here.owed() == 0
        assert await here.letters("child") == []


async def test_children_outlive_a_deleted_parent_and_speak_to_nobody():
    async with world() as here:
        await spawned(here)
        await here.engine.delete(key("parent", "p"))
        await here.create("parent", "p")  # another instance of the same name is not the parent
        await here.send("child", "c", "TELL")
        await here.send("child", "c", "END")
        await here.rest()
        assert await here.types("parent", "p") == []
        assert await here.letters("child") == []
        assert await here.owed() == 0


@pytest.mark.parametrize(
    ("version", "reason", "attempts"),
    [("ver_unknown", "INVALID_NAME", 1), ("ver_AAAAAAAAAAAAAAAAAAAAAA", "VERSION_NOT_FOUND", 5)],
)
async def test_a_version_that_is_not_there_ends_as_a_dead_letter(version: str, reason: str, attempts: int):
    async with world() as here:
        await here.machine("parent", parent())
        await here.machine("child", child)
        await here.create("parent", "p")
        await here.send("parent", "p", {"type": "SPAWN", "version": version})
        await here.rest(200_000)
        (letter,) = await here.letters("parent")
        assert (letter.reason, letter.attempts) == (reason, attempts)
        assert isinstance(letter.what, Parcel)
        assert letter.what.kind is ParcelKind.SPAWN


async def test_a_child_that_is_refused_is_told_of_before_what_waits_behind_it():
    async with world() as here:
        await here.machine("parent", parent())
        await here.machine("child", Script(child, lambda auth, event: "stateBackedSender" not in auth))
        await here.create("parent", "p")
        await here.send("parent", "p", "SPAWN")
        await here.rest()
        (letter,) = await here.letters("parent")
        assert letter.reason == "REJECTED_BY_MACHINE_AUTHORIZER"
        said = {"name": "SpawnFailed", "reason": letter.reason, "message": letter.message}
        assert await here.got("parent", "p") == [{"type": "failed.kid", "by": "c", "said": said}]
        assert (await here.history("parent", "p"))[-1].cause is Cause.CHILD
        assert await here.owed() == 0


async def test_a_child_that_cannot_be_made_is_told_of_once_it_is_given_up():
    async with world() as here:
        await here.machine("parent", parent())
        await here.create("parent", "p")
        await here.send("parent", "p", "SPAWN")
        for _ in range(4):
            await here.rest(128_000)
            assert len(await here.letters("parent")) == len(await here.got("parent", "p"))
        (told,) = await here.got("parent", "p")
        assert told["said"]["reason"] == "MACHINE_NOT_FOUND"


async def test_word_of_a_child_that_was_not_made_survives_a_restart():
    async with world() as here:
        await here.machine("parent", parent())
        await here.machine("child", Script(child, lambda auth, event: "stateBackedSender" not in auth))
        await here.create("parent", "p")
        faulty = FaultyStore(here.store)
        faulty.fail("bury", Point.AFTER)
    async with world(here, faulty.store) as between:
        await between.send("parent", "p", "SPAWN")
        await between.rest()
        assert await between.types("parent", "p") == []
    async with world(here) as again:
        await again.rest()
        assert await again.types("parent", "p") == ["failed.kid"]
        assert len(await again.letters("parent")) == 1


# ---------------------------------------------------------------------- delayed


async def test_a_delayed_message_waits_for_its_time_and_makes_no_transition():
    def react(context: Json, event: Json) -> Move:
        if event["type"] != "GO":
            return Move(context)
        return Move(context, timers=(SetTimer("later", 1_000, '{"type":"X"}', None, Ref("to", "t")),))

    async with world() as here:
        await here.machine("from", react)
        await here.machine("to", log)
        await here.create("to", "t")
        await here.create("from", "f")
        await here.send("from", "f", "GO")
        await here.rest(999)
        assert await here.types("to", "t") == []
    async with world(here) as again:
        await again.rest(1)
        await again.rest()
        assert await again.types("to", "t") == ["X"]
        assert len(await again.history("from", "f")) == 2
        assert await again.owed() == 0
        loaded = await again.load("from", "f")
        assert loaded is not None
        assert list(await again.store.timers_of(loaded.instance.uid)) == []
        # The instance goes on from where it was.
        await again.send("from", "f", "GO")
        await again.rest(1_200)
        assert await again.types("to", "t") == ["X", "X"]


async def test_messages_to_a_machine_that_does_not_answer_hold_up_no_others():
    def to_all(context: Json, event: Json) -> Move:
        if event["type"] == "init":
            return Move({})
        text = json.dumps(event)
        slow = [SendTo(Ref("slow", f"i{n}"), text) for n in range(30)]
        return Move({}, (*slow, SendTo(Ref("log", "i"), text)))

    async with world(limits=EngineLimits(relays=2, owed_near=8)) as here:
        slow = await here.machine("slow", log)
        await here.machine("log", log)
        await here.machine("from", to_all)
        for n in range(30):
            await here.create("slow", f"i{n}")
        await here.create("log", "i")
        await here.create("from", "f")
        answer = here.host.stuck[slow] = asyncio.Event()
        await here.send("from", "f", "A")
        for _ in range(10):
            await here.rest(1_000)
        assert await here.types("log", "i") == ["A"]
        answer.set()
        for _ in range(40):
            await here.rest(1_000)
        assert all([await here.types("slow", f"i{n}") == ["A"] for n in range(30)])
        assert await here.owed() == 0
