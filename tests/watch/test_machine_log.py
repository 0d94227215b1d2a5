"""The watch of a machine and the log behind it: resuming, restoring, pruning, falling behind."""

from __future__ import annotations

import pytest
from tests.watch.fleet import ALL, HOT, Fleet, told
from tests.watch.kit import nudge

from stateward_server.model.errors import OutOfRange, ResourceExhausted
from stateward_server.model.frame import Filter, Idle, Page, Stirred


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


async def place(fleet: Fleet, chosen: Filter = ALL) -> str:
    """The token of a watch that has seen everything so far."""
    reader = fleet.watching(chosen)
    await reader.all()
    await reader.close()
    return reader.token


async def rest(fleet: Fleet, token: str, chosen: Filter = ALL) -> list[str]:
    """What a watch that resumes there is told."""
    reader = fleet.watching(chosen, token=token)
    frames = await reader.all()
    await reader.close()
    assert not any(isinstance(frame, Page) for frame in frames)
    return told(frames)


async def expired(fleet: Fleet, token: str) -> OutOfRange:
    reader = fleet.watching(token=token)
    with pytest.raises(OutOfRange) as refused:
        await reader.all()
    assert fleet.hub.count == 0
    return refused.value


async def test_a_deletion_is_told_once_across_resumes(fleet: Fleet):
    fleet.put("a")
    reader = fleet.watching()
    await reader.all()
    fleet.remove("a")
    assert told(await reader.all()) == ["-a0"]
    await reader.close()
    assert await rest(fleet, reader.token) == []


async def test_a_resume_crosses_a_restart(fleet: Fleet):
    fleet.put("a")
    token = await place(fleet)
    fleet.restart()
    fleet.put("a")
    assert await rest(fleet, token) == ["~a2"]


async def test_a_token_of_pages_that_show_more_than_its_place_begins_anew(fleet: Fleet):
    """Otherwise what the pages have shown would come again."""
    fleet.put("a")

    def move_on() -> None:
        fleet.store.pause = None
        fleet.put("a")

    fleet.store.pause = move_on
    reader = fleet.watching()
    first = await reader.read()
    assert told([first] if first else []) == ["+a2"]
    again = fleet.watching(token=reader.token)
    assert [type(frame) for frame in await again.all()] == [Page]
    await again.close()
    await reader.all()
    nudge(fleet)
    await reader.all()
    assert await rest(fleet, reader.token) == []
    await reader.close()


async def test_a_long_log_is_read_in_pieces(fleet: Fleet):
    fleet.put("a")
    token = await place(fleet)
    for _ in range(1_000):
        fleet.put("a")
    assert await rest(fleet, token) == [f"~a{revision}" for revision in range(2, 1_002)]


async def test_a_token_of_the_lost_part_of_a_restored_store_is_refused(fleet: Fleet):
    fleet.put("a")
    saved, alive = fleet.copy(), dict(fleet.alive)
    for _ in range(5):
        fleet.put("a")
    token = await place(fleet)
    fleet.restore(saved)
    fleet.alive = alive
    for _ in range(20):
        assert (await expired(fleet, token)).reason == "RESUME_TOKEN_DIVERGED"
        fleet.put("a")


async def test_a_token_from_before_the_pruned_part_is_refused(fleet: Fleet):
    fleet.put("a")
    token = await place(fleet)
    for _ in range(5):
        fleet.put("a")
    fleet.prune()
    refused = await expired(fleet, token)
    assert refused.reason == "RESUME_TOKEN_EXPIRED"
    assert refused.metadata == {"oldest_position": "5"}


async def test_a_token_at_the_edge_of_the_pruned_part_still_misses_nothing(fleet: Fleet):
    for _ in range(5):
        fleet.put("a")
    token = await place(fleet)
    fleet.prune()
    fleet.put("a")
    assert await rest(fleet, token) == ["~a6"]


async def test_history_that_is_pruned_while_it_is_read_is_no_silent_gap(fleet: Fleet):
    fleet.put("a")
    token = await place(fleet)
    for _ in range(1_000):
        fleet.put("a")
    reader = fleet.watching(token=token)
    await reader.read()
    fleet.prune()
    with pytest.raises(OutOfRange):
        await reader.all()
    assert fleet.hub.count == 0


async def test_the_token_of_a_quiet_watch_stays_young(fleet: Fleet):
    fleet.put("a", "hot")
    reader = fleet.watching(HOT)
    await reader.all()
    for _ in range(50):
        fleet.put("b")
    nudge(fleet)
    [idle] = await reader.all()
    assert isinstance(idle, Idle)
    await reader.close()
    fleet.prune()
    assert await rest(fleet, idle.token, HOT) == []


async def test_who_leaves_is_told_also_where_the_state_before_was_pruned(fleet: Fleet):
    fleet.put("a", "hot")
    token = await place(fleet, HOT)
    reader = fleet.watching(HOT, token=token)
    await reader.all()
    fleet.put("a", publish=False)
    fleet.prune()
    fleet.publish()
    assert told(await reader.all()) == ["-a2"]
    await reader.close()


async def test_one_who_is_told_to_be_too_slow_gets_the_token_with_it():
    fleet = Fleet(buffer_bytes=5_000)
    fleet.put("a")
    reader = fleet.watching()
    await reader.all()
    for _ in range(50):
        fleet.put("a")
    with pytest.raises(ResourceExhausted) as refused:
        await reader.all()
    token = refused.value.metadata["resume_token"]
    assert await rest(fleet, token) == [f"~a{revision}" for revision in range(2, 52)]


async def test_a_busy_watch_without_matches_still_shows_signs_of_life(fleet: Fleet):
    fleet.put("a")
    reader = fleet.watching(HOT)
    await reader.all()
    fleet.put("a")
    nudge(fleet)
    assert [type(frame) for frame in await reader.all()] == [Idle]
    await reader.close()


async def test_no_frame_with_more_than_one_change_is_large(fleet: Fleet):
    reader = fleet.watching()
    await reader.all()
    for _ in range(5):
        fleet.put("a", public='"' + "x" * 200_000 + '"', publish=False)
    fleet.publish()
    frames = await reader.all()
    assert [len(frame.changes) for frame in frames if isinstance(frame, Stirred)] == [2, 2, 1]
    await reader.close()
