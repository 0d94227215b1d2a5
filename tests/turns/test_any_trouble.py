"""Callers, administrators, services, hosts and the store, in any order: the history keeps every promise."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.turns.kit import VERSION, Desk, Json, World, add, key, tag, world

from stateward_server.model.errors import Code, StatewardError
from stateward_server.model.ledger import Cause, Transition
from stateward_server.model.wait import Reply
from stateward_server.ports.store import StoreFault
from stateward_server.testing.clock import settle
from stateward_server.testing.faulty_store import Point

Step: TypeAlias = "tuple[str, Any]"

_FAULTS = [
    *((method, Point.BEFORE) for method in ("apply", "find_request", "load", "load_uid", "timers_of")),
    ("load_uid", Point.AFTER),
    ("timers_of", Point.AFTER),
    ("set_paused", Point.BEFORE),
    ("due_after", Point.BEFORE),
]

_SLOW = [(method, point) for method in ("apply", "set_paused", "load", "timers_of") for point in Point]

_TURNS = st.integers(0, 12)
"""Turns of the loop after which a caller goes away; 0 for one that stays."""

steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), _TURNS),
        st.tuples(st.just("tell"), st.sampled_from(["WORK", "WORK", "SHOUT", "STOP", "BROKEN"])),
        st.tuples(st.just("wait"), st.integers(0, 5_000)),
        st.tuples(st.just("finish"), st.none()),
        st.tuples(st.just("pause"), _TURNS),
        st.tuples(st.just("resume"), _TURNS),
        st.tuples(st.just("cancel"), _TURNS),
        st.tuples(st.just("time"), st.integers(1, 5_000) | st.just(10_000_000)),
        st.tuples(st.just("slow"), st.sampled_from(_SLOW)),
        st.tuples(st.just("fault"), st.sampled_from(_FAULTS)),
        st.tuples(st.just("lose"), st.none()),
        st.tuples(st.just("die"), st.none() | st.sampled_from(_FAULTS)),
        st.tuples(st.just("crowd"), st.none()),
        st.tuples(st.just("rest"), st.none()),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=30,
)


@dataclass
class Life:
    """What happens to one instance, and what its callers were told."""

    answered: dict[str, int] = field(default_factory=dict)
    """The revision of each note whose sender was told of it."""
    sent: list[str] = field(default_factory=list)
    losses: dict[int, str] = field(default_factory=dict)
    """Revisions that have to be the loss of a service, for nothing may come before it."""
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    held: list[asyncio.Event] = field(default_factory=list)

    async def take(self, here: World, step: Step) -> None:
        kind, given = step
        match kind:
            case "add" | "tell" | "wait" | "pause" | "resume" | "cancel":
                await self._call(here, kind, given)
            case "fault":
                here.store.fail(*given)
            case "slow":
                self.held.append(here.store.hold(*given))
            case "lose":
                here.host.losses += 1
            case "die":
                await self._die(here, given)
            case _:
                self.release()
                await self._pass(here, kind, given)

    def release(self) -> None:
        """Let the store go on with what it was slow at."""
        while self.held:
            self.held.pop().set()

    async def _call(self, here: World, kind: str, given: Any) -> None:
        match kind:
            case "add":
                note = f"n{len(self.sent)}"
                self.sent.append(note)
                await self._begin(self._adding(here, note), given)
            case "tell":
                await self._begin(here.send(given, request=tag()))
            case "wait":
                await self._begin(here.send({"type": "WAIT", "ms": given}, request=tag()))
            case "pause":
                await self._begin(here.engine.pauses.pause(key("one"), None), given)
            case "resume":
                await self._begin(here.engine.pauses.resume(key("one"), None), given)
            case "cancel":
                await self._begin(here.engine.timers.cancel(key("one"), "t", None), given)

    async def _pass(self, here: World, kind: str, given: Any) -> None:
        """Let time pass, or something happen meanwhile."""
        match kind:
            case "finish":
                at = await here.at()
                held = here.host._instances.get(at)
                if held is not None and "work" in held.running:
                    here.host.finish(at, "work")
            case "time":
                await here.clock.advance(given)
            case "crowd":
                await here.send(add("x"), "other")
                await here.send(add("y"), "another")
            case _:
                await settle()

    async def _adding(self, here: World, note: str) -> None:
        reply: Reply = await here.send(add(note), request=tag())
        self.answered[note] = reply.own.revision

    async def _begin(self, call: Any, turns: int = 0) -> None:
        task = asyncio.ensure_future(_tolerant(call))
        self.tasks.append(task)
        await settle(turns)
        if turns:
            task.cancel()

    async def _die(self, here: World, fault: tuple[str, Point] | None) -> None:
        """Lose the process; what ran in it has to be reported first, whatever else goes wrong."""
        await settle()
        last = await here.last()
        held = here.host._instances.get(await here.at())
        at_rest = held is not None and not held.inbox and len(held.states) == 1
        if at_rest and held is not None and held.running and not last.view.settled:
            self.losses[last.revision + 1] = "work"
        if fault is not None:
            here.store.fail(*fault)
        here.host.die(VERSION)


async def _tolerant(call: Any) -> None:
    try:
        await call
    except StoreFault:
        pass
    except StatewardError as error:
        trouble = error.code in (Code.UNAVAILABLE, Code.ABORTED)
        assert trouble or error.reason in ("INSTANCE_PAUSED", "MACHINE_THREW", "TIMER_NOT_FOUND"), error  # noqa: PT017


@settings(max_examples=150)
@given(steps, st.booleans())
def test_no_promise_is_broken_by_any_trouble(run: list[Step], restart: bool) -> None:
    asyncio.run(asyncio.wait_for(lived(run, restart=restart), 30))


async def lived(run: Sequence[Step], *, restart: bool) -> None:
    life, rest = Life(), [*run, *([("restart", None)] if restart else [])]
    async with world(awake=1) as here:
        for name in ("one", "other", "another"):
            await here.create(name)
    lives = True
    while lives:
        async with world(here) as here:
            here.desk.broken = {"BROKEN"}
            lives = await live(here, life, rest)
            if not lives:
                await at_last(here, life)
    for task in life.tasks:
        if not task.cancelled():
            task.result()


async def live(here: World, life: Life, rest: list[Step]) -> bool:
    """Take steps until the server is to be started anew; False when there are no more."""
    while rest:
        step = rest.pop(0)
        if step[0] == "restart":
            life.release()
            return True
        try:
            await life.take(here, step)
        except (StoreFault, StatewardError):
            assert step[0] in ("crowd", "finish")
    life.release()
    return False


async def at_last(here: World, life: Life) -> None:
    """Let everything be well again, and come to rest."""
    await settle()
    here.store.mend()
    here.host.losses = 0
    await here.engine.pauses.resume(key("one"), None)
    await here.clock.advance(10_000_000)
    await asyncio.gather(*life.tasks, return_exceptions=True)
    assert await here.pending() == []
    await check(here, life)
    # It is well, and takes events at once.
    before = len(await here.history())
    assert (await here.send(add("end"))).own.revision == before + 1


async def check(here: World, life: Life) -> None:
    history = await here.history()
    assert [each.revision for each in history] == list(range(1, len(history) + 1))
    assert history[-1].view.settled
    notes = await here.notes()
    assert max(Counter(notes).values(), default=0) <= 1
    assert set(notes) <= set(life.sent)
    for note, revision in life.answered.items():
        assert json.loads(history[revision - 1].event_json) == add(note)
    for revision in life.losses:
        assert history[revision - 1].cause is Cause.LOST, (revision, [each.cause for each in history])
    uid = (await here.at()).uid
    acts = Counter(revision for actor, revision in here.host.acts if actor == uid)
    assert max(acts.values(), default=0) <= 1
    assert set(acts) <= {each.revision for each in history}
    replay(history)


def replay(history: Sequence[Transition]) -> None:
    """Let a machine in memory live the same life: every state follows from the one before."""
    desk = Desk()
    value, due = "off", 0
    context: Json = {"public": {"notes": []}}
    for transition in history[1:]:
        event: Json = json.loads(transition.event_json)
        if transition.cause is Cause.TIMER:
            assert value.startswith("waiting-")
            assert transition.time_ms >= due
        reaction = desk.react(value, context, event)
        if reaction is not None:
            if reaction.value != value and reaction.timer is not None:
                due = transition.time_ms + reaction.timer[1]
            value, context = reaction.value, reaction.context
        assert json.loads(transition.view.value_json) == value
        assert json.loads(transition.view.public_json or "") == context["public"]
