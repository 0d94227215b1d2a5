"""A publisher that never waits; a bounded buffer for each subscriber."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.watch.kit import KEY, MACHINE, ORG, transition

from stateward_server.model.ledger import Instance, InstanceKey, Transition
from stateward_server.model.names import InstanceUid, OrgId, VersionId, instance_name
from stateward_server.testing.clock import ManualClock, settle
from stateward_server.watch.buffer import Subscription
from stateward_server.watch.hub import Hub

OLD, NEW = InstanceUid(1), InstanceUid(2)
LIMIT = 10_000


def instance(uid: InstanceUid = OLD, key: InstanceKey = KEY) -> Instance:
    return Instance(uid, key, VersionId("ver_1"), 0)


@pytest.fixture
def hub() -> Hub:
    return Hub(ManualClock(0), progress_ms=15_000, buffer_bytes=LIMIT)


def publish(hub: Hub, instance: Instance, transitions: Sequence[Transition]) -> None:
    hub.publish(instance, transitions, transitions[-1].revision if transitions else 0)


def lapped(subscription: Subscription) -> bool:
    return subscription.lapped


def due(subscription: Subscription) -> bool:
    return subscription.tick


def taken(subscription: Subscription) -> list[int]:
    return [each.revision for each in subscription.take()]


def test_every_subscription_of_the_instance_gets_what_is_published(hub: Hub):
    both = [hub.open(KEY, every=True), hub.open(KEY, every=True)]
    publish(hub, instance(), [transition(1), transition(2)])
    publish(hub, instance(), [transition(3)])
    assert [taken(each) for each in both] == [[1, 2, 3], [1, 2, 3]]
    assert [taken(each) for each in both] == [[], []]


@pytest.mark.parametrize(
    "other",
    [InstanceKey(ORG, MACHINE, instance_name("other")), InstanceKey(OrgId("org_b"), KEY.machine, KEY.name)],
)
def test_other_instances_and_organisations_get_nothing(hub: Hub, other: InstanceKey):
    subscription = hub.open(other, every=True)
    publish(hub, instance(), [transition(1)])
    assert taken(subscription) == []


def test_latest_keeps_the_newest_only(hub: Hub):
    subscription = hub.open(KEY, every=False)
    publish(hub, instance(), [transition(1, size=LIMIT), transition(2, size=LIMIT)])
    publish(hub, instance(), [transition(3, size=LIMIT)])
    assert not subscription.lapped
    assert taken(subscription) == [3]


def test_an_unread_buffer_over_its_limit_is_dropped_and_marked(hub: Hub):
    subscription = hub.open(KEY, every=True)
    publish(hub, instance(), [transition(1, size=LIMIT // 2)])
    assert not lapped(subscription)
    publish(hub, instance(), [transition(2, size=LIMIT)])
    assert lapped(subscription)
    assert taken(subscription) == []


def test_what_is_published_at_once_is_never_too_much_for_a_reader_that_keeps_up(hub: Hub):
    subscription = hub.open(KEY, every=True)
    for first in (1, 4):
        publish(hub, instance(), [transition(first + n, size=LIMIT) for n in range(3)])
        assert not subscription.lapped
        assert taken(subscription) == [first, first + 1, first + 2]


def test_small_transitions_fill_a_buffer_too(hub: Hub):
    """An object has its price even if its snapshot is short."""
    subscription = hub.open(KEY, every=True)
    for revision in range(1, LIMIT):
        publish(hub, instance(), [transition(revision, size=2)])
    assert subscription.lapped


def test_reading_makes_room(hub: Hub):
    subscription = hub.open(KEY, every=True)
    for revision in range(1, 20):
        publish(hub, instance(), [transition(revision, size=LIMIT // 2)])
        assert taken(subscription) == [revision]
    assert not subscription.lapped


# ------------------------------------------------------------------ two instances, one name


def test_a_deletion_is_told_to_who_follows_that_instance(hub: Hub):
    subscription = hub.open(KEY, every=True)
    subscription.follow(OLD)
    publish(hub, instance(), [transition(1)])
    publish(hub, instance(), ())
    assert subscription.gone
    assert taken(subscription) == [1]


def test_a_later_instance_of_the_same_name_is_not_mixed_in(hub: Hub):
    subscription = hub.open(KEY, every=True)
    subscription.follow(OLD)
    publish(hub, instance(OLD), [transition(1)])
    publish(hub, instance(OLD), ())
    publish(hub, instance(NEW), [transition(1), transition(2)])
    assert taken(subscription) == [1]
    assert subscription.gone


def test_an_earlier_instance_of_the_same_name_is_forgotten(hub: Hub):
    subscription = hub.open(KEY, every=True)
    publish(hub, instance(OLD), [transition(7, size=LIMIT), transition(8, size=LIMIT)])
    publish(hub, instance(OLD), [transition(9, size=LIMIT)])
    publish(hub, instance(OLD), ())
    publish(hub, instance(NEW), [transition(1)])
    subscription.follow(NEW)
    assert not subscription.gone
    assert not subscription.lapped
    assert taken(subscription) == [1]


def test_who_follows_an_instance_that_was_deleted_meanwhile_hears_of_it(hub: Hub):
    subscription = hub.open(KEY, every=True)
    publish(hub, instance(OLD), ())
    publish(hub, instance(NEW), [transition(1)])
    subscription.follow(OLD)
    assert subscription.gone
    assert taken(subscription) == []


# ------------------------------------------------------------------ waking


async def test_a_reader_sleeps_until_there_is_something(hub: Hub):
    subscription = hub.open(KEY, every=True)
    waiting = asyncio.ensure_future(subscription.wait())
    await settle()
    assert not waiting.done()
    publish(hub, instance(), [transition(1)])
    await waiting


async def test_what_came_before_the_wait_ends_it_at_once(hub: Hub):
    subscription = hub.open(KEY, every=True)
    publish(hub, instance(), [transition(1)])
    await subscription.wait()
    again = asyncio.ensure_future(subscription.wait())
    await settle()
    assert not again.done()
    again.cancel()


async def test_a_sign_of_life_is_due_once_per_interval():
    clock = ManualClock(0)
    hub = Hub(clock, progress_ms=15_000)
    subscription = hub.open(KEY, every=True)
    running = asyncio.ensure_future(hub.run())
    await clock.advance(14_999)
    assert not due(subscription)
    await clock.advance(1)
    assert due(subscription)
    subscription.tick = False
    await clock.advance(15_000)
    assert due(subscription)
    assert not subscription.draining
    running.cancel()


def test_draining_reaches_subscriptions_of_now_and_later(hub: Hub):
    before = hub.open(KEY, every=True)
    hub.drain()
    after = hub.open(KEY, every=False)
    assert before.draining
    assert after.draining


def test_closing_frees_everything(hub: Hub):
    one, two = hub.open(KEY, every=True), hub.open(KEY, every=False)
    assert hub.count == 2
    hub.close(one)
    hub.close(one)
    assert hub.count == 1
    hub.close(two)
    assert hub.count == 0
    assert hub._instances == {}
    publish(hub, instance(), [transition(1)])
    assert taken(one) == []
