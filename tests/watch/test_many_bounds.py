"""Many watches on one stream: how much is held for a client, and what happens at the stream's ends."""

from __future__ import annotations

import asyncio

import pytest
from tests.watch.fleet import Fleet, key
from tests.watch.test_many import Stream, _to_the_end

from stateward_server.model.step import Status
from stateward_server.testing.clock import settle

LARGE = '"' + "x" * 400_000 + '"'


@pytest.fixture
def fleet() -> Fleet:
    fleet = Fleet()
    for name in "ab":
        fleet.put(name)
    return fleet


async def test_an_instance_that_ends_ends_its_watch_with_ok(fleet: Fleet):
    stream = Stream(fleet)
    async with stream.watches:
        await stream.add("a")
        await stream.said()
        fleet.put("a", status=Status.DONE)
        assert await stream.said() == ["a:c2", "a:!"]
        await stream.add("a")
        assert await stream.said() == ["a:s2", "a:!"]
    await stream.frames.close()


async def test_a_stream_that_is_not_read_holds_everything_back_and_loses_nothing(fleet: Fleet):
    stream = Stream(fleet)
    names = "cdefghij"
    async with stream.watches:
        for name in names:
            fleet.put(name)
        await stream.add(*names)
        await settle(400)
        for _ in range(3):
            for name in names:
                fleet.put(name, public=LARGE)
        await settle(400)
        assert stream.watches._channel._bytes < 1_500_000
        removing = asyncio.ensure_future(stream.watches.remove(key("c")))
        await settle(50)
        said = await stream.said()
        await removing
        said += await stream.said()
        for name in names[1:]:
            ours = "".join(each.partition(":")[2] for each in said if each.startswith(name))
            assert ours.replace(",", "c") == "s1c2c3c4"
        assert [each for each in said if each.startswith("c:")][-1] == "c:!"
    await stream.frames.close()


async def test_thousands_of_names(fleet: Fleet):
    stream = Stream(fleet, limit=3_000)
    names = [f"i{number}" for number in range(2_000)]
    async with stream.watches:
        for name in names:
            fleet.put(name)
        await stream.add(*names)
        assert len(await stream.said()) == 2_000
        fleet.put("i7")
        assert await stream.said() == ["i7:c2"]
    await stream.frames.close()
    assert fleet.hub.count == 0


async def test_what_is_added_while_the_server_drains_is_still_shown(fleet: Fleet):
    stream = Stream(fleet)
    async with stream.watches:
        await stream.add("a")
        await stream.said()
        fleet.hub.drain()
        await stream.add("b")
        assert sorted(await _to_the_end(stream)) == ["a:draining", "b:draining", "b:s1"]


async def test_a_client_that_asks_for_nothing_more_still_gets_everything(fleet: Fleet):
    stream = Stream(fleet)
    async with stream.watches:
        await stream.add("a")
        await stream.watches.no_more()
        assert await stream.said() == ["a:s1"]
        fleet.put("a")
        assert await stream.said() == ["a:c2"]
        fleet.put("a", status=Status.DONE)
        assert await _to_the_end(stream) == ["a:c3", "a:!"]


async def test_a_client_that_never_asks_for_anything_has_an_empty_stream(fleet: Fleet):
    stream = Stream(fleet)
    async with stream.watches:
        await stream.watches.no_more()
        assert await _to_the_end(stream) == []


@pytest.mark.parametrize("rounds", range(1, 40))
async def test_leaving_at_any_moment_frees_everything(fleet: Fleet, rounds: int):
    watches = Stream(fleet).watches
    frames = watches.frames()
    async with watches:
        for name in "ab":
            await watches.add(key(name), every=True, token="")
        fleet.put("a")
        reading = asyncio.ensure_future(anext(frames))
        await settle(rounds)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await frames.aclose()
    assert fleet.hub.count == 0
