"""A store that fails, or that somebody else has written: nobody is told what is not so, or forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from tests.turns.kit import World, add, key, refused, tag, until, world

from stateward_server.model.errors import Code, StatewardError
from stateward_server.model.ledger import Commit, Committed
from stateward_server.model.wait import Until
from stateward_server.testing.clock import settle
from stateward_server.testing.faulty_store import Point


def assert_no_store(error: StatewardError) -> None:
    assert (error.code, error.reason) == (Code.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert error.retry_after is not None


async def compete(here: World, note: str, name: str = "one") -> None:
    """Write a transition behind the engine's back."""
    loaded = await here.memory.load(key(name))
    assert loaded is not None
    last = loaded.last
    context = f'{{"public": {{"notes": ["{note}"]}}}}'
    transition = replace(
        last,
        revision=last.revision + 1,
        snapshot_json=f'{{"value": "off", "status": "active", "context": {context}}}',
        view=replace(last.view, public_json=f'{{"notes": ["{note}"]}}'),
        request=None,
    )
    commit = Commit(loaded.instance, last.revision, (transition,), (), ())
    assert isinstance((await here.memory.apply([commit]))[0], Committed)


async def test_a_commit_that_was_not_written_never_happened():
    async with world() as here:
        await here.create()
        gate = here.host.hold()
        tasks = await here.queued(add("1"), add("2"))
        here.store.fail("apply")
        gate.set()
        for task in tasks:
            assert_no_store(await refused(task))
        assert await here.notes() == []
        assert here.published == [("one", [1])]
        assert (await here.send(add("3"))).own.revision == 2
        assert await here.notes() == ["3"]


async def test_a_creation_that_was_not_written_is_refused_and_in_the_log():
    async with world() as here:
        here.store.fail("apply")
        with capture_logs() as logs:
            assert_no_store(await refused(here.create()))

        assert [entry["error"] for entry in logs if entry["event"] == "commit_failed"] == [
            "planned fault before apply"
        ]
        assert await here.memory.load(key("one")) is None


async def test_effects_of_a_commit_that_was_not_written_never_run():
    async with world() as here:
        await here.create()
        here.store.fail("apply")
        assert_no_store(await refused(here.send("WORK")))
        await here.send(add("1"))
        assert "commit" not in here.host.calls
        assert await here.values() == ["off", "off"]


async def test_a_commit_whose_answer_was_lost_is_found_by_its_request_id():
    async with world() as here:
        await here.create()
        request = tag()
        here.store.fail("apply", Point.AFTER)
        assert_no_store(await refused(here.send(add("1"), request=request)))
        again = await here.send(add("1"), request=request)
        assert (again.replayed, again.own.revision) == (True, 2)
        assert (await here.send(add("2"))).own.revision == 3
        assert await here.notes() == ["1", "2"]


async def test_an_event_whose_fate_is_unknown_is_not_overlooked_by_the_next():
    async with world() as here:
        await here.create()
        here.store.fail("apply", Point.AFTER)
        assert_no_store(await refused(here.send(add("1"))))
        # In memory the instance is still at revision 1.
        assert (await here.send(add("2"))).own.revision == 3
        assert await here.notes() == ["1", "2"]


async def test_a_service_that_a_lost_answer_left_behind_fails():
    async with world() as here:
        await here.create()
        here.store.fail("apply", Point.AFTER)
        await refused(here.send("WORK"))
        await here.send(add("1"))
        await settle()
        assert await here.values() == ["off", "working", "failed", "failed"]


async def test_everyone_in_a_batch_is_answered_when_its_commit_fails():
    async with world() as here:
        await here.create()
        here.desk.banned, here.desk.broken = {"DENIED"}, {"BROKEN"}
        gate = here.host.hold()
        tasks = await here.queued("DENIED", add("1"), "BROKEN", "DENIED")
        here.store.fail("apply")
        gate.set()
        async with asyncio.timeout(5):
            errors = [await refused(task) for task in tasks]
        assert_no_store(errors[1])
        assert len(await here.history()) == 1


async def test_a_competing_write_is_taken_into_account():
    async with world() as here:
        await here.create()
        here.desk.broken = {"BROKEN"}
        gate = here.host.hold()
        tasks = await here.queued(add("1"), "BROKEN", add("2"))
        await compete(here, "other")
        gate.set()
        async with asyncio.timeout(5):
            one, broken, two = tasks
            assert (await one).own.revision == 3
            assert (await refused(broken)).reason == "MACHINE_THREW"
            assert (await two).own.revision == 4
        assert await here.notes() == ["other", "1", "2"]


async def test_a_competing_writer_that_always_wins_is_told_of_in_the_end():
    async with world() as here:
        await here.create()

        async def competing() -> None:
            # Each commit of ours finds that somebody has just written.
            for number in range(4):
                written = here.store.hold("apply")
                await settle()
                await compete(here, str(number))
                written.set()

        others = asyncio.create_task(competing())
        error = await refused(here.send(add("1")))
        assert (error.code, error.reason) == (Code.ABORTED, "STORE_CONFLICT")
        others.cancel()


async def test_an_instance_that_was_deleted_behind_the_engine_is_not_there():
    async with world() as here:
        await here.create()
        await here.memory.delete_instance((await here.at()).uid, None)
        assert (await refused(here.send(add("1")))).reason == "INSTANCE_NOT_FOUND"
        await here.create()
        assert (await here.send(add("2"))).own.revision == 2


async def test_a_store_that_cannot_be_read_is_told_to_the_caller():
    async with world() as here:
        await here.create()
    async with world(here) as again:
        again.store.fail("load")
        with pytest.raises(Exception, match="load"):
            await again.send(add("1"))
        again.store.fail("timers_of")
        with pytest.raises(Exception, match="timers_of"):
            await again.send(add("1"))
        assert (await again.send(add("1"))).own.revision == 2


@pytest.mark.parametrize("method", ["find_request", "load_uid", "timers_of"])
async def test_everyone_in_a_batch_is_answered_when_the_store_cannot_be_read(method: str):
    async with world() as here:
        await here.create()
        here.desk.banned = {"DENIED"}
        gate = here.host.hold()
        tasks = [
            *await here.queued(add("1"), request=tag()),
            *await here.queued("DENIED", request=tag()),
            *await here.queued("SHOUT", request=tag(), wait=until(Until.DONE)),
            *await here.queued(add("2"), request=tag()),
        ]
        if method != "find_request":
            await compete(here, "other")
        here.store.fail(method)
        gate.set()
        await settle()
        if not tasks[2].done():
            await here.send("FINISH")
        async with asyncio.timeout(5):
            results = await asyncio.gather(*tasks, return_exceptions=True)

        # Whoever was told that nothing has changed was told the truth.
        taken = {each.request.id for each in await here.history() if each.request is not None}
        assert len(taken) == sum(not isinstance(result, BaseException) for result in results)
        for result in results:
            if isinstance(result, StatewardError):
                assert result.code in (Code.UNAVAILABLE, Code.PERMISSION_DENIED)


@pytest.mark.parametrize("point", Point)
async def test_a_creation_that_could_not_be_written_may_be_repeated(point: Point):
    async with world() as here:
        request = tag()
        here.store.fail("apply", point)
        assert_no_store(await refused(here.create(request=request)))
        reply = await here.create(request=request)
        assert (reply.replayed, reply.own.revision) == (point is Point.AFTER, 1)
        assert (await here.send(add("1"))).own.revision == 2


async def test_a_creation_fails_when_no_uid_can_be_had():
    async with world() as here:
        here.store.fail("allocate_uid")
        assert_no_store(await refused(here.create()))
        await here.create()


@pytest.mark.parametrize("point", Point)
async def test_a_deletion_that_could_not_be_written_may_be_repeated(point: Point):
    async with world() as here:
        await here.create()
        here.store.fail("delete_instance", point)
        assert_no_store(await refused(here.engine.delete(key("one"))))
        if point is Point.BEFORE:
            assert (await here.send(add("1"))).own.revision == 2
        await here.engine.delete(key("one"))
        assert await here.memory.load(key("one")) is None


async def test_what_a_service_says_is_taken_once_the_store_can_write_again():
    async with world() as here:
        await here.create()
        await here.send("WORK")
        for _ in range(3):
            here.store.fail("apply")
        here.host.finish(await here.at(), "work")
        await here.clock.advance(60_000)
        # Its host was told to forget it in between, so it is the loss of the service that is told.
        assert (await here.values())[-1] in ("worked", "failed")
        assert (await here.last()).view.settled
        assert len(await here.history()) == 3


async def test_a_timer_is_taken_once_the_store_can_write_again():
    async with world() as here:
        await here.create()
        await here.send({"type": "WAIT", "ms": 100})
        here.store.fail("apply")
        here.store.fail("apply", Point.AFTER)
        await here.clock.advance(60_000)
        assert await here.values() == ["off", "waiting-100", "off"]
        assert await here.pending() == []


async def test_recovery_goes_on_when_the_store_can_be_read_again():
    async with world() as here:
        for name in ("one", "two"):
            await here.create(name)
            await here.send("WORK", name)
    async with world(here) as again:
        again.store.fail("unsettled")
        again.store.fail("load_uid")
        await again.clock.advance(60_000)
        for name in ("one", "two"):
            assert await again.values(name) == ["off", "working", "failed"]
