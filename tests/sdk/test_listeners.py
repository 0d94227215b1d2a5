"""A callback that is told of every update, until it is taken off."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from tests.sdk.fakes import Refusal, Watched, changes, snapshot

from stateward import RejectedByMachineAuthorizer, Update

DENIED = Refusal(grpc.StatusCode.PERMISSION_DENIED, "REJECTED_BY_MACHINE_AUTHORIZER")


class Heard:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.revisions: list[int] = []
        self.two = asyncio.Event()

    def __call__(self, update: Update) -> None:
        self.revisions.append(update.state.revision)
        if len(self.revisions) == 2:
            self.two.set()


async def test_a_callback_is_told_of_every_update_until_it_is_taken_off(server, instance) -> None:
    watched = Watched([snapshot(1), changes(2)])
    server.will("WatchInstance", watched)
    heard = Heard()
    listener = instance.on_change(heard)
    await heard.two.wait()
    assert listener.active
    listener.stop()
    listener.stop()
    await listener.wait()
    assert not listener.active
    assert heard.revisions == [1, 2]
    await watched.closed.wait()


async def test_it_ends_with_the_instance(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1), changes(2, end_at=2)]))
    heard = Heard()
    listener = instance.on_change(heard, mode="every_transition")
    await listener.wait()
    assert heard.revisions == [1, 2]


async def test_an_async_callback_is_waited_for(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1), changes(2, end_at=2)]))
    steps: list[str] = []

    async def slow(update: Update) -> None:
        steps.append(f"begin {update.state.revision}")
        await asyncio.sleep(0)
        steps.append(f"end {update.state.revision}")

    await instance.on_change(slow).wait()
    assert steps == ["begin 1", "end 1", "begin 2", "end 2"]


async def test_what_ends_the_stream_is_raised_to_who_waits(server, instance, caplog) -> None:
    server.will("WatchInstance", Watched([snapshot(1)], then=DENIED))
    with pytest.raises(RejectedByMachineAuthorizer):
        await instance.on_change(Heard()).wait()
    assert not caplog.records


async def test_what_ends_it_is_logged_if_nobody_waits(server, instance, caplog) -> None:
    watched = Watched([snapshot(1)])
    server.will("WatchInstance", watched)

    def broken(update: Update) -> None:
        raise ZeroDivisionError

    instance.on_change(broken)
    await watched.closed.wait()
    assert "a listener ended" in caplog.text


async def test_who_gives_up_waiting_leaves_it_at_work(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1), changes(2)]))
    heard = Heard()
    listener = instance.on_change(heard)
    await heard.two.wait()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(listener.wait(), 0.01)
    assert listener.active
    listener.stop()
    await listener.wait()
