"""When a token is fetched, and who waits for it."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest

from stateward import Unavailable, _renewal
from stateward._credentials import expiry
from stateward._renewal import EARLY_LIMIT, PAUSE, Fetched, RenewedToken


@dataclass
class Issuer:
    """Gives out what it is told, by its own clock; while `open` is clear, whoever asks has to wait."""

    answers: deque[float | Exception] = field(default_factory=deque)
    """Seconds that each token lives, or what is raised instead."""
    now: float = 1000.0
    asked: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    asking: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    def will(self, *answers: float | Exception) -> RenewedToken:
        self.answers.extend(answers)
        return RenewedToken(self.fetch, clock=lambda: self.now)

    async def fetch(self) -> Fetched:
        self.asked += 1
        self.asking.set()
        await self.open.wait()
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return Fetched(f"t{self.asked}", self.now + answer)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


async def settled(tokens: RenewedToken) -> None:
    """Wait until nothing is being fetched."""
    if tokens._fetching is not None:
        await asyncio.wait([tokens._fetching])


async def test_nothing_is_fetched_before_it_is_needed_and_then_it_is_kept(issuer) -> None:
    tokens = issuer.will(100.0)
    assert issuer.asked == 0
    assert [await tokens.token() for _ in range(3)] == ["t1"] * 3
    issuer.now += 79.0
    assert await tokens.token() == "t1"
    assert issuer.asked == 1


@pytest.mark.parametrize(("life", "until"), [(100.0, 80.0), (86_400.0, 86_400.0 - EARLY_LIMIT)])
async def test_the_next_token_is_fetched_early_while_the_old_one_serves(issuer, life, until) -> None:
    tokens = issuer.will(life, life)
    await tokens.token()
    issuer.now += until - 1
    await tokens.token()
    await settled(tokens)
    assert issuer.asked == 1
    issuer.now += 1
    issuer.open.clear()
    assert [await tokens.token() for _ in range(3)] == ["t1"] * 3  # nobody waits
    issuer.open.set()
    await settled(tokens)
    assert await tokens.token() == "t2"
    assert issuer.asked == 2


async def test_an_expired_token_is_waited_for(issuer) -> None:
    tokens = issuer.will(100.0, 100.0)
    await tokens.token()
    issuer.now += 100.0
    assert await tokens.token() == "t2"


async def test_however_many_wait_it_is_fetched_once(issuer) -> None:
    tokens = issuer.will(100.0)
    issuer.open.clear()
    waiting = [asyncio.ensure_future(tokens.token()) for _ in range(100)]
    await issuer.asking.wait()
    issuer.open.set()
    assert await asyncio.gather(*waiting) == ["t1"] * 100
    assert issuer.asked == 1


async def test_whoever_stops_waiting_does_not_take_it_from_the_others(issuer) -> None:
    tokens = issuer.will(100.0)
    issuer.open.clear()
    first, second = asyncio.ensure_future(tokens.token()), asyncio.ensure_future(tokens.token())
    await issuer.asking.wait()
    first.cancel()
    await asyncio.wait([first])
    issuer.open.set()
    assert await second == "t1"


async def test_a_failure_harms_nobody_while_the_old_token_is_valid(issuer, caplog) -> None:
    tokens = issuer.will(100.0, RuntimeError("secret"), 100.0)
    await tokens.token()
    issuer.now += 80.0
    with caplog.at_level(logging.WARNING, "stateward"):
        assert await tokens.token() == "t1"
        await settled(tokens)
    assert [record.getMessage() for record in caplog.records] == [
        "the old token stays in use, as there was no new one: RuntimeError"
    ]
    issuer.now += PAUSE - 1
    assert await tokens.token() == "t1"
    await settled(tokens)
    assert issuer.asked == 2  # it is left alone for a while
    issuer.now += 1
    assert await tokens.token() == "t1"
    await settled(tokens)
    assert await tokens.token() == "t3"


async def test_a_failure_is_everybodys_once_there_is_no_valid_token(issuer) -> None:
    tokens = issuer.will(100.0, RuntimeError("down"), 100.0)
    await tokens.token()
    issuer.now += 100.0
    issuer.open.clear()
    waiting = [asyncio.ensure_future(tokens.token()) for _ in range(3)]
    await asyncio.sleep(0)
    issuer.open.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["down"] * 3
    assert await tokens.token() == "t3"


async def test_a_failure_that_nobody_waits_for_is_not_reported_as_lost(issuer) -> None:
    lost: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    tokens = issuer.will(100.0, RuntimeError("down"))
    await tokens.token()
    issuer.now += 80.0
    await tokens.token()
    await settled(tokens)
    gc.collect()
    assert lost == []


async def test_a_token_that_never_expires_is_kept(issuer) -> None:
    tokens = issuer.will(math.inf)
    await tokens.token()
    issuer.now += 1e9
    assert await tokens.token() == "t1"


async def test_a_token_that_seems_to_have_expired_is_used_all_the_same(issuer) -> None:
    """The clocks may differ: the server decides."""
    tokens = issuer.will(-5.0, -5.0)
    assert [await tokens.token(), await tokens.token()] == ["t1", "t2"]


async def test_a_refused_token_is_replaced_and_a_newer_one_is_not(issuer) -> None:
    tokens = issuer.will(100.0, 100.0)
    first = await tokens.token()
    tokens.refused(first)
    second = await tokens.token()
    tokens.refused(first)  # another call had it, too
    assert [first, second, await tokens.token()] == ["t1", "t2", "t2"]


async def test_fetching_has_a_limit(issuer, monkeypatch) -> None:
    monkeypatch.setattr(_renewal, "FETCH_LIMIT", 0.01)
    tokens = issuer.will(100.0)
    issuer.open.clear()
    with pytest.raises(Unavailable, match=r"there was no token within 0\.01 s"):
        await tokens.token()
    issuer.open.set()
    assert await tokens.token() == "t2"


async def test_a_timeout_of_the_issuers_own_is_passed_on(issuer) -> None:
    with pytest.raises(TimeoutError, match="its own"):
        await issuer.will(TimeoutError("its own")).token()


async def test_closing_ends_a_fetch(issuer) -> None:
    tokens = issuer.will(100.0)
    issuer.open.clear()
    caller = asyncio.ensure_future(tokens.token())
    await issuer.asking.wait()
    tokens.close()
    with pytest.raises(asyncio.CancelledError):
        await caller
    tokens.close()


def signed(**claims: object) -> str:
    return jwt.encode(claims, "k" * 32, algorithm="HS256")


@pytest.mark.parametrize(
    ("token", "seconds"),
    [
        (signed(exp=1_700_000_000, a="ä" * 7), 1_700_000_000.0),
        (signed(exp=1.5), 1.5),
        (signed(sub="x"), math.inf),
        (signed(exp="soon"), math.inf),
        (signed(exp=None), math.inf),
        (signed(exp=math.inf), math.inf),
        ("sat_abc", math.inf),
        ("a.!.c", math.inf),
        ("a.W10.c", math.inf),  # [] is no claims
        ("a.ZZZZ.c", math.inf),
        ("", math.inf),
    ],
)
def test_a_token_says_itself_when_it_expires(token: str, seconds: float) -> None:
    assert expiry(token) == seconds
