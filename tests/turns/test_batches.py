"""Events that wait at one instance: they share hops and commits, and each keeps its place and its answer."""

from __future__ import annotations

import asyncio

from tests.turns.kit import add, refused, world

from stateward_server.model.errors import Code
from stateward_server.testing.clock import settle


async def test_events_that_wait_share_a_hop_and_a_commit_and_keep_their_order():
    async with world() as here:
        await here.create()
        first = here.host.hold()
        (one,) = await here.queued(add("1"))
        others = await here.queued(*(add(str(n)) for n in range(2, 7)))
        applied = here.store.calls.count("apply")
        first.set()
        replies = await asyncio.gather(one, *others)

        assert [reply.own.revision for reply in replies] == [2, 3, 4, 5, 6, 7]
        assert await here.notes() == ["1", "2", "3", "4", "5", "6"]
        assert here.host.batches == [1, 5]
        assert here.store.calls.count("apply") == applied + 2
        assert here.published[1:] == [("one", [2]), ("one", [3, 4, 5, 6, 7])]


async def test_a_batch_is_bounded():
    async with world(batch=3) as here:
        await here.create()
        gate = here.host.hold()
        tasks = await here.queued(*(add(str(n)) for n in range(8)))
        gate.set()
        await asyncio.gather(*tasks)

        assert max(here.host.batches) == 3
        assert await here.notes() == [str(n) for n in range(8)]


async def test_a_step_with_effects_ends_its_batch_so_that_they_run_before_the_next():
    async with world() as here:
        await here.create()
        gate = here.host.hold()
        tasks = await here.queued("STOP", add("1"), "SHOUT", add("2"))
        gate.set()
        await asyncio.gather(*tasks)

        assert await here.notes() == ["1", "2"]
        hops = [call for call in here.host.calls if call in ("step", "commit")]
        assert hops == ["step", "commit", "step"]


async def test_an_event_for_a_revision_has_a_hop_of_its_own_in_its_place():
    async with world() as here:
        await here.create()
        gate = here.host.hold()
        before = await here.queued(add("1"), add("2"))
        conditional = await here.queued(add("3"), expected_revision=3)
        after = await here.queued(add("4"), add("5"))
        gate.set()
        await asyncio.gather(*before, *conditional, *after)

        assert await here.notes() == ["1", "2", "3", "4", "5"]
        assert here.host.batches == [2, 1, 2]


async def test_a_refused_event_takes_no_revision_and_its_neighbours_do_not_notice():
    async with world() as here:
        await here.create()
        here.desk.banned, here.desk.broken = {"DENIED"}, {"BROKEN"}
        gate = here.host.hold()
        first = await here.queued("STOP")
        tasks = await here.queued(add("1"), "DENIED", add("2"), "BROKEN", "xstate.stop", add("3"))
        gate.set()
        await asyncio.gather(*first)
        one, denied, two, broken, reserved, three = tasks

        assert (await refused(denied)).reason == "REJECTED_BY_MACHINE_AUTHORIZER"
        assert (await refused(broken)).reason == "MACHINE_THREW"
        assert (await refused(reserved)).code is Code.INVALID_ARGUMENT
        assert [(await task).own.revision for task in (one, two, three)] == [3, 4, 5]
        assert await here.notes() == ["1", "2", "3"]


async def test_a_batch_of_refused_events_writes_nothing():
    async with world() as here:
        await here.create()
        here.desk.broken = {"BROKEN"}
        gate = here.host.hold()
        tasks = await here.queued("BROKEN", "BROKEN", "BROKEN")
        applied = here.store.calls.count("apply")
        gate.set()
        for task in tasks:
            assert (await refused(task)).code is Code.FAILED_PRECONDITION
        assert here.store.calls.count("apply") == applied
        assert len(await here.history()) == 1


async def test_what_follows_the_end_of_the_machine_in_its_batch_is_refused():
    async with world() as here:
        await here.create()
        gate = here.host.hold()
        first = await here.queued("STOP")
        tasks = await here.queued(add("1"), "FINISH", add("2"), "FINISH")
        gate.set()
        await asyncio.gather(*first)
        one, finish, two, again = tasks

        assert [(await task).own.revision for task in (one, finish)] == [3, 4]
        for late in (two, again):
            error = await refused(late)
            assert (error.reason, error.metadata["status"]) == ("INSTANCE_ENDED", "done")
        assert len(await here.history()) == 4


async def test_instances_do_not_wait_for_each_other():
    async with world() as here:
        await here.create("slow")
        await here.create("quick")
        gate = here.host.hold()
        slow = await here.queued(add("1"), name="slow")
        assert (await here.send(add("2"), "quick")).own.revision == 2
        assert not slow[0].done()
        gate.set()
        await slow[0]


async def test_nothing_is_published_or_answered_or_run_before_it_is_on_disk():
    async with world() as here:
        await here.create()
        written = here.store.hold("apply")
        (shout,) = await here.queued("SHOUT")
        await settle()
        assert here.store.calls[-1] == "apply"
        assert (shout.done(), here.published[1:]) == (False, [])
        assert "commit" not in here.host.calls
        written.set()
        assert (await shout).own.revision == 2
        assert here.published[1:] == [("one", [2])]
        assert "commit" in here.host.calls
