"""One subscriber's stream: a snapshot or a resume, then everything that follows, while access lasts."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.watch.kit import AUTH, KEY, MODES, World, nudge, refused, revisions

from stateward_server.model.errors import (
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)
from stateward_server.model.frame import Changes, Draining, Progress, Snapshot
from stateward_server.model.ledger import Instance, Transition
from stateward_server.model.names import InstanceUid
from stateward_server.testing.clock import settle
from stateward_server.watch.tokens import Position, ResumeTokens

_LAST_PAGE_READ = 8
"""Two pauses each: reading the state, the oldest revision, the token's place, and one page of the log."""

# ------------------------------------------------------------------ from the start


@MODES
async def test_a_stream_begins_with_a_snapshot_and_goes_on_with_changes(world: World, every: bool):
    world.step(2)
    reader = world.stream(every=every)
    assert isinstance(first := await reader.read(), Snapshot)
    assert first.transition.revision == 3
    assert await reader.read() is None
    world.step()
    assert isinstance(second := await reader.read(), Changes)
    assert revisions([second]) == [4]
    await reader.close()


async def test_every_transition_is_delivered_in_order(world: World):
    reader = world.stream(every=True)
    seen = revisions(await reader.all())
    world.step(3)
    world.commit_batch(3)
    world.publish()
    seen += revisions(await reader.all())
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    await reader.close()


async def test_latest_skips_but_never_the_newest(world: World):
    reader = world.stream(every=False)
    await reader.all()
    world.step(5)
    assert revisions(await reader.all()) == [6]
    await reader.close()


async def test_a_change_between_registering_and_reading_is_not_lost(world: World):
    world.store.pause = lambda: world.step() if world.last and world.last.revision < 4 else None
    reader = world.stream(every=True)
    frames = await reader.all()
    seen = revisions(frames)
    assert isinstance(frames[0], Snapshot)
    assert seen == list(range(seen[0], 5))
    await reader.close()


async def test_there_is_no_stream_of_nothing():
    refusal = await refused(World())
    assert isinstance(refusal, NotFound)


@MODES
async def test_who_may_not_read_gets_no_stream(world: World, every: bool):
    world.verdict = lambda *_: False
    assert isinstance(await refused(world, every=every), PermissionDenied)


async def test_the_claims_of_the_subscriber_are_what_the_machine_sees(world: World):
    reader = world.stream(auth='{"sub":"bob"}')
    await reader.all()
    world.step()
    await reader.all()
    assert world.asked == [(2, '{"sub":"bob"}')]
    await reader.close()


# ------------------------------------------------------------------ frames of bounded size


async def test_a_backlog_of_large_states_comes_in_frames_a_client_can_take(world: World):
    start = world.stream(every=True)
    await start.all()
    await start.close()
    world.step(12, public='"' + "x" * 390_000 + '"')
    reader = world.stream(every=True, token=start.token)
    frames = await reader.all()
    assert revisions(frames) == list(range(2, 14))
    for frame in frames:
        assert isinstance(frame, Changes)
        assert sum(len(each.view.public_json or "") for each in frame.transitions) < 1_000_000
    await reader.close()


async def test_each_of_these_frames_can_be_resumed_from(world: World):
    reader = world.stream(every=True)
    await reader.all()
    world.commit_batch(5, public='"' + "x" * 390_000 + '"')
    world.publish()
    await reader.read()
    again = world.stream(every=True, token=reader.token)
    assert revisions(await again.all())[0] == 3
    await reader.close()
    await again.close()


async def test_small_states_share_a_frame(world: World):
    reader = world.stream(every=True)
    await reader.all()
    world.step(20)
    [frame] = await reader.all()
    assert revisions([frame]) == list(range(2, 22))
    await reader.close()


# ------------------------------------------------------------------ resuming


@MODES
@pytest.mark.parametrize("missed", [0, 1, 3])
async def test_a_resumed_stream_goes_on_after_the_frame_that_carried_the_token(
    world: World, every: bool, missed: int
):
    first = world.stream(every=every)
    await first.all()
    world.step()
    await first.all()
    await first.close()
    world.step(missed)
    second = world.stream(every=every, token=first.token)
    expected = list(range(3, 3 + missed))
    assert revisions(await second.all()) == (expected if every else expected[-1:])
    world.step()
    assert revisions(await second.all()) == [3 + missed]
    await second.close()


async def test_a_resume_has_no_snapshot(world: World):
    first = world.stream()
    await first.all()
    await first.close()
    second = world.stream(token=first.token)
    assert await second.all() == []
    await second.close()


async def test_tokens_of_all_frames_resume(world: World):
    reader = world.stream(every=True)
    tokens = [(await reader.read(), reader.token)]
    world.step()
    tokens.append((await reader.read(), reader.token))
    nudge(world)
    tokens.append((await reader.read(), reader.token))
    world.hub.drain()
    tokens.append((await reader.read(), reader.token))
    assert [type(frame) for frame, _ in tokens] == [Snapshot, Changes, Progress, Draining]
    world.restart()
    world.step()
    for frame, token in tokens:
        again = world.stream(every=True, token=token)
        assert revisions(await again.all()) == ([2, 3] if isinstance(frame, Snapshot) else [3])
        await again.close()


async def test_a_token_outlives_a_restart(world: World):
    first = world.stream(every=True)
    await first.all()
    await first.close()
    world.epoch = 2
    world.step(2)
    second = world.stream(every=True, token=first.token, watch=world.reopened("store-1"))
    assert revisions(await second.all()) == [2, 3]
    await second.close()


async def test_a_long_backlog_comes_page_by_page_without_gap(world: World):
    first = world.stream(every=True)
    await first.all()
    await first.close()
    world.step(700)
    second = world.stream(every=True, token=first.token)
    assert revisions(await second.all()) == list(range(2, 702))
    await second.close()


# ------------------------------------------------------------------ tokens that cannot be resumed from


def token(world: World, *, store_id: str = "store-1", key: bytes = b"k" * 32, **changed: object) -> str:
    assert world.instance is not None
    assert world.last is not None
    here = Position(store_id, world.instance.uid, world.last.revision, world.epoch, every=True)
    return ResumeTokens(key).encode(replace(here, **changed))  # type: ignore[arg-type]  # passed through


INVALID = (InvalidArgument, "RESUME_TOKEN_INVALID")
DIVERGED = (OutOfRange, "RESUME_TOKEN_DIVERGED")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"store_id": "store-2"}, DIVERGED, id="of another store"),
        pytest.param({"revision": 4}, DIVERGED, id="of the future"),
        pytest.param({"epoch": 7}, DIVERGED, id="of a history that was replaced"),
        pytest.param({"uid": InstanceUid(99)}, INVALID, id="of another instance"),
        pytest.param({"every": False}, INVALID, id="of another mode"),
        pytest.param({"key": b"j" * 32}, INVALID, id="of another server"),
    ],
)
async def test_a_token_that_does_not_belong_here_is_refused(
    world: World, changed: dict[str, object], expected: object
):
    world.step(2)
    refusal = await refused(world, every=True, token=token(world, **changed))  # type: ignore[arg-type]
    assert (type(refusal), refusal.reason) == expected


@pytest.mark.parametrize("text", ["x", "x.y", "\ud800", "x" * 10_000])
async def test_a_malformed_token_is_refused(world: World, text: str):
    refusal = await refused(world, token=text)
    assert (type(refusal), refusal.reason) == INVALID


async def test_a_token_of_a_transition_that_a_restore_undid_is_refused(world: World):
    world.step(3)
    lost = token(world)
    record = world.store._records[world.instance.uid]  # type: ignore[union-attr]
    del record.history[2:]
    world.last, world.epoch = record.history[-1], 2
    assert (await refused(world, every=True, token=lost)).reason == "RESUME_TOKEN_DIVERGED"
    world.step(5)
    assert (await refused(world, every=True, token=lost)).reason == "RESUME_TOKEN_DIVERGED"


async def test_a_token_from_before_the_history_names_the_oldest_revision(world: World):
    world.step(9)
    world.store.forget_before(world.instance.uid, 5)  # type: ignore[union-attr]
    refusal = await refused(world, every=True, token=token(world, revision=3))
    assert (type(refusal), refusal.reason) == (OutOfRange, "RESUME_TOKEN_EXPIRED")
    assert refusal.metadata == {"oldest_revision": "5"}


async def test_the_last_token_before_the_history_still_misses_nothing(world: World):
    world.step(9)
    world.store.forget_before(world.instance.uid, 5)  # type: ignore[union-attr]
    reader = world.stream(every=True, token=token(world, revision=4))
    assert revisions(await reader.all()) == [5, 6, 7, 8, 9, 10]
    await reader.close()


async def test_a_token_grants_nothing(world: World):
    resume = token(world)
    world.verdict = lambda *_: False
    assert isinstance(await refused(world, every=True, token=resume), PermissionDenied)


async def test_who_may_not_read_learns_nothing_from_a_token(world: World):
    world.verdict = lambda *_: False
    assert isinstance(await refused(world, token="nonsense"), PermissionDenied)


# ------------------------------------------------------------------ access that ends


@MODES
async def test_a_stream_ends_at_the_first_state_it_may_not_show(world: World, every: bool):
    world.verdict = lambda _, entry, __: entry.revision < 3
    reader = world.stream(every=every)
    await reader.all()
    world.step()
    assert revisions(await reader.all()) == [2]
    world.step()
    with pytest.raises(PermissionDenied) as refused:
        await reader.read()
    assert refused.value.reason == "REJECTED_BY_MACHINE_AUTHORIZER"
    assert refused.value.metadata == {"machine": "m", "instance": "i"}
    assert world.hub.count == 0


async def test_what_came_before_that_state_is_still_shown(world: World):
    """However the states fall into batches."""
    world.verdict = lambda _, entry, __: entry.revision != 4
    reader = world.stream(every=True)
    await reader.all()
    world.commit_batch(5)
    world.publish()
    assert revisions([frame for frame in [await reader.read()] if frame]) == [2, 3]
    with pytest.raises(PermissionDenied):
        await reader.read()


async def test_a_resumed_stream_does_not_jump_over_a_state_it_may_not_show(world: World):
    first = world.stream(every=True)
    await first.all()
    await first.close()
    world.step(4)
    world.verdict = lambda _, entry, __: entry.revision != 3
    second = world.stream(every=True, token=first.token)
    assert revisions([frame for frame in [await second.read()] if frame]) == [2]
    with pytest.raises(PermissionDenied):
        await second.read()


async def test_subscribers_with_the_same_claims_are_one_question(world: World):
    readers = [world.stream(every=True) for _ in range(5)]
    other = world.stream(every=True, auth="{}")
    for reader in (*readers, other):
        await reader.all()
    world.step()
    for reader in (*readers, other):
        assert revisions(await reader.all()) == [2]
        await reader.close()
    await other.close()
    assert sorted(world.asked) == [(2, AUTH), (2, "{}")]


async def test_a_lost_host_ends_the_stream_and_it_can_be_resumed(world: World):
    def lost(_instance: Instance, entry: Transition, _auth: str) -> bool:
        if entry.revision > 1:
            raise Unavailable("HOST_UNAVAILABLE", "lost")
        return True

    reader = world.stream(every=True)
    await reader.all()
    world.verdict = lost
    world.step()
    with pytest.raises(Unavailable):
        await reader.read()
    assert world.hub.count == 0
    world.verdict = lambda *_: True
    again = world.stream(every=True, token=reader.token)
    assert revisions(await again.all()) == [2]
    await again.close()


# ------------------------------------------------------------------ readers that fall behind


async def test_a_reader_that_falls_behind_in_live_is_told_so_and_resumes_without_gap():
    world = World(buffer_bytes=5_000)
    world.create()
    reader = world.stream(every=True)
    await reader.all()
    world.step(30, size=1_000)
    with pytest.raises(ResourceExhausted) as refused:
        await reader.read()
    assert refused.value.reason == "SUBSCRIBER_TOO_SLOW"
    assert "revision 1" in refused.value.message
    assert refused.value.retry_after is not None
    assert world.hub.count == 0
    again = world.stream(every=True, token=reader.token)
    assert revisions(await again.all()) == list(range(2, 32))
    await again.close()


async def test_a_reader_that_is_lapped_while_it_catches_up_goes_on_from_the_log():
    world = World(buffer_bytes=5_000)
    world.create()
    first = world.stream(every=True)
    await first.all()
    await first.close()
    world.step(10)
    reads = []

    def flood() -> None:
        """Lap the buffer once the last page has been read, and before it is sent."""
        reads.append(world.last)
        if len(reads) == _LAST_PAGE_READ:
            world.step(30, size=1_000)

    second = world.stream(every=True, token=first.token)
    world.store.pause = flood
    assert revisions(await second.all()) == list(range(2, 42))
    assert len(reads) > _LAST_PAGE_READ
    await second.close()


async def test_a_slow_reader_of_the_latest_state_is_never_too_slow():
    world = World(buffer_bytes=5_000)
    world.create()
    reader = world.stream(every=False)
    await reader.all()
    world.step(30, size=100_000)
    assert revisions(await reader.all()) == [31]
    await reader.close()


async def test_one_commit_of_any_size_is_no_reason_to_end_a_stream():
    world = World(buffer_bytes=5_000)
    world.create()
    reader = world.stream(every=True)
    await reader.all()
    world.commit_batch(40, size=1_000)
    world.publish()
    assert revisions(await reader.all()) == list(range(2, 42))
    await reader.close()


# ------------------------------------------------------------------ the end


@MODES
async def test_deleting_the_instance_ends_its_streams(world: World, every: bool):
    reader = world.stream(every=every)
    await reader.all()
    world.delete()
    with pytest.raises(NotFound) as refused:
        await reader.read()
    assert refused.value.reason == "INSTANCE_NOT_FOUND"
    assert world.hub.count == 0


async def test_a_state_before_the_deletion_is_still_delivered(world: World):
    reader = world.stream(every=True)
    await reader.all()
    world.step()
    world.delete()
    assert revisions([frame for frame in [await reader.read()] if frame]) == [2]
    with pytest.raises(NotFound):
        await reader.read()


@MODES
async def test_a_new_instance_of_the_same_name_is_another_history(world: World, every: bool):
    reader = world.stream(every=every)
    await reader.all()
    world.delete()
    world.create()
    world.step(4)
    with pytest.raises(NotFound):
        await reader.read()
    assert (await refused(world, every=every, token=reader.token)).reason == "RESUME_TOKEN_INVALID"


async def test_a_stream_opened_while_the_name_changes_hands_follows_one_of_them(world: World):
    done: list[bool] = []

    def replace_once() -> None:
        if not done:
            done.append(True)
            world.delete()
            world.create()

    world.store.pause = replace_once
    reader = world.stream(every=True)
    assert revisions(await reader.all()) == [1]
    world.step(2)
    assert revisions(await reader.all()) == [2, 3]
    await reader.close()


@MODES
async def test_draining_says_so_last_and_ends_the_stream(world: World, every: bool):
    reader = world.stream(every=every)
    await reader.all()
    world.step()
    world.hub.drain()
    frames = [await reader.read(), await reader.read()]
    assert [type(frame) for frame in frames] == [Changes, Draining]
    with pytest.raises(StopAsyncIteration):
        await reader.read()
    assert world.hub.count == 0


async def test_who_comes_while_draining_still_gets_a_snapshot(world: World):
    world.hub.drain()
    reader = world.stream()
    assert [type(await reader.read()), type(await reader.read())] == [Snapshot, Draining]


@MODES
async def test_a_quiet_stream_shows_signs_of_life(world: World, every: bool):
    reader = world.stream(every=every)
    await reader.all()
    for _ in range(2):
        nudge(world)
        [frame] = await reader.all()
        assert isinstance(frame, Progress)
        assert frame.revision == 1
    await reader.close()


@MODES
async def test_a_stream_with_news_needs_no_sign_of_life(world: World, every: bool):
    reader = world.stream(every=every)
    nudge(world)
    assert [type(frame) for frame in await reader.all()] == [Snapshot]
    world.step()
    nudge(world)
    assert [type(frame) for frame in await reader.all()] == [Changes]
    await reader.close()


@MODES
async def test_leaving_frees_everything(world: World, every: bool):
    reader = world.stream(every=every)
    await reader.all()
    assert world.hub.count == 1
    await reader.close()
    assert world.hub.count == 0


async def test_leaving_while_the_snapshot_is_read_frees_everything(world: World):
    stream = world.watch.stream(KEY, AUTH, every=True, token="")
    begun = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert world.hub.count == 1
    begun.cancel()
    await settle()
    assert world.hub.count == 0
