"""Pauses, timers, dead letters and limits at the edge: servicers on a real engine, without a port."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from tests.turns.mail_kit import ORG, Json, Move, World, log, world

from stateward.v1 import dead_letter_pb2 as letter_pb
from stateward.v1 import dead_letter_service_pb2 as letters_pb
from stateward.v1 import instance_service_pb2 as pb
from stateward.v1 import limits_service_pb2 as limits_pb
from stateward_server.api.caller import Context, caller
from stateward_server.api.instances import InstanceServicer
from stateward_server.api.letters import DeadLetterServicer
from stateward_server.api.limits import LimitsServicer
from stateward_server.api.outcomes import Outcomes
from stateward_server.api.paging import PageTokens
from stateward_server.auth.scopes import ALL
from stateward_server.catalog.catalog import Machines
from stateward_server.model.errors import FailedPrecondition, InvalidArgument, NotFound
from stateward_server.model.limits import EngineLimits, Limits
from stateward_server.model.principal import Principal
from stateward_server.model.published import published
from stateward_server.model.step import Ref, SendTo, SetTimer
from stateward_server.query.query import Query
from stateward_server.testing.clock import SeededEntropy
from stateward_server.watch.readers import Readers

PATH = "machines/m/instances/i"
NOBODY = cast("Context", None)
UUID = "0b5e7c1a-8c7d-4d6e-9f10-112233445566"
OTHER = "1b5e7c1a-8c7d-4d6e-9f10-112233445566"


def busy(context: Json, event: Json) -> Move:
    """A machine that sets timers, and writes to somebody who is not there."""
    match event["type"]:
        case "SET":
            return Move(
                context,
                timers=(
                    SetTimer("a/b", 1_000, '{"type":"A"}', None),
                    SetTimer("c", 2_000, '{"type":"C"}', "kid"),
                    SetTimer("d", 3_000, '{"type":"D"}', None, Ref("m", "j")),
                ),
            )
        case "WRITE":
            return Move(context, (SendTo(Ref("m", "nobody"), '{"type":"HELLO"}'),))
        case _:
            return log(context, event)


@dataclass
class Desk:
    """Both servicers, and the world behind them."""

    world: World
    instances: InstanceServicer
    letters: DeadLetterServicer


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    caller.set(Principal(ORG, ALL, "{}", "admin"))
    async with world(limits=EngineLimits(attempts=1)) as here:
        await here.machine("m", busy)
        await here.create("m", "i")
        outcomes = Outcomes(here.store, here.clock)
        pages = PageTokens(b"k" * 32)
        query = Query(here.store, here.store, here.store, here.store)
        machines = Machines(here.store, cast("Any", here.host), here.clock, SeededEntropy())
        yield Desk(
            here,
            InstanceServicer(
                here.engine,
                machines,
                query,
                outcomes,
                pages,
                readers=Readers(here.engine.may_read),
                wait_ms=90_000,
            ),
            DeadLetterServicer(here.engine.letters, query, outcomes, pages),
        )


async def test_pause_and_resume_show_the_instance_and_nothing_private(desk: Desk):
    paused = await desk.instances.PauseInstance(pb.PauseInstanceRequest(name=PATH), NOBODY)
    assert paused.instance.name == PATH
    assert paused.instance.paused
    assert paused.instance.state.revision == 1
    assert not paused.instance.state.HasField("public_context_json")
    with pytest.raises(FailedPrecondition):
        await desk.instances.SendEvent(pb.SendEventRequest(name=PATH, event_json='"GO"'), NOBODY)
    listed = await desk.instances.ListInstances(pb.ListInstancesRequest(parent="machines/m"), NOBODY)
    assert [each.paused for each in listed.instances] == [True]
    got = await desk.instances.GetInstance(pb.GetInstanceRequest(name=PATH), NOBODY)
    assert got.instance.paused
    resumed = await desk.instances.ResumeInstance(pb.ResumeInstanceRequest(name=PATH), NOBODY)
    assert not resumed.instance.paused


async def test_a_repeated_pause_does_not_undo_what_came_after_it(desk: Desk):
    pause = pb.PauseInstanceRequest(name=PATH, request_id=UUID)
    await desk.instances.PauseInstance(pause, NOBODY)
    await desk.instances.ResumeInstance(pb.ResumeInstanceRequest(name=PATH, request_id=OTHER), NOBODY)
    again = await desk.instances.PauseInstance(pause, NOBODY)
    assert not again.instance.paused
    with pytest.raises(InvalidArgument) as caught:
        await desk.instances.ResumeInstance(pb.ResumeInstanceRequest(name=PATH, request_id=UUID), NOBODY)
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_timers_are_listed_in_pages_and_cancelled_once(desk: Desk):
    await desk.world.send("m", "i", "SET")
    first = await desk.instances.ListTimers(pb.ListTimersRequest(parent=PATH, page_size=2), NOBODY)
    assert [timer.name for timer in first.timers] == [f"{PATH}/timers/a%2Fb", f"{PATH}/timers/c"]
    due = first.timers[0].due_time
    assert due.seconds * 1000 + due.nanos // 1_000_000 == desk.world.clock.now_ms() + 1_000
    token = first.next_page_token
    rest = await desk.instances.ListTimers(pb.ListTimersRequest(parent=PATH, page_token=token), NOBODY)
    assert [(timer.event_json, timer.target) for timer in [*first.timers, *rest.timers]] == [
        ('{"type":"A"}', ""),
        ('{"type":"C"}', "kid"),
        ('{"type":"D"}', "machines/m/instances/j"),
    ]
    assert rest.next_page_token == ""
    cancel = pb.CancelTimerRequest(name=first.timers[0].name, request_id=UUID)
    await desk.instances.CancelTimer(cancel, NOBODY)
    await desk.instances.CancelTimer(cancel, NOBODY)  # the stored outcome
    with pytest.raises(NotFound) as caught:
        await desk.instances.CancelTimer(pb.CancelTimerRequest(name=first.timers[0].name), NOBODY)
    assert caught.value.metadata == {"timer": "a/b"}


@pytest.mark.parametrize(
    "name", ["", PATH, f"{PATH}/timers/", f"{PATH}/timers/a/b", f"{PATH}/timer/a", "timers/a"]
)
async def test_what_is_no_name_of_a_timer_is_refused(desk: Desk, name: str):
    with pytest.raises(InvalidArgument):
        await desk.instances.CancelTimer(pb.CancelTimerRequest(name=name), NOBODY)


async def write(desk: Desk, count: int = 1) -> letters_pb.ListDeadLettersResponse:
    for _ in range(count):
        await desk.world.send("m", "i", "WRITE")
    await desk.world.rest()
    return await desk.letters.ListDeadLetters(letters_pb.ListDeadLettersRequest(parent="machines/m"), NOBODY)


async def test_a_dead_letter_shows_what_it_was_and_why(desk: Desk):
    (letter,) = (await write(desk)).dead_letters
    assert letter.name == f"{PATH}/deadLetters/1"
    assert letter.kind == letter_pb.DEAD_LETTER_KIND_MESSAGE
    assert letter.target == "machines/m/instances/nobody"
    assert json.loads(letter.payload_json) == {"type": "HELLO"}
    assert (letter.reason, letter.attempts) == ("INSTANCE_NOT_FOUND", 1)
    assert "nobody" in letter.message


async def test_dead_letters_are_listed_in_pages_by_machine_and_by_instance(desk: Desk):
    assert len((await write(desk, 3)).dead_letters) == 3
    request = letters_pb.ListDeadLettersRequest(parent=PATH, page_size=2)
    first = await desk.letters.ListDeadLetters(request, NOBODY)
    request.page_token = first.next_page_token
    rest = await desk.letters.ListDeadLetters(request, NOBODY)
    numbers = [letter.name.rpartition("/")[2] for letter in [*first.dead_letters, *rest.dead_letters]]
    assert numbers == ["1", "2", "3"]
    request.parent = "machines/m"
    with pytest.raises(InvalidArgument, match="another list"):
        await desk.letters.ListDeadLetters(request, NOBODY)
    with pytest.raises(NotFound):
        await desk.letters.ListDeadLetters(
            letters_pb.ListDeadLettersRequest(parent="machines/absent"), NOBODY
        )


async def test_retry_and_discard_take_effect_once(desk: Desk):
    first, second = (await write(desk, 2)).dead_letters
    await desk.world.create("m", "nobody")
    retry = letters_pb.RetryDeadLetterRequest(name=first.name, request_id=UUID)
    await desk.letters.RetryDeadLetter(retry, NOBODY)
    await desk.letters.RetryDeadLetter(retry, NOBODY)
    await desk.world.rest()
    assert await desk.world.types("m", "nobody") == ["HELLO"]
    discard = letters_pb.DiscardDeadLetterRequest(name=second.name, request_id=OTHER)
    await desk.letters.DiscardDeadLetter(discard, NOBODY)
    await desk.letters.DiscardDeadLetter(discard, NOBODY)
    with pytest.raises(NotFound) as caught:
        await desk.letters.DiscardDeadLetter(letters_pb.DiscardDeadLetterRequest(name=second.name), NOBODY)
    assert caught.value.reason == "DEAD_LETTER_NOT_FOUND"


@pytest.mark.parametrize("number", ["", "x", "-1", "1.0", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 30])
async def test_what_is_no_name_of_a_dead_letter_is_refused(desk: Desk, number: str):
    with pytest.raises(InvalidArgument):
        await desk.letters.RetryDeadLetter(
            letters_pb.RetryDeadLetterRequest(name=f"{PATH}/deadLetters/{number}"), NOBODY
        )


async def test_limits_are_those_of_this_server():
    limits = Limits(engine=EngineLimits(settle_ms=5_000, mailbox=7))
    response = await LimitsServicer(limits).GetLimits(limits_pb.GetLimitsRequest(), NOBODY)
    told = {limit.name: limit for limit in response.limits}
    assert (told["settle_ms"].value, told["mailbox"].value) == (5_000, 7)
    assert told["mailbox"].reason == "MAILBOX_FULL"
    assert told["settle_ms"].unit == limits_pb.LIMIT_UNIT_MILLISECONDS
    assert len(told) == len(published(limits))
    assert all(limit.description and limit.unit for limit in response.limits)
