"""Whatever befalls senders, receivers, relay and ledger: each message takes effect once, in its order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.turns.mail_kit import Json, Move, World, key, log, world

from stateward_server.model.errors import Code, StatewardError
from stateward_server.model.limits import EngineLimits
from stateward_server.model.step import Ref, SendTo
from stateward_server.ports.store import StoreFault
from stateward_server.testing.clock import settle
from stateward_server.testing.faulty_store import FaultyStore, Point

Step: TypeAlias = "tuple[str, Any]"

SENDERS, RECEIVERS = ("a", "b"), ("x", "y")
LIMITS = EngineLimits(relays=1, owed_near=4, owed_each=2, awake=2)

_FAULTS = ["apply", "load", "timers_of", "find_request", "owed_after", "acknowledge", "postpone", "bury"]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.tuples(st.sampled_from(SENDERS), st.sampled_from(RECEIVERS))),
        st.tuples(st.just("pause"), st.sampled_from(RECEIVERS)),
        st.tuples(st.just("resume"), st.sampled_from(RECEIVERS)),
        st.tuples(st.just("spoil"), st.booleans()),
        st.tuples(st.just("fault"), st.sampled_from(_FAULTS)),
        st.tuples(st.just("time"), st.sampled_from([0, 100, 2_000, 200_000])),
        st.tuples(st.just("retry"), st.none()),
        st.tuples(st.just("down"), st.booleans()),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=30,
)


class Post:
    """Who has written what to whom."""

    def __init__(self) -> None:
        self.spoiled = False
        """Receivers fail on whatever comes."""
        self.buried: set[str] = set()
        """Messages that were dead letters once: these come when they are put back."""

    def sends(self, context: Json, event: Json) -> Move:
        if event["type"] == "init":
            return Move({"count": 0})
        count = context["count"] + 1
        text = json.dumps({"type": "M", "of": event["of"], "n": count})
        return Move({"count": count}, (SendTo(Ref("log", event["to"]), text),))

    def takes(self, context: Json, event: Json) -> Move:
        if self.spoiled and event["type"] == "M":
            raise RuntimeError("not now")
        return log(context, event)

    async def take(self, here: World, faulty: FaultyStore, step: Step) -> None:
        kind, given = step
        match kind:
            case "tell":
                sender, to = given
                await here.send("from", sender, {"type": "TELL", "of": sender, "to": to})
            case "pause":
                await here.engine.pauses.pause(key("log", given), None)
            case "resume":
                await here.engine.pauses.resume(key("log", given), None)
            case "spoil":
                self.spoiled = given
            case "fault":
                faulty.fail(given, Point.BEFORE)
            case "time":
                await here.rest(given)
            case "retry":
                await self.put_back(here)
            case "down":
                here.host.down = given

    async def put_back(self, here: World) -> int:
        letters = await here.letters("from")
        for letter in letters:
            self.buried.add(json.dumps([letter.owner.name, json.loads(letter.what.payload_json or "")["n"]]))  # type: ignore[union-attr]  # there are no timers
            await here.engine.letters.retry(letter.owner, letter.id, None, by="ann")
        return len(letters)


@settings(max_examples=100)
@given(steps, st.booleans())
def test_every_message_takes_effect_once_and_in_its_order(run: list[Step], restart: bool) -> None:
    asyncio.run(asyncio.wait_for(delivered(run, restart=restart), 60))


async def delivered(run: Sequence[Step], *, restart: bool) -> None:
    post, rest = Post(), [*run, *([("restart", None)] if restart else [])]
    async with world(limits=LIMITS) as here:
        await here.machine("from", post.sends)
        await here.machine("log", post.takes)
        for name in SENDERS:
            await here.create("from", name)
        for name in RECEIVERS:
            await here.create("log", name)
    lives = True
    while lives:
        faulty = FaultyStore(here.store)
        async with world(here, faulty.store) as here:
            lives = await live(here, faulty, post, rest)
            if not lives:
                await at_last(here, faulty, post)


async def live(here: World, faulty: FaultyStore, post: Post, rest: list[Step]) -> bool:
    """Take steps until the server is to be started anew; False when there are no more."""
    while rest:
        step = rest.pop(0)
        if step[0] == "restart":
            return True
        try:
            await post.take(here, faulty, step)
        except StoreFault:
            pass
        except StatewardError as error:
            assert error.code in (Code.UNAVAILABLE, Code.ABORTED)  # noqa: PT017 - most are taken
        await settle()
    return False


async def at_last(here: World, faulty: FaultyStore, post: Post) -> None:
    """Let everything be well again, and everything arrive."""
    faulty.mend()
    post.spoiled = here.host.down = False
    for name in RECEIVERS:
        await here.engine.pauses.resume(key("log", name), None)
    await here.rest(4_000_000)
    while await post.put_back(here):
        await here.rest(4_000_000)
    assert await here.owed() == 0
    await check(here, post)


async def check(here: World, post: Post) -> None:
    """Compare what has come with what was said by the transitions of the senders."""
    for sender in SENDERS:
        said: dict[str, list[int]] = {to: [] for to in RECEIVERS}
        for n, transition in enumerate((await here.history("from", sender))[1:], start=1):
            said[json.loads(transition.event_json)["to"]].append(n)
        for to in RECEIVERS:
            got = [event["n"] for event in await here.got("log", to) if event["of"] == sender]
            assert sorted(got) == said[to]
            straight = [n for n in got if json.dumps([sender, n]) not in post.buried]
            assert straight == sorted(straight)
