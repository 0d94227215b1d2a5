"""How often a caller may call: buckets that fill with time, for each organisation, key and address."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stateward_server.api.rates import Brake, Buckets, Rates, network_of
from stateward_server.model.errors import Code, ResourceExhausted
from stateward_server.model.limits import RateLimits
from stateward_server.model.names import OrgId
from stateward_server.model.principal import Principal
from stateward_server.testing.clock import ManualClock, settle

NOW = 1_700_000_000_000


def who(org: str = "a", subject: str = "k") -> Principal:
    return Principal(OrgId(org), frozenset(), "{}", subject)


def refusal(rates: Rates, caller: Principal) -> ResourceExhausted:
    with pytest.raises(ResourceExhausted) as caught:
        rates.count(caller)
    assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    return caught.value


def taken(buckets: Buckets, name: str, now_ms: int) -> bool:
    if buckets.wait(name, now_ms):
        return False
    buckets.take(name, now_ms)
    return True


@given(
    per_second=st.integers(1, 3000),
    seconds=st.integers(1, 10),
    pauses=st.lists(st.integers(0, 1500), max_size=60),
)
def test_a_bucket_gives_what_a_plain_count_would_give(per_second: int, seconds: int, pauses: list[int]):
    buckets, held, now = Buckets(per_second, seconds), per_second * seconds * 1000, NOW
    for pause in pauses:
        now += pause
        held = min(held + pause * per_second, per_second * seconds * 1000)
        assert taken(buckets, "a", now) is (held >= 1000)
        held -= 1000 if held >= 1000 else 0


def test_the_wait_is_exactly_what_is_missing():
    buckets = Buckets(10, 2)
    assert [taken(buckets, "a", NOW) for _ in range(21)] == [True] * 20 + [False]
    assert buckets.wait("a", NOW) == 0.1
    assert buckets.wait("a", NOW + 99) == 0.001
    assert taken(buckets, "a", NOW + 100)
    assert buckets.wait("b", NOW) == 0.0


def test_a_clock_that_is_set_back_costs_one_bucket_and_no_more():
    buckets = Buckets(10, 2)
    for _ in range(20):
        buckets.take("a", NOW)
    assert buckets.wait("a", NOW - 3_600_000) == 0.1


def test_only_so_many_are_remembered_and_the_one_unused_for_longest_goes():
    buckets = Buckets(1, 1, kept=2)
    for name in ("a", "b", "a", "c"):
        buckets.take(name, NOW)
    assert len(buckets) == 2
    assert [bool(buckets.wait(name, NOW)) for name in "abc"] == [True, False, True]


def test_keys_are_counted_apart_and_organisations_over_all_their_keys():
    clock = ManualClock()
    rates = Rates(RateLimits(org_per_second=3, key_per_second=2), clock)
    for _ in range(4):
        rates.count(who(subject="one"))
    assert "this key" in refusal(rates, who(subject="one")).message
    rates.count(who(subject="two"))
    rates.count(who(subject="two"))
    refused = refusal(rates, who(subject="two"))
    assert "this organisation" in refused.message
    assert refused.metadata == {"limit": "3"}
    assert refused.retry_after == pytest.approx(1 / 3)
    rates.count(who(org="b", subject="one"))


async def test_what_is_refused_is_not_counted():
    clock = ManualClock()
    rates = Rates(RateLimits(org_per_second=1, key_per_second=1), clock)
    for _ in range(2):
        rates.count(who())
    for _ in range(50):
        refusal(rates, who())
    await clock.advance(1_000)
    rates.count(who())


async def test_a_paced_request_waits_for_its_turn():
    clock = ManualClock()
    rates = Rates(RateLimits(key_per_second=1), clock)
    for _ in range(2):
        await rates.pace(who())
    waiting = asyncio.ensure_future(rates.pace(who()))
    await clock.advance(999)
    assert not waiting.done()
    await clock.advance(1)
    await settle()
    assert waiting.done()


def test_without_limits_there_is_nothing_to_ask():
    assert Rates.of(RateLimits(), ManualClock()) is None
    assert Rates.of(RateLimits(org_per_second=1), ManualClock()) is not None
    assert Rates.of(RateLimits(key_per_second=1), ManualClock()) is not None


async def test_an_address_that_fails_too_often_is_not_listened_to_for_a_while():
    clock = ManualClock()
    limits = RateLimits(failures_per_second=1)
    brake = Brake(limits, clock)
    assert Brake(limits, clock).idle
    for port in range(10):
        brake.check(f"ipv4:10.0.0.7:{port}")
        brake.failed(f"ipv4:10.0.0.7:{port}")
    assert not brake.idle
    with pytest.raises(ResourceExhausted, match="invalid tokens from this address"):
        brake.check("ipv4:10.0.0.7:99")
    brake.check("ipv4:10.0.0.8:99")
    await clock.advance(1_000)
    brake.check("ipv4:10.0.0.7:99")


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("ipv4:10.0.0.7:1", "10.0.0.7"),
        ("ipv6:%5B2001:db8:1:2:3::4%5D:1", "2001:db8:1:2::/64"),
        ("ipv6:[::1]:1", "::/64"),
        ("ipv6:%5Bfe80::1%25eth0%5D:1", "fe80::/64"),
        ("ipv6:[::ffff:10.0.0.7]:1", "10.0.0.7"),
        ("unix:/run/s", "unix"),
        ("", ""),
    ],
)
def test_a_peer_counts_as_its_address_and_in_ipv6_as_its_network(peer: str, network: str):
    assert network_of(peer) == network


async def test_calls_without_a_token_are_counted_for_each_address():
    clock = ManualClock()
    brake = Brake(RateLimits(open_per_second=1), clock)
    for port in range(10):
        brake.count(f"ipv4:10.0.0.7:{port}")
    with pytest.raises(ResourceExhausted, match="calls without a token from this address"):
        brake.count("ipv4:10.0.0.7:99")
    brake.count("ipv4:10.0.0.8:99")
    brake.check("ipv4:10.0.0.7:99")  # which is another count
    await clock.advance(1_000)
    brake.count("ipv4:10.0.0.7:99")


def test_an_address_may_be_allowed_everything():
    brake = Brake(RateLimits(failures_per_second=0, open_per_second=0), ManualClock())
    for _ in range(5_000):
        brake.count("ipv4:10.0.0.7:1")
        brake.failed("ipv4:10.0.0.7:1")
        brake.check("ipv4:10.0.0.7:1")
    assert brake.idle
