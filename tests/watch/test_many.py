"""Many watches on one stream: each is as it would be alone, and ends alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import assert_never

import pytest
from tests.watch.fleet import Fleet, key
from tests.watch.kit import AUTH, Reader

from stateward_server.model.errors import InvalidArgument, StatewardError
from stateward_server.model.frame import Changes, Draining, Frame, Progress, Snapshot
from stateward_server.model.ledger import InstanceKey
from stateward_server.ports.store import StoreFault
from stateward_server.testing.clock import settle
from stateward_server.watch.many import Ended, ManyWatches


class Stream:
    """One stream of many watches, read a frame at a time."""

    def __init__(self, fleet: Fleet, limit: int = 100) -> None:
        self.fleet = fleet
        self.watches = ManyWatches(fleet.watch, AUTH, limit)
        self.frames = Reader[tuple[InstanceKey, Frame | Ended]](self.watches.frames())

    async def add(self, *names: str, every: bool = True, token: str = "") -> None:
        for name in names:
            await self.watches.add(key(name), every=every, token=token)

    async def said(self) -> list[str]:
        """What has come, such as `a:s1` for a snapshot at revision 1, `a:c2,3` for changes, `a:!REASON`."""
        return [_said(each, frame) for each, frame in await self.frames.all()]


def _said(name: InstanceKey, frame: Frame | Ended) -> str:
    match frame:
        case Snapshot():
            what = f"s{frame.transition.revision}"
        case Changes():
            what = "c" + ",".join(str(each.revision) for each in frame.transitions)
        case Progress():
            what = "progress"
        case Draining():
            what = "draining"
        case Ended(error):
            what = f"!{error.reason}" if error else "!"
        case _:
            assert_never(frame)
    return f"{name.name}:{what}"


@pytest.fixture
def fleet() -> Fleet:
    fleet = Fleet()
    for name in "ab":
        fleet.put(name)
    return fleet


@pytest.fixture
async def stream(fleet: Fleet) -> AsyncIterator[Stream]:
    stream = Stream(fleet)
    async with stream.watches:
        yield stream
    await stream.frames.close()
    assert fleet.hub.count == 0


async def test_each_watch_has_its_snapshot_and_its_changes(fleet: Fleet, stream: Stream):
    await stream.add("a", "b")
    assert sorted(await stream.said()) == ["a:s1", "b:s1"]
    fleet.put("b")
    fleet.put("a")
    assert sorted(await stream.said()) == ["a:c2", "b:c2"]


async def test_a_watch_can_be_added_and_resumed_while_others_run(fleet: Fleet, stream: Stream):
    alone = fleet.watch.stream(key("b"), AUTH, every=True, token="")
    token = (await anext(alone)).token
    await alone.aclose()
    await stream.add("a")
    await stream.said()
    fleet.put("b")
    await stream.add("b", token=token)
    assert await stream.said() == ["b:c2"]


async def test_a_removed_watch_ends_with_its_last_frame(fleet: Fleet, stream: Stream):
    await stream.add("a", "b")
    await stream.said()
    await stream.watches.remove(key("a"))
    fleet.put("a")
    fleet.put("b")
    assert await stream.said() == ["a:!", "b:c2"]
    assert fleet.hub.count == 1
    await stream.add("a")
    assert await stream.said() == ["a:s2"]


async def test_removing_what_is_not_watched_does_nothing(stream: Stream):
    await stream.watches.remove(key("a"))
    assert await stream.said() == []


async def test_what_is_watched_already_is_refused_and_goes_on(fleet: Fleet, stream: Stream):
    await stream.add("a", "a")
    assert sorted(await stream.said()) == ["a:!WATCH_EXISTS", "a:s1"]
    fleet.put("a")
    assert await stream.said() == ["a:c2"]


async def test_there_is_a_limit_of_watches(fleet: Fleet):
    stream = Stream(fleet, limit=1)
    async with stream.watches:
        await stream.add("a", "b")
        assert sorted(await stream.said()) == ["a:s1", "b:!TOO_MANY_WATCHES"]
        await stream.watches.remove(key("a"))
        await stream.add("b")
        assert await stream.said() == ["a:!", "b:s1"]
    await stream.frames.close()


async def test_a_refusal_ends_its_own_watch_only(fleet: Fleet, stream: Stream):
    fleet.verdict = lambda instance, entry, _: instance.key.name == "a" and entry.revision < 3
    await stream.add("a", "b", "c")
    await stream.add("d", token="nonsense")
    said = sorted(await stream.said())
    assert said == [
        "a:s1",
        "b:!REJECTED_BY_MACHINE_AUTHORIZER",
        "c:!INSTANCE_NOT_FOUND",
        "d:!INSTANCE_NOT_FOUND",
    ]
    fleet.put("a")
    fleet.put("a")
    assert await stream.said() == ["a:c2", "a:!REJECTED_BY_MACHINE_AUTHORIZER"]
    assert fleet.hub.count == 0
    fleet.verdict = lambda *_: True
    await stream.add("b")
    assert await stream.said() == ["b:s1"]


async def test_deleting_an_instance_ends_its_watch(fleet: Fleet, stream: Stream):
    await stream.add("a", "b")
    await stream.said()
    fleet.remove("a")
    fleet.put("b")
    assert sorted(await stream.said()) == ["a:!INSTANCE_NOT_FOUND", "b:c2"]


async def test_a_name_that_is_added_again_is_not_told_of_its_earlier_end(fleet: Fleet, stream: Stream):
    """Also when the stream is not read, so that the end waits in line."""
    names = [f"i{number}" for number in range(80)]
    for name in names:
        fleet.put(name)
    await stream.add("a", *names)
    await settle(300)
    fleet.remove("a")
    await settle(300)
    fleet.put("a")
    await asyncio.wait({again := asyncio.ensure_future(stream.add("a"))}, timeout=0)
    said = [each for each in await stream.said() if each.startswith("a:")]
    await again
    said += [each for each in await stream.said() if each.startswith("a:")]
    assert said == ["a:s1", "a:!INSTANCE_NOT_FOUND", "a:s1"]


async def test_a_fault_of_the_server_ends_the_stream(fleet: Fleet, stream: Stream):
    def fault() -> None:
        raise StoreFault("disk full")

    await stream.add("a")
    await stream.said()
    fleet.store.pause = fault
    await stream.add("b")
    with pytest.raises(StoreFault):
        await stream.said()


async def test_nonsense_from_the_client_ends_the_stream_after_what_came_before(stream: Stream):
    await stream.add("a")
    await settle()
    await stream.watches.fail(InvalidArgument("INVALID_FIELD", "nonsense"))
    frame = await stream.frames.read()
    assert frame is not None
    assert _said(*frame) == "a:s1"
    with pytest.raises(StatewardError, match="nonsense"):
        await stream.frames.read()


# ------------------------------------------------------------------ the end


async def _to_the_end(stream: Stream) -> list[str]:
    said: list[str] = []
    while True:
        try:
            frame = await stream.frames.read()
        except StopAsyncIteration:
            return said
        assert frame is not None, f"the stream has not ended after {said}"
        said.append(_said(*frame))


async def test_the_stream_ends_when_every_watch_has_drained(fleet: Fleet, stream: Stream):
    await stream.add("a", "b")
    await stream.said()
    fleet.put("a")
    fleet.hub.drain()
    assert sorted(await _to_the_end(stream)) == ["a:c2", "a:draining", "b:draining"]


async def test_a_stream_without_watches_ends_with_the_server(fleet: Fleet, stream: Stream):
    assert await stream.said() == []
    fleet.hub.drain()
    assert await _to_the_end(stream) == []


@pytest.mark.parametrize("first", ["a", "b"])
async def test_a_watch_that_ends_otherwise_does_not_keep_a_draining_stream(
    fleet: Fleet, stream: Stream, first: str
):
    await stream.add(*sorted("ab", reverse=first == "b"))
    await stream.said()
    fleet.remove("a")
    fleet.hub.drain()
    assert sorted(await _to_the_end(stream)) == ["a:!INSTANCE_NOT_FOUND", "b:draining"]


async def test_a_draining_stream_whose_last_watch_fails_ends(fleet: Fleet, stream: Stream):
    await stream.add("a")
    await stream.said()
    fleet.remove("a")
    fleet.hub.drain()
    assert await _to_the_end(stream) == ["a:!INSTANCE_NOT_FOUND"]


async def test_leaving_ends_every_watch(fleet: Fleet):
    stream = Stream(fleet)
    async with stream.watches:
        await stream.add("a", "b")
        await settle()
        assert fleet.hub.count == 2
    assert fleet.hub.count == 0
    await stream.frames.close()
