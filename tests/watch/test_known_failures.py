"""What other servers are known to get wrong about watching, each as a test that it does not happen here.

The list is drawn from the published post-mortems and robustness reports of etcd, ZooKeeper clients, Kafka
consumers and hosted state machine services.
"""

from __future__ import annotations

import random

import pytest
from tests.watch.fleet import Fleet, told
from tests.watch.kit import MODES, World, nudge, refused, revisions

from stateward_server.model.errors import InvalidArgument, OutOfRange, StatewardError
from stateward_server.model.frame import Changes, Filter, Idle, Progress
from stateward_server.model.step import Status
from stateward_server.ports.store import Loaded

ON = frozenset({"on"})


@MODES
async def test_progress_is_never_ahead_of_events(world: World, every: bool):
    """A sign of life that names revision n comes after everything up to n, also when both are due at once."""
    reader = world.stream(every=every)
    seen = 0
    for _ in range(20):
        nudge(world)
        world.commit()
        nudge(world)
        world.publish()
        nudge(world)
        for frame in await reader.all():
            if isinstance(frame, Progress):
                assert frame.revision == seen
            else:
                seen = revisions([frame])[-1]
    assert seen == 21
    await reader.close()


async def test_progress_of_a_machine_is_never_ahead_of_events():
    """The token of a sign of life never leads past an event that has not been sent."""
    fleet = Fleet()
    fleet.put("a")
    reader = fleet.watching()
    await reader.all()
    nudge(fleet)
    fleet.put("a", publish=False)
    frames = await reader.all()
    assert [type(frame) for frame in frames] == [Idle]
    await reader.close()
    fleet.publish()
    resumed = fleet.watching(token=frames[0].token)
    assert told(await resumed.all()) == ["~a2"]
    await resumed.close()


async def test_no_events_are_lost_when_the_stream_starves():
    """A reader that gets no turn for a long time is told so, and its token leads to all it has missed."""
    world = World(buffer_bytes=20_000)
    world.create()
    reader = world.stream(every=True)
    seen = revisions(await reader.all())
    world.step(500)
    refusal = None
    try:
        await reader.all()
    except StatewardError as error:
        refusal = error
    assert refusal is not None
    assert refusal.reason == "SUBSCRIBER_TOO_SLOW"
    again = world.stream(every=True, token=refusal.metadata["resume_token"])
    seen += revisions(await again.all())
    assert seen == list(range(1, 502))
    await again.close()


@MODES
async def test_a_watch_never_goes_back_in_time(world: World, every: bool):
    """Whatever memory and log say in whichever order, revisions only grow."""
    moves = random.Random(4)
    seen: list[int] = []
    token = ""
    for _ in range(60):
        world.store.pause = lambda: world.commit() if moves.random() < 0.1 else None
        reader = world.stream(every=every, token=token)
        for _ in range(moves.randrange(1, 4)):
            seen += revisions([frame for frame in [await reader.read()] if frame])
            if moves.random() < 0.5:
                world.step()
            else:
                world.publish()
        token = reader.token or token
        await reader.close()
    world.store.pause = None
    world.publish()
    final = world.stream(every=every, token=token)
    seen += revisions(await final.all())
    await final.close()
    assert world.last is not None
    assert seen[-1] == world.last.revision
    assert seen == (list(range(1, world.last.revision + 1)) if every else sorted(set(seen)))


@MODES
async def test_the_newest_is_not_lost_between_memory_and_log(world: World, every: bool):
    """A commit is published a moment before the engine's memory has it: who subscribes then gets it."""
    read = world.read
    assert world.instance is not None
    before = Loaded(world.instance, world.last)  # type: ignore[arg-type]  # it was created

    async def lagging(key: object, auth_json: str) -> Loaded:
        return before

    world.step()
    world.read = lagging  # type: ignore[method-assign]  # for this one moment
    world.watch = world.reopened("store-1")
    reader = world.stream(every=every)
    assert revisions(await reader.all()) == [1, 2]
    world.step()
    assert revisions(await reader.all()) == [3]
    await reader.close()
    resumed = world.stream(every=every, token=reader.token)
    assert revisions(await resumed.all()) == []
    await resumed.close()
    world.read = read  # type: ignore[method-assign]  # as it was


async def test_there_are_no_duplicates_across_resume(world: World):
    """Cut after every frame there is, in every phase: the pieces make the history, each revision once."""
    world.step(300)
    token, seen = "", []
    for cut in range(200):
        reader = world.stream(every=True, token=token)
        frame = await reader.read()
        if frame is not None:
            seen += revisions([frame])
            token = reader.token
        await reader.close()
        if cut % 3 == 0:
            world.step()
    final = world.stream(every=True, token=token)
    seen += revisions(await final.all())
    await final.close()
    assert world.last is not None
    assert seen == list(range(301, world.last.revision + 1))


async def test_there_are_no_duplicates_across_resume_of_a_machine():
    fleet = Fleet()
    names = "abcde"
    for name in names:
        fleet.put(name)
    moves = random.Random(4)
    reader = fleet.watching()
    seen = told(await reader.all())
    await reader.close()
    token = reader.token
    for _ in range(300):
        name = moves.choice(names)
        if name in fleet.alive and moves.random() < 0.1:
            fleet.remove(name)
        else:
            fleet.put(name)
        reader = fleet.watching(token=token)
        frame = await reader.read()
        assert frame is not None
        seen += told([frame])
        token = frame.token
        await reader.close()
    for name in names:
        lives = "".join(f"{each[0]}{each[2:]} " for each in seen if each[1] == name).split("-0 ")
        for life in lives:
            moved = life.split()
            assert moved == [f"{'~' if n else '+'}{n + 1}" for n in range(len(moved))]


@MODES
@pytest.mark.parametrize("later", [0, 1, 5, 50])
async def test_a_counter_that_restarts_after_a_restore_hides_nothing(world: World, every: bool, later: int):
    """After a restore revisions are given out again: an old token must not swallow the new ones."""
    world.step(3)
    saved, last = world.copy(), world.last
    world.step(5)
    reader = world.stream(every=every)
    assert revisions(await reader.all()) == [9]
    await reader.close()
    world.restore(saved)
    world.last = last
    world.step(later)
    refusal = await refused(world, every=every, token=reader.token)
    assert (type(refusal), refusal.reason) == (OutOfRange, "RESUME_TOKEN_DIVERGED")
    fresh = world.stream(every=every)
    assert revisions(await fresh.all()) == [4 + later]
    await fresh.close()


@MODES
async def test_a_token_from_before_the_backup_goes_on_after_a_restore(world: World, every: bool):
    """What the token has seen is still so: nothing is missed, and nothing of the lost branch is shown."""
    reader = world.stream(every=every)
    await reader.all()
    await reader.close()
    world.step(3)
    saved, last = world.copy(), world.last
    world.step(5)
    world.restore(saved)
    world.last = last
    world.step(2)
    resumed = world.stream(every=every, token=reader.token)
    assert revisions(await resumed.all()) == ([2, 3, 4, 5, 6] if every else [6])
    await resumed.close()


async def test_a_restored_machine_hides_nothing():
    fleet = Fleet()
    fleet.put("a")
    saved, alive = fleet.copy(), dict(fleet.alive)
    for _ in range(3):
        fleet.put("a")
    reader = fleet.watching()
    await reader.all()
    await reader.close()
    for later in (0, 3, 30):
        fleet.restore(saved)
        fleet.alive = dict(alive)
        for _ in range(later):
            fleet.put("a")
        fleet.remove("a")
        again = fleet.watching(token=reader.token)
        with pytest.raises(OutOfRange) as refusal:
            await again.all()
        assert refusal.value.reason == "RESUME_TOKEN_DIVERGED"


async def test_a_token_is_not_taken_for_another_filter():
    fleet = Fleet()
    fleet.put("a")
    reader = fleet.watching(Filter(states=ON))
    await reader.all()
    await reader.close()
    for chosen in (Filter(), Filter(frozenset({"off"})), Filter(frozenset({"on", "off"})), Filter(tags=ON)):
        other = fleet.watching(chosen, token=reader.token)
        with pytest.raises(InvalidArgument) as refusal:
            await other.all()
        assert refusal.value.reason == "RESUME_TOKEN_INVALID"


async def test_a_token_is_not_taken_for_another_kind_of_watch(world: World):
    fleet = Fleet()
    fleet.put("i")
    reader = fleet.watching()
    await reader.all()
    await reader.close()
    assert (await refused(world, token=reader.token)).reason == "RESUME_TOKEN_INVALID"


@MODES
async def test_a_token_is_not_taken_for_another_mode(world: World, every: bool):
    reader = world.stream(every=every)
    await reader.all()
    await reader.close()
    assert (await refused(world, every=not every, token=reader.token)).reason == "RESUME_TOKEN_INVALID"


@MODES
async def test_a_token_is_not_taken_for_another_instance_of_the_same_name(world: World, every: bool):
    reader = world.stream(every=every)
    await reader.all()
    await reader.close()
    world.delete()
    world.create()
    world.step(5)
    assert (await refused(world, every=every, token=reader.token)).reason == "RESUME_TOKEN_INVALID"


@MODES
async def test_a_token_is_not_taken_by_another_store(world: World, every: bool):
    reader = world.stream(every=every)
    await reader.all()
    await reader.close()
    refusal = await refused(world, every=every, token=reader.token, watch=world.reopened("store-2"))
    assert (type(refusal), refusal.reason) == (OutOfRange, "RESUME_TOKEN_DIVERGED")


async def test_a_deletion_is_not_lost_when_history_is_pruned():
    """A delete lost at compaction: the watcher is told to start over rather than left with a ghost."""
    fleet = Fleet()
    fleet.put("a")
    fleet.put("b")
    reader = fleet.watching()
    await reader.all()
    await reader.close()
    fleet.remove("a")
    for _ in range(3):
        fleet.put("b")
    fleet.prune()
    again = fleet.watching(token=reader.token)
    with pytest.raises(OutOfRange) as refusal:
        await again.all()
    assert refusal.value.reason == "RESUME_TOKEN_EXPIRED"


async def test_history_that_is_pruned_while_it_is_read_is_no_silent_gap(world: World):
    reader = world.stream(every=True)
    await reader.all()
    await reader.close()
    world.step(300)
    resumed = world.stream(every=True, token=reader.token)
    assert isinstance(await resumed.read(), Changes)
    world.prune()
    with pytest.raises(OutOfRange) as refusal:
        await resumed.all()
    assert refusal.value.reason == "RESUME_TOKEN_EXPIRED"
    assert refusal.value.metadata == {"oldest_revision": "301"}


@MODES
async def test_an_instance_that_has_ended_ends_its_stream_and_loses_no_state(world: World, every: bool):
    """A client that reconnects after the end is not kept waiting for a change that cannot come."""
    reader = world.stream(every=every)
    await reader.all()
    world.commit()
    world.commit(status=Status.DONE)
    world.publish()
    frames = [frame for frame in [await reader.read()] if frame]
    assert revisions(frames) == ([2, 3] if every else [3])
    with pytest.raises(StopAsyncIteration):
        await reader.read()
    assert world.hub.count == 0
    for token in (reader.token, ""):
        again = world.stream(every=every, token=token)
        if not token:
            assert revisions([frame for frame in [await again.read()] if frame]) == [3]
        with pytest.raises(StopAsyncIteration):
            await again.read()
    assert world.hub.count == 0


async def test_a_deletion_while_a_stream_begins_is_not_missed(world: World):
    """The engine still has the instance in memory, the ledger does not, and the news has gone out already."""
    assert world.instance is not None
    stale = Loaded(world.instance, world.last)  # type: ignore[arg-type]  # it was created

    async def lagging(key: object, auth_json: str) -> Loaded:
        return stale

    world.delete()
    world.read = lagging  # type: ignore[method-assign]  # for this one moment
    world.watch = world.reopened("store-1")
    assert (await refused(world, every=True)).reason == "INSTANCE_NOT_FOUND"
