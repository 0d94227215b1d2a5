"""A queue in bytes: who waits is let in in turn, and who gives up leaves nothing behind."""

from __future__ import annotations

import asyncio

from stateward_server.testing.clock import settle
from stateward_server.watch.channel import Channel


async def test_what_fits_enters_at_once_and_the_rest_waits_its_turn():
    channel: Channel[str] = Channel(10)
    await channel.put("a", 6)
    waiting = [asyncio.ensure_future(channel.put(item, 6)) for item in "bc"]
    small = asyncio.ensure_future(channel.put("d", 1))
    await settle()
    assert not any(each.done() for each in (*waiting, small))
    assert [await channel.get() for _ in "abcd"] == list("abcd")
    await asyncio.gather(*waiting, small)


async def test_one_that_is_larger_than_the_limit_enters_alone():
    channel: Channel[str] = Channel(10)
    await channel.put("a", 100)
    after = asyncio.ensure_future(channel.put("b", 1))
    await settle()
    assert not after.done()
    assert await channel.get() == "a"
    assert await channel.get() == "b"
    await after


async def test_who_gives_up_never_was_there_and_lets_the_next_one_in():
    channel: Channel[str] = Channel(10)
    await channel.put("a", 8)
    large = asyncio.ensure_future(channel.put("b", 9))
    small = asyncio.ensure_future(channel.put("c", 1))
    await settle()
    large.cancel()
    await settle()
    assert small.done()
    assert [await channel.get() for _ in "ac"] == ["a", "c"]


async def test_who_is_cancelled_after_entering_is_in():
    channel: Channel[str] = Channel(10)
    await channel.put("a", 10)
    late = asyncio.ensure_future(channel.put("b", 10))
    await settle()
    assert await channel.get() == "a"
    late.cancel()
    await settle()
    assert await channel.get() == "b"


async def test_what_must_not_wait_enters_a_full_channel():
    channel: Channel[str] = Channel(10)
    await channel.put("a", 10)
    channel.push("b", 5)
    assert [await channel.get() for _ in "ab"] == ["a", "b"]


async def test_a_reader_waits_for_an_item():
    channel: Channel[str] = Channel(10)
    reading = asyncio.ensure_future(channel.get())
    await settle()
    assert not reading.done()
    await channel.put("a", 1)
    assert await reading == "a"
