"""A client that keeps a picture from the frames of a machine's watch ends up with what the ledger holds.

Hypothesis writes a script of what happens at each point where the stream waits; see `test_seam.py`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from tests.watch.fleet import ALL, HOT, INDEXED, Fleet, apply

from stateward_server.model.errors import ResourceExhausted
from stateward_server.model.frame import Filter, Page
from stateward_server.model.index import Comparison, IndexCondition


@dataclass(frozen=True)
class Act:
    """An instance moves into or out of the filter, or goes; subscribers hear of it at once or later."""

    name: str
    kind: str
    published: bool


ACTS = st.builds(Act, st.sampled_from("abc"), st.sampled_from(["hot", "hot", "cold", "gone"]), st.booleans())
SCRIPTS = st.lists(ACTS, max_size=30)
BELOW = Filter(indexes=frozenset({IndexCondition("tag", Comparison.LESS, "hot")}))
CHOSEN = st.sampled_from([ALL, HOT, INDEXED, BELOW])
LIMITS = st.sampled_from([1_500, 4_000_000])


@given(SCRIPTS, SCRIPTS, st.lists(st.integers(1, 4), max_size=4), CHOSEN, LIMITS)
def test_the_picture_is_the_ledger(
    before: list[Act], script: list[Act], stays: list[int], chosen: Filter, limit: int
):
    """`stays` is how many frames each visit lasts before the client leaves and resumes."""
    asyncio.run(play(before, list(script), list(stays), chosen, limit))


async def play(before: list[Act], script: list[Act], stays: list[int], chosen: Filter, limit: int) -> None:
    fleet = Fleet(buffer_bytes=limit)
    for each in before:
        act(fleet, each)
    fleet.publish()
    fleet.store.pause = lambda: act(fleet, script.pop(0)) if script else None
    members: dict[str, int] = {}
    token = ""
    while stays:
        token = await visit(fleet, chosen, token, members, frames=stays.pop(0))
    token = await visit(fleet, chosen, token, members, frames=10_000)
    while script:
        act(fleet, script.pop(0))
    fleet.publish()
    while (later := await visit(fleet, chosen, token, members, frames=10_000)) != token:
        token = later
    expected = {name: entry.revision for name, (_, entry) in fleet.alive.items() if chosen.matches(entry)}
    assert members == expected
    assert fleet.hub.count == 0


async def visit(fleet: Fleet, chosen: Filter, token: str, members: dict[str, int], *, frames: int) -> str:
    """Read some frames, or all there are; return the token to go on from."""
    reader = fleet.watching(chosen, token=token)
    for number in range(frames):
        try:
            frame = await reader.read()
        except ResourceExhausted:
            return token
        if frame is None:
            break
        if number == 0 and isinstance(frame, Page):
            members.clear()  # the watch began anew
        apply([frame], members)
        token = reader.token
    await reader.close()
    return token


def act(fleet: Fleet, what: Act) -> None:
    if what.kind == "gone":
        if what.name in fleet.alive:
            fleet.remove(what.name, publish=what.published)
    else:
        fleet.put(what.name, what.kind, publish=what.published)
