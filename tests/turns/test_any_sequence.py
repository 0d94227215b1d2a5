"""Whatever is sent in whatever order, and whatever goes wrong: one history, with every event in it once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.turns.kit import Json, World, add, tag, world

from stateward_server.model.errors import Code, StatewardError
from stateward_server.ports.store import StoreFault
from stateward_server.testing.clock import settle
from stateward_server.testing.faulty_store import Point

# ---------------------------------------------------------------- sleeping changes nothing

Command: TypeAlias = "Json | int | str"
"""An event, milliseconds that pass, or the name of a service that ends."""

commands = st.lists(
    st.one_of(
        st.builds(add, st.sampled_from("abc")),
        st.sampled_from(["SHOUT", "WORK", "STOP", "PASS", "BROKEN", "DENIED"]).map(
            lambda kind: {"type": kind}
        ),
        st.builds(
            lambda ms, id_: {"type": "WAIT", "ms": ms, "id": id_},
            st.integers(0, 5_000),
            st.sampled_from("tu"),
        ),
        st.integers(1, 4_000),
        st.just("work"),
    ),
    max_size=25,
)


async def obey(here: World, command: Command) -> None:
    """Do one thing and let it have all its consequences."""
    match command:
        case int():
            await here.clock.advance(command)
        case str():
            at = await here.at()
            working = (await here.last()).view.states == ("working",)
            if working and at in here.host._instances:
                here.host.finish(at, command)
        case _:
            try:
                await here.send(command)
            except StatewardError as error:
                if error.reason not in ("MACHINE_THREW", "REJECTED_BY_MACHINE_AUTHORIZER"):
                    raise
    await settle()


async def told(here: World) -> list[object]:
    return [
        (each.revision, each.time_ms, each.cause, each.event_json, each.snapshot_json, each.view)
        for each in await here.history()
    ]


def forbid(here: World) -> None:
    here.desk.banned, here.desk.broken = {"DENIED"}, {"BROKEN"}


async def awake(run: Sequence[Command]) -> list[object]:
    async with world() as here:
        forbid(here)
        await here.create()
        for command in run:
            await obey(here, command)
        return await told(here)


async def asleep(run: Sequence[Command]) -> list[object]:
    """Do the same, and have the instance forgotten by everyone but the ledger whenever it may be."""
    async with world(awake=1) as here:
        forbid(here)
        await here.create()
        await here.create("other")
        for command in run:
            await obey(here, command)
            if (await here.last()).view.settled:
                await here.send(add("x"), "other")
                await here.send("STOP", "other")
                assert await here.at() not in here.host._instances
        return await told(here)


async def restarted(run: Sequence[Command]) -> list[object]:
    """Do the same, with a new server whenever no service runs."""
    async with world() as here:
        forbid(here)
        await here.create()
    rest = list(run)
    while rest:
        async with world(here) as here:
            while rest:
                await obey(here, rest.pop(0))
                if (await here.last()).view.settled:
                    break
    return await told(here)


@settings(max_examples=40)
@given(commands)
def test_an_instance_that_sleeps_after_every_step_lives_the_same_life(run: list[Command]) -> None:
    lived = asyncio.run(awake(run))
    assert asyncio.run(asleep(run)) == lived


@settings(max_examples=30)
@given(commands)
def test_an_instance_whose_server_restarts_after_every_step_lives_the_same_life(run: list[Command]) -> None:
    lived = [told[2:] for told in asyncio.run(awake(run))]  # type: ignore[index]  # tuples of the same form
    # Overdue timers are not in it: a restart takes no time here.
    assert [told[2:] for told in asyncio.run(restarted(run))] == lived  # type: ignore[index]


# ---------------------------------------------------------------- every event exactly once

_FAULTS = [
    *((method, point) for method in ("apply", "find_request", "load_uid", "timers_of") for point in Point),
    ("load", Point.BEFORE),
    ("host", Point.BEFORE),
    ("evict", Point.BEFORE),
]

rounds = st.lists(
    st.tuples(
        st.integers(1, 6),  # events sent at once
        st.lists(st.sampled_from(_FAULTS), max_size=4),  # what goes wrong meanwhile
    ),
    max_size=6,
)


async def persistent(here: World, note: str) -> int:
    """Send an event until it is acknowledged, as a client does; return its revision."""
    request = tag()
    event: Json = {"type": "FORBIDDEN"} if note.endswith("!") else add(note)
    for _ in range(30):
        try:
            return (await here.send(event, request=request)).own.revision
        except StatewardError as error:
            if error.code is Code.PERMISSION_DENIED:
                return 0
            assert error.code in (Code.UNAVAILABLE, Code.ABORTED), error  # noqa: PT017 - most are taken
        except StoreFault:
            pass
    raise AssertionError("it was never acknowledged")


def spoil(here: World, what: str, point: Point) -> None:
    match what:
        case "host":
            here.host.losses += 1
        case "evict":
            here.host._instances.clear()
        case _:
            here.store.fail(what, point)


@settings(max_examples=80)
@given(rounds)
def test_every_event_that_is_sent_until_it_is_acknowledged_happens_once(
    plan: list[tuple[int, list[tuple[str, Point]]]],
) -> None:
    asyncio.run(everything_once(plan))


async def everything_once(plan: list[tuple[int, list[tuple[str, Point]]]]) -> None:
    revisions: dict[str, int] = {}
    async with world() as here:
        await here.create()
    for number, (count, faults) in enumerate(plan):
        async with world(here) as here:
            here.desk.banned = {"FORBIDDEN"}
            for what, point in faults:
                spoil(here, what, point)
            notes = [f"{number}.{n}" for n in range(count)] + ([f"{number}!"] if faults else [])
            async with asyncio.timeout(20):
                found = await asyncio.gather(*(persistent(here, note) for note in notes))
            revisions.update(
                {note: revision for note, revision in zip(notes, found, strict=True) if revision}
            )
    happened = await here.notes()
    assert Counter(happened) == Counter(revisions.keys())
    # And where the acknowledgement said.
    assert happened == sorted(revisions, key=lambda note: revisions[note])
    assert len(await here.history()) == len(happened) + 1


# ---------------------------------------------------------------- nobody is left waiting

# A ledger that has written and says that it has not would be found out at the next event or start only; ours
# does not do that.
_HONEST = [fault for fault in _FAULTS if fault != ("apply", Point.AFTER)]
troubles = st.lists(st.tuples(commands, st.lists(st.sampled_from(_HONEST), max_size=3)), max_size=4)


@settings(max_examples=80)
@given(troubles, st.booleans())
def test_whatever_went_wrong_everything_comes_to_rest(
    plan: list[tuple[list[Command], list[tuple[str, Point]]]], restart: bool
) -> None:
    asyncio.run(to_rest(plan, restart=restart))


async def to_rest(plan: list[tuple[list[Command], list[tuple[str, Point]]]], *, restart: bool) -> None:
    async with world() as here:
        await here.create()
    for run, faults in plan:
        async with world(here) as here:
            forbid(here)
            for what, point in faults:
                spoil(here, what, point)
            for command in run:
                try:
                    await obey(here, command)
                except StoreFault:
                    pass
                except StatewardError as error:
                    if error.code not in (Code.UNAVAILABLE, Code.ABORTED):
                        raise
            if not restart:
                await come_to_rest(here)
    async with world(here) as here:
        forbid(here)
        await come_to_rest(here)
        before = len(await here.history())
        # And it takes events, at once and in their order.
        replies = await asyncio.gather(*(here.send(add(str(n))) for n in range(3)))
        assert [reply.own.revision for reply in replies] == [before + 1, before + 2, before + 3]


async def come_to_rest(here: World) -> None:
    """Let the time pass that services, timers and second attempts may take; then nothing is left to do."""
    await here.clock.advance(400_000)
    history = await here.history()
    assert [each.revision for each in history] == list(range(1, len(history) + 1))
    assert history[-1].view.settled
    assert await here.pending() == []
    await here.clock.advance(4_000_000)
    assert await here.history() == history
