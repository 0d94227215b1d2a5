"""What an instance will not take: each refusal has its reason and changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from tests.turns.kit import World, add, key, refused, world

from stateward_server.model.errors import Code, StatewardError
from stateward_server.model.step import Status


async def unchanged(here: World, call: Callable[[], Awaitable[object]]) -> StatewardError:
    """Return what a call is refused with, having seen that it changed nothing."""
    before, published = await here.history(), list(here.published)
    with pytest.raises(StatewardError) as caught:
        await call()
    assert await here.history() == before
    assert here.published == published
    return caught.value


async def test_an_event_for_another_revision():
    async with world() as here:
        await here.create()
        await here.send(add("1"), expected_revision=1)
        error = await unchanged(here, lambda: here.send(add("2"), expected_revision=1))
        assert (error.code, error.reason) == (Code.ABORTED, "REVISION_MISMATCH")
        assert error.metadata == {"expected_revision": "1", "revision": "2"}
        await unchanged(here, lambda: here.send(add("2"), expected_revision=3))
        assert (await here.send(add("2"), expected_revision=2)).own.revision == 3


async def test_of_two_events_for_one_revision_the_first_is_taken():
    async with world() as here:
        await here.create()
        gate = here.host.hold()
        first, second = await here.queued(add("1"), add("2"), expected_revision=1)
        gate.set()
        assert (await first).own.revision == 2
        assert (await refused(second)).reason == "REVISION_MISMATCH"
        assert await here.notes() == ["1"]


async def test_an_event_of_somebody_the_machine_does_not_let_write():
    async with world() as here:
        await here.create()
        error = await unchanged(here, lambda: here.send(add("1"), auth={"sub": "bob"}))
        assert (error.code, error.reason) == (Code.PERMISSION_DENIED, "REJECTED_BY_MACHINE_AUTHORIZER")
        assert (await here.send(add("1"))).own.revision == 2


async def test_the_authoriser_is_asked_before_the_machine():
    async with world() as here:
        await here.create()
        here.desk.broken = {"ADD"}
        error = await unchanged(here, lambda: here.send(add("1"), auth={"sub": "bob"}))
        assert error.code is Code.PERMISSION_DENIED


async def test_a_reader_the_machine_does_not_let_read():
    async with world() as here:
        await here.create()
        error = await unchanged(here, lambda: here.engine.read(key("one"), '{"sub":"bob"}'))
        assert error.reason == "REJECTED_BY_MACHINE_AUTHORIZER"
        assert (await here.engine.read(key("one"), '{"sub":"ann"}')).last.revision == 1


async def test_an_event_the_machine_fails_on():
    async with world() as here:
        await here.create()
        here.desk.broken = {"ADD"}
        error = await unchanged(here, lambda: here.send(add("1")))
        assert (error.code, error.reason) == (Code.FAILED_PRECONDITION, "MACHINE_THREW")
        assert error.message == "cannot ADD"


async def test_an_event_of_the_systems_own():
    async with world() as here:
        await here.create()
        error = await unchanged(here, lambda: here.send("done.work"))
        assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "EVENT_RESERVED")


async def test_an_event_for_a_machine_that_has_ended():
    async with world() as here:
        await here.create()
        await here.send("FINISH")
        error = await unchanged(here, lambda: here.send(add("1")))
        assert (error.code, error.reason) == (Code.FAILED_PRECONDITION, "INSTANCE_ENDED")
    async with world(here) as again:
        await unchanged(again, lambda: again.send(add("1")))
        assert (await again.last()).view.status is Status.DONE
        assert (await again.engine.read(key("one"), '{"sub":"ann"}')).last.revision == 2


async def test_an_instance_that_is_not_there():
    async with world() as here:
        for call in (
            lambda: here.send(add("1"), "nobody"),
            lambda: here.engine.read(key("nobody"), "{}"),
            lambda: here.engine.delete(key("nobody")),
        ):
            error = await unchanged(here, call)
            assert (error.code, error.reason) == (Code.NOT_FOUND, "INSTANCE_NOT_FOUND")
            assert error.metadata == {"machine": "desk", "instance": "nobody"}


async def test_a_creation_that_is_denied_or_fails_creates_nothing():
    async with world() as here:
        denied = await refused(here.create(auth={"sub": "bob"}))
        assert denied.reason == "REJECTED_BY_MACHINE_AUTHORIZER"
        failed = await refused(here.create(context={"fail": True}))
        assert (failed.reason, failed.message) == ("MACHINE_THREW", "no such desk")
        assert await here.memory.load(key("one")) is None
        assert here.published == []
        await here.create()


async def test_a_second_creation_of_the_name():
    async with world() as here:
        await here.create()
        error = await unchanged(here, here.create)
        assert (error.code, error.reason) == (Code.ALREADY_EXISTS, "INSTANCE_EXISTS")
