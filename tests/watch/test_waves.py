"""Readers are woken at once while that is cheap, and in waves while there is too much news for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.watch.kit import KEY, transition

from stateward_server.model.ledger import Instance
from stateward_server.model.names import InstanceUid, VersionId, instance_name
from stateward_server.testing.clock import ManualClock
from stateward_server.watch.buffer import Subscription
from stateward_server.watch.hub import Hub
from stateward_server.watch.waves import Waves

INSTANCE = Instance(InstanceUid(1), KEY, VersionId("ver_1"), 0)


class Loop:
    """Time in the test's hands, for one timer."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> None:
        self.due.append((when, call))

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due, self.due = self.due, []
        for when, call in due:
            if when <= self.now:
                call()
            else:
                self.due.append((when, call))


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def hub(loop: Loop) -> Hub:
    return Hub(ManualClock(0), waker=Waves(loop.time, loop.call_at, cost_s=0.001))


def publish(hub: Hub, revision: int) -> None:
    hub.publish(INSTANCE, [transition(revision)], revision)


def woken(subscription: Subscription) -> bool:
    """Tell, once, whether the reader was woken."""
    was, subscription._awake = subscription._awake, False
    return was


def test_little_news_is_told_at_once(hub: Hub, loop: Loop):
    subscription = hub.open(KEY, every=True)
    for revision in range(1, 4):
        publish(hub, revision)
        assert woken(subscription)
        assert [each.revision for each in subscription.take()] == [revision]
        loop.advance(0.002)
    assert not loop.due


def test_news_that_comes_too_fast_is_told_together(hub: Hub, loop: Loop):
    readers = [hub.open(KEY, every=True) for _ in range(100)]
    publish(hub, 1)
    assert all(map(woken, readers))
    for reader in readers:
        reader.take()
    for revision in range(2, 10):
        publish(hub, revision)
    assert not any(map(woken, readers))
    assert len(loop.due) == 1
    loop.advance(0.1)
    assert all(map(woken, readers))
    assert {len(reader.take()) for reader in readers} == {8}
    publish(hub, 10)
    assert not any(map(woken, readers))
    loop.advance(0.1)
    assert all(map(woken, readers))


def test_who_watches_something_else_waits_no_longer_than_the_others_take(hub: Hub, loop: Loop):
    other = replace(INSTANCE, uid=InstanceUid(2), key=replace(KEY, name=instance_name("other")))
    crowd, one = [hub.open(KEY, every=True) for _ in range(10)], hub.open(other.key, every=True)
    publish(hub, 1)
    assert all(map(woken, crowd))
    hub.publish(other, [transition(1)], 2)
    assert not woken(one)
    loop.advance(0.010)
    assert woken(one)
    assert not any(map(woken, crowd))


def test_signs_of_life_and_last_words_do_not_wait(hub: Hub):
    subscription = hub.open(KEY, every=True)
    publish(hub, 1)
    publish(hub, 2)
    woken(subscription)
    hub.drain()
    assert woken(subscription)
    assert [each.revision for each in subscription.take()] == [1, 2]
