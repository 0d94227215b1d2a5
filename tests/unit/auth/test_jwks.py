"""Key sets from a real HTTP server: kept, rotated, shared, survived, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.unit.auth import kit
from tests.unit.auth.kit import ORG, OTHER_ORG
from tests.unit.fetch.kit import Server, Writer, reply, serving

from stateward_server.auth import jwks
from stateward_server.auth.jwks import KeySets, read_set
from stateward_server.auth.verification import read_jwk
from stateward_server.fetch.https import HttpsFetch
from stateward_server.model.errors import Unavailable
from stateward_server.model.names import OrgId
from stateward_server.ports.fetch import Document, FetchFailed
from stateward_server.testing.clock import ManualClock, settle

HOUR_MS = 3_600_000


class Issuer:
    """An identity provider: publishes the keys it is given, on a real server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{server.port}/jwks"

    def publish(self, **keys: object) -> None:
        self.answer(kit.jwks(*(kit.jwk(key, kid=kid) for kid, key in keys.items())))

    def answer(self, body: bytes, status: str = "200 OK", headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
        self.server.serve = reply(head.encode() + body)

    @property
    def asked(self) -> int:
        return len(self.server.requests)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with serving() as server:
        yield Issuer(server)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def key_sets(clock: ManualClock) -> KeySets:
    return KeySets(HttpsFetch(allow_private=True), clock)


FIRST = read_jwk(kit.jwk(kit.RSA))
SECOND = read_jwk(kit.jwk(kit.OTHER_RSA))


async def test_a_set_is_fetched_once_and_again_when_it_is_no_longer_fresh(issuer, key_sets, clock):
    issuer.publish(a=kit.RSA)
    for _ in range(3):
        assert await key_sets.find(ORG, issuer.url, "a", "RS256") == FIRST
    clock.set(clock.now_ms() + jwks.FRESH_S * 1000 - 1)
    assert await key_sets.find(ORG, issuer.url, "a", "RS256") == FIRST
    assert issuer.asked == 1

    issuer.publish(a=kit.OTHER_RSA)
    clock.set(clock.now_ms() + 1)
    assert await key_sets.find(ORG, issuer.url, "a", "RS256") == SECOND
    assert issuer.asked == 2


@pytest.mark.parametrize(("says_s", "kept_s"), [(300, 300), (0, 60), (999_999, 3_600)])
async def test_the_server_says_how_long_within_bounds(issuer, key_sets, clock, says_s, kept_s):
    issuer.answer(kit.jwks(kit.jwk(kit.RSA)), headers=f"cache-control: max-age={says_s}\r\n")
    await key_sets.find(ORG, issuer.url, None, "RS256")
    clock.set(clock.now_ms() + kept_s * 1000 - 1)
    await key_sets.find(ORG, issuer.url, None, "RS256")
    assert issuer.asked == 1
    clock.set(clock.now_ms() + 1)
    await key_sets.find(ORG, issuer.url, None, "RS256")
    assert issuer.asked == 2


async def test_a_new_key_is_found_at_once_after_a_rotation(issuer, key_sets, clock):
    issuer.publish(a=kit.RSA)
    await key_sets.find(ORG, issuer.url, "a", "RS256")
    clock.set(clock.now_ms() + jwks.PAUSE_MS)
    issuer.publish(a=kit.RSA, b=kit.OTHER_RSA)
    assert await key_sets.find(ORG, issuer.url, "b", "RS256") == SECOND
    assert await key_sets.find(ORG, issuer.url, "a", "RS256") == FIRST
    assert issuer.asked == 2


async def test_a_key_that_was_withdrawn_is_gone_when_the_set_is_read_again(issuer, key_sets, clock):
    issuer.publish(a=kit.RSA, b=kit.OTHER_RSA)
    await key_sets.find(ORG, issuer.url, "a", "RS256")
    issuer.publish(b=kit.OTHER_RSA)
    clock.set(clock.now_ms() + HOUR_MS)
    assert await key_sets.find(ORG, issuer.url, "a", "RS256") is None


async def test_a_new_key_that_comes_too_early_to_look_is_found_when_it_comes_again(issuer, key_sets, clock):
    issuer.publish(a=kit.RSA)
    await key_sets.find(ORG, issuer.url, "a", "RS256")
    issuer.publish(a=kit.RSA, b=kit.OTHER_RSA)
    clock.set(clock.now_ms() + jwks.PAUSE_MS - 2_500)
    with pytest.raises(Unavailable) as refusal:
        await key_sets.find(ORG, issuer.url, "b", "RS256")
    assert (refusal.value.reason, refusal.value.retry_after) == ("IDENTITY_PROVIDER_UNAVAILABLE", 2.5)
    assert issuer.asked == 1
    clock.set(clock.now_ms() + 2_500)
    assert await key_sets.find(ORG, issuer.url, "b", "RS256") == SECOND


async def test_invented_key_ids_do_not_become_requests(issuer, key_sets, clock):
    issuer.publish(a=kit.RSA)
    for asked in (1, 2):
        assert await key_sets.find(ORG, issuer.url, "invented", "RS256") is None
        for n in range(50):
            with pytest.raises(Unavailable):
                await key_sets.find(ORG, issuer.url, f"invented-{n}", "RS256")
        assert issuer.asked == asked
        clock.set(clock.now_ms() + jwks.PAUSE_MS)


async def test_whether_a_key_is_new_is_not_known_while_its_set_cannot_be_read(issuer, key_sets, clock):
    issuer.publish(a=kit.RSA)
    await key_sets.find(ORG, issuer.url, "a", "RS256")
    issuer.answer(b"", "500 Oops")
    clock.set(clock.now_ms() + jwks.PAUSE_MS)
    with pytest.raises(Unavailable):
        await key_sets.find(ORG, issuer.url, "b", "RS256")
    assert await key_sets.find(ORG, issuer.url, "a", "RS256") == FIRST
    assert issuer.asked == 2


async def test_many_callers_share_one_fetch_and_one_who_leaves_does_not_end_it(issuer, key_sets):
    release = asyncio.Event()
    issuer.publish(a=kit.RSA)
    answer = issuer.server.serve

    async def held(request: bytes, writer: Writer) -> None:
        await release.wait()
        await answer(request, writer)

    issuer.server.serve = held
    finds = [asyncio.create_task(key_sets.find(ORG, issuer.url, "a", "RS256")) for _ in range(20)]
    await settle()
    finds[0].cancel()
    await settle()
    release.set()
    assert await asyncio.gather(*finds[1:]) == [FIRST] * 19
    assert issuer.asked == 1
    with pytest.raises(asyncio.CancelledError):
        await finds[0]


BROKEN = [
    (b"", "500 Oops"),
    (b"", "302 Found"),
    (b"not json", "200 OK"),
    (b"[]", "200 OK"),
    (b"{}", "200 OK"),
    (b'{"keys": 5}', "200 OK"),
    (b"[" * 100_000, "200 OK"),
    (b"\xff\xfe", "200 OK"),
    (kit.jwks(*[kit.jwk(kit.P256)] * (jwks.MAX_KEYS + 1)), "200 OK"),
    (b" " * 300_000, "200 OK"),
]


@pytest.mark.parametrize(("body", "status"), BROKEN)
async def test_an_unusable_answer_is_no_key_set(issuer, key_sets, clock, body, status):
    issuer.answer(body, status)
    with pytest.raises(Unavailable) as refusal:
        await key_sets.find(ORG, issuer.url, "a", "RS256")
    assert refusal.value.reason == "IDENTITY_PROVIDER_UNAVAILABLE"
    assert refusal.value.retry_after == jwks.PAUSE_MS / 1000
    assert refusal.value.metadata == {}
    with pytest.raises(Unavailable):
        await key_sets.find(ORG, issuer.url, "a", "RS256")
    assert issuer.asked == 1

    issuer.publish(a=kit.RSA)
    clock.set(clock.now_ms() + jwks.PAUSE_MS)
    assert await key_sets.find(ORG, issuer.url, "a", "RS256") == FIRST


@pytest.mark.parametrize(("body", "status"), BROKEN)
async def test_the_keys_of_before_are_used_for_some_hours(issuer, key_sets, clock, body, status):
    issuer.publish(a=kit.RSA)
    await key_sets.find(ORG, issuer.url, "a", "RS256")
    issuer.answer(body, status)
    clock.set(clock.now_ms() + jwks.STALE_MS - 1)
    assert await key_sets.find(ORG, issuer.url, "a", "RS256") == FIRST
    assert issuer.asked == 2
    clock.set(clock.now_ms() + 1)
    with pytest.raises(Unavailable):
        await key_sets.find(ORG, issuer.url, "a", "RS256")


async def test_a_slow_server_is_an_unreachable_one(issuer, clock):
    key_sets = KeySets(HttpsFetch(allow_private=True, deadline_s=0.05), clock)
    never = asyncio.Event()

    async def slow(_request: bytes, writer: Writer) -> None:
        await never.wait()

    issuer.server.serve = slow
    with pytest.raises(Unavailable):
        await key_sets.find(ORG, issuer.url, "a", "RS256")
    never.set()


async def test_a_private_address_is_unreachable_unless_allowed(issuer, clock):
    issuer.publish(a=kit.RSA)
    key_sets = KeySets(HttpsFetch(), clock)
    assert key_sets.objection(issuer.url) == "it must begin with https://"
    for url in (issuer.url, issuer.url.replace("http:", "https:"), "https://localhost/jwks"):
        with pytest.raises(Unavailable):
            await key_sets.find(ORG, url, "a", "RS256")
    assert issuer.asked == 0


async def test_a_clock_that_was_set_back_delays_nothing(issuer, key_sets, clock):
    issuer.answer(b"", "500 Oops")
    with pytest.raises(Unavailable):
        await key_sets.find(ORG, issuer.url, "a", "RS256")
    clock.set(clock.now_ms() - HOUR_MS)
    issuer.publish(a=kit.RSA)
    assert await key_sets.find(ORG, issuer.url, "a", "RS256") == FIRST


async def test_without_a_key_id_the_only_fitting_key_is_taken(issuer, key_sets, clock):
    issuer.answer(
        kit.jwks(kit.jwk(kit.RSA, kid="a"), kit.jwk(kit.P256, kid="b"), kit.jwk(kit.RSA, use="enc"))
    )
    assert await key_sets.find(ORG, issuer.url, None, "RS256") == FIRST
    assert await key_sets.find(ORG, issuer.url, None, "ES256") == read_jwk(kit.jwk(kit.P256))
    for kid, misfit in [(None, "ES384"), ("b", "RS256"), ("a", "HS256")]:
        clock.set(clock.now_ms() + jwks.PAUSE_MS)
        assert await key_sets.find(ORG, issuer.url, kid, misfit) is None


async def test_which_of_several_keys_is_not_guessed(issuer, key_sets):
    issuer.publish(a=kit.RSA, b=kit.OTHER_RSA)
    assert await key_sets.find(ORG, issuer.url, None, "RS256") is None


def test_a_key_that_names_its_algorithm_is_for_that_alone():
    [key] = read_set(kit.jwks(kit.jwk(kit.RSA, alg="PS256", kid="a")))
    assert key.serves("a", "PS256")
    assert not key.serves("a", "RS256")


def test_what_is_not_understood_is_left_out_of_a_set():
    wrong: list[Any] = [5, None, [], {}, kit.jwk(kit.RSA, kid=5), kit.jwk(kit.RSA, alg=[])]
    [key] = read_set(kit.jwks(*wrong, kit.jwk(kit.P256, kid="b")))
    assert key.kid == "b"


class Held:
    """Fetches nothing until it is let go (Fetch)."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.let_go = asyncio.Event()

    def objection(self, url: str) -> str | None:
        return None

    async def fetch(self, url: str) -> Document:
        self.urls.append(url)
        await self.let_go.wait()
        raise FetchFailed("let go")


async def test_fetches_at_once_are_bounded_and_callers_beyond_are_told_to_wait(clock):
    held = Held()
    key_sets = KeySets(held, clock)
    finds = [
        asyncio.create_task(key_sets.find(OrgId(f"org-{n}"), f"https://{n}.example", "a", "RS256"))
        for n in range(jwks.MAX_FETCHES + 5)
    ]
    await settle()
    assert len(held.urls) == jwks.MAX_FETCHES
    assert sum(find.done() for find in finds) == 5
    held.let_go.set()
    outcomes = await asyncio.gather(*finds, return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)


async def test_slow_addresses_of_one_organisation_leave_room_for_others(clock):
    held = Held()
    key_sets = KeySets(held, clock)

    async def ask(org: OrgId, n: int) -> None:
        with pytest.raises(Unavailable):
            await key_sets.find(org, f"https://{n}.example", "a", "RS256")

    asked = [asyncio.create_task(ask(ORG, n)) for n in range(jwks.MAX_FETCHES)]
    await settle()
    assert len(held.urls) == jwks.MAX_FETCHES_EACH
    asked.append(asyncio.create_task(ask(OTHER_ORG, 99)))
    await settle()
    assert held.urls[-1] == "https://99.example"
    held.let_go.set()
    await asyncio.gather(*asked)
    # What is over counts no more.
    clock.set(clock.now_ms() + jwks.PAUSE_MS)
    await ask(ORG, 0)
    assert held.urls[-1] == "https://0.example"


async def test_sets_kept_are_bounded_and_the_longest_unused_goes(clock):
    held = Held()
    held.let_go.set()
    key_sets = KeySets(held, clock)
    for n in [*range(jwks.MAX_SETS), 0, jwks.MAX_SETS]:
        with pytest.raises(Unavailable):
            await key_sets.find(ORG, f"https://{n}.example", "a", "RS256")
    assert len(held.urls) == jwks.MAX_SETS + 1
    assert len(key_sets._sets) == jwks.MAX_SETS
    assert "https://0.example" in key_sets._sets
    assert "https://1.example" not in key_sets._sets
