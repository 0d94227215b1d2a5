"""Between the log and the live stream nothing is lost and nothing comes twice, whatever happens when.

Hypothesis writes a script of what the engine does at each point where a stream waits: how many transitions
become durable, and whether they are published at once or later. The subscriber reads or tarries, leaves
and resumes, and in the end must have seen what the ledger holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.watch.kit import Reader, World, revisions

from stateward_server.model.errors import ResourceExhausted
from stateward_server.model.frame import Frame, Snapshot


@dataclass(frozen=True)
class Act:
    """What the engine does at one point."""

    commits: int
    together: bool
    published: bool


ACTS = st.builds(Act, st.integers(0, 4), st.booleans(), st.booleans())
SCRIPTS = st.lists(ACTS, max_size=25)
LIMITS = st.sampled_from([700, 3_000, 4_000_000])


class Engine:
    """Plays the script, an act at each point, and publishes what is left at its end."""

    def __init__(self, world: World, script: list[Act]) -> None:
        self._world = world
        self._script = script
        world.store.pause = self.act

    def act(self) -> None:
        if not self._script:
            return
        act = self._script.pop(0)
        if act.together and act.commits:
            self._world.commit_batch(act.commits)
        else:
            self._world.commit(act.commits)
        if act.published:
            self._world.publish()

    def finish(self) -> None:
        while self._script:
            self.act()
        self._world.publish()


def run(play: Coroutine[Any, Any, None]) -> None:
    asyncio.run(play)


async def opened(limit: int, before: int) -> World:
    world = World(buffer_bytes=limit)
    world.create()
    world.step(before)
    return world


@given(SCRIPTS, st.integers(0, 3), LIMITS, st.booleans())
def test_from_the_snapshot_on_a_stream_is_the_ledger(script: list[Act], before: int, limit: int, slow: bool):
    async def play() -> None:
        world = await opened(limit, before)
        engine = Engine(world, list(script))
        frames = await follow(world, engine, every=True, slow=slow)
        assert isinstance(frames[0], Snapshot)
        seen = revisions(frames)
        assert world.last is not None
        assert seen == list(range(seen[0], world.last.revision + 1))
        assert world.hub.count == 0

    run(play())


@given(SCRIPTS, st.integers(0, 5), LIMITS, st.booleans())
def test_from_a_token_on_a_stream_is_the_ledger(script: list[Act], missed: int, limit: int, slow: bool):
    async def play() -> None:
        world = await opened(limit, 0)
        first = world.stream(every=True)
        await first.read()
        await first.close()
        world.step(missed)
        engine = Engine(world, list(script))
        frames = await follow(world, engine, every=True, slow=slow, token=first.token)
        assert world.last is not None
        assert revisions(frames) == list(range(2, world.last.revision + 1))
        assert world.hub.count == 0

    run(play())


@given(SCRIPTS, st.integers(0, 3), LIMITS, st.booleans())
def test_the_latest_states_rise_to_the_newest(script: list[Act], before: int, limit: int, slow: bool):
    async def play() -> None:
        world = await opened(limit, before)
        engine = Engine(world, list(script))
        frames = await follow(world, engine, every=False, slow=slow)
        seen = revisions(frames)
        assert world.last is not None
        assert seen == sorted(set(seen))
        assert seen[-1] == world.last.revision
        assert world.hub.count == 0

    run(play())


@given(SCRIPTS, st.lists(st.integers(1, 4), max_size=6), st.booleans())
def test_leaving_and_resuming_at_any_frame_changes_nothing(script: list[Act], stays: list[int], every: bool):
    """Each number is how many frames a visit lasts."""

    async def play() -> None:
        world = await opened(4_000_000, 0)
        engine = Engine(world, list(script))
        frames: list[Frame] = []
        token = ""
        for stay in stays:
            reader = world.stream(every=every, token=token)
            for _ in range(stay):
                if (frame := await reader.read()) is None:
                    break
                frames.append(frame)
                token = frame.token
            await reader.close()
            engine.act()
        frames += await follow(world, engine, every=every, slow=False, token=token)
        seen = revisions(frames)
        assert world.last is not None
        assert seen == (list(range(seen[0], world.last.revision + 1)) if every else sorted(set(seen)))
        assert seen[-1] == world.last.revision

    run(play())


async def follow(world: World, engine: Engine, *, every: bool, slow: bool, token: str = "") -> list[Frame]:
    """Read to the end of the script; a reader that is told it is too slow resumes from its last token."""
    frames: list[Frame] = []
    reader = world.stream(every=every, token=token)
    ended = False
    while True:
        try:
            frame = await reader.read()
        except ResourceExhausted:
            reader = resumed(world, frames, every=every, token=token)
            continue
        if frame is not None:
            frames.append(frame)
            if slow:
                engine.act()
        elif ended:
            await reader.close()
            return frames
        else:
            engine.finish()
            ended = True


def resumed(world: World, frames: list[Frame], *, every: bool, token: str) -> Reader[Frame]:
    return world.stream(every=every, token=frames[-1].token if frames else token)
