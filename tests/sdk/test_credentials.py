"""Who a client says it is, and what happens when the server does not believe it any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import jwt
import pytest
from tests.sdk.fakes import (
    TOKEN_EXPIRED,
    UNAVAILABLE,
    FakeServer,
    Refusal,
    Watched,
    about,
    changes,
    exchanged,
    got,
    listed,
    sent,
    snapshot,
    stirred,
    timestamp,
)

from stateward import (
    AccessRevoked,
    Anonymous,
    Client,
    DeadlineExceeded,
    Exchange,
    Identity,
    InvalidName,
    RetryPolicy,
    Role,
    SubjectTokenRejected,
    TokenExpired,
    Unauthenticated,
    Unavailable,
    blocking,
)
from stateward.v1 import account_service_pb2, org_pb2

ORG = "org_abcdefghijklmnopqrstuv"
INVALID = Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
REVOKED = Refusal(grpc.StatusCode.UNAUTHENTICATED, "ACCESS_REVOKED")
WEB = Exchange("web", "subject")


def lasting(seconds: float, name: str = "") -> str:
    return jwt.encode({"exp": time.time() + seconds, "jti": name}, "k" * 32, algorithm="HS256")


def bearers(server: FakeServer, method: str = "GetInstance") -> list[str]:
    """Return the tokens that the calls of a method came with."""
    calls = [call for call in server.received if call.method == method]
    return [str(call.metadata.get("authorization", "")).removeprefix("Bearer ") for call in calls]


def numbered() -> Iterator[str]:
    return (f"t{number}" for number in range(1, 100))


@pytest.fixture
def connect(server: FakeServer, retry: RetryPolicy) -> Callable[..., Client]:
    return lambda **options: Client.connect(server.target, retry=retry, **options)


async def get(client: Client) -> int:
    return (await client.machine("toggle").instance("s1").get()).revision


# ---------------------------------------------------------------------- a function that brings tokens


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_function_is_asked_once_while_its_token_is_valid(server, connect, is_async) -> None:
    tokens = iter([lasting(3600)])

    async def later() -> str:
        return next(tokens)

    server.will("GetInstance", got(1), UNAVAILABLE, got(2))
    async with connect(token_provider=later if is_async else lambda: next(tokens)) as client:
        assert [await get(client), await get(client)] == [1, 2]
    assert len(set(bearers(server))) == 1


async def test_a_function_is_asked_again_when_its_token_has_expired(server, connect) -> None:
    given = [lasting(-1, "a"), lasting(3600, "b")]
    tokens = iter(given)
    server.will("GetInstance", got(), got(), got())
    async with connect(token_provider=lambda: next(tokens)) as client:
        for _ in range(3):
            await get(client)
    assert bearers(server) == [given[0], given[1], given[1]]


@pytest.mark.parametrize("refusal", [TOKEN_EXPIRED, INVALID])
async def test_a_refused_call_is_sent_once_more_with_a_new_token(server, connect, sleeps, refusal) -> None:
    tokens = numbered()
    server.will("SendEvent", refusal, sent())
    async with connect(token_provider=lambda: next(tokens)) as client:
        await client.machine("toggle").instance("s1").send("go")
    assert bearers(server, "SendEvent") == ["t1", "t2"]
    first, second = server.requests("SendEvent")
    assert first == second
    assert first.request_id
    assert sleeps.delays == []


async def test_a_call_that_stays_refused_surfaces(server, connect) -> None:
    tokens = numbered()
    server.will("GetInstance", TOKEN_EXPIRED, TOKEN_EXPIRED, got(3))
    async with connect(token_provider=lambda: next(tokens)) as client:
        with pytest.raises(TokenExpired):
            await get(client)
        assert await get(client) == 3
    assert bearers(server) == ["t1", "t2", "t3"]


async def test_a_fixed_token_that_is_refused_surfaces_at_once(server, connect) -> None:
    server.will("GetInstance", TOKEN_EXPIRED)
    async with connect(token="old") as client:
        with pytest.raises(TokenExpired):
            await get(client)


async def test_what_a_function_raises_is_its_callers_problem(server, connect, sleeps) -> None:
    def broken() -> str:
        raise KeyError("no key")

    async with connect(token_provider=broken) as client:
        with pytest.raises(KeyError):
            await get(client)
    assert sleeps.delays == []


async def test_a_function_may_ask_for_another_attempt(server, connect, sleeps) -> None:
    answers: Iterator[Any] = iter([Unavailable("busy"), "t2"])

    def busy() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    server.will("GetInstance", got())
    async with connect(token_provider=busy) as client:
        await get(client)
    assert sleeps.delays == [1.0]


async def test_a_function_that_brings_something_else_is_told_so(connect) -> None:
    wrong: Any = lambda: b"t"  # noqa: E731 - one line is enough for it
    async with connect(token_provider=wrong) as client:
        with pytest.raises(TypeError, match="a token is text; the function that should bring one gave bytes"):
            await get(client)


async def test_waiting_for_a_token_counts_as_waiting_for_the_call(server, connect) -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    async with connect(token_provider=never) as client:
        instance = client.machine("toggle").instance("s1")
        with pytest.raises(DeadlineExceeded, match="the call was not sent"):
            await instance.get(timeout=0.02)
    assert not server.received


async def test_closing_the_client_ends_the_wait_for_a_token(connect) -> None:
    asked = asyncio.Event()

    async def never() -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    client = connect(token_provider=never)
    call = asyncio.create_task(get(client))
    updates = client.machine("toggle").instance("s1").subscribe()
    reading = asyncio.create_task(anext(updates))
    await asked.wait()
    await client.aclose()
    for task in (call, reading):
        with pytest.raises(RuntimeError, match="the client is closed"):
            await task


# ---------------------------------------------------------------------- exchange


async def test_a_token_of_the_identity_provider_is_exchanged_once_for_all_calls(server, connect) -> None:
    async def subject() -> str:
        return "their-token"

    server.will("ExchangeToken", exchanged("ours"))
    server.will("GetInstance", *[got()] * 50)
    async with connect(org=ORG, exchange=Exchange("web", subject)) as client:
        await asyncio.gather(*(get(client) for _ in range(50)))
    (request,) = server.requests("ExchangeToken")
    assert request.token_provider == f"orgs/{ORG}/tokenProviders/web"
    assert request.subject_token == "their-token"
    assert bearers(server, "ExchangeToken") == [""]
    assert bearers(server) == ["ours"] * 50


async def test_fifty_refused_calls_are_one_exchange(server, connect) -> None:
    server.will("ExchangeToken", exchanged("first"), exchanged("second"))
    everybody_is_here = asyncio.Barrier(50)

    async def refused_together(_: object) -> Refusal:
        await everybody_is_here.wait()
        return TOKEN_EXPIRED

    server.will("GetInstance", *[refused_together] * 50, *[got()] * 50)
    async with connect(org=ORG, exchange=WEB) as client:
        await asyncio.gather(*(get(client) for _ in range(50)))
    assert bearers(server) == ["first"] * 50 + ["second"] * 50
    assert len(server.requests("ExchangeToken")) == 2


async def test_each_exchange_asks_for_the_subject_anew(server, connect) -> None:
    subjects = numbered()
    server.will("ExchangeToken", exchanged("a", expires_in=0), exchanged("b"))
    server.will("GetInstance", got(), got())
    async with connect(org=ORG, exchange=Exchange("web", lambda: next(subjects))) as client:
        await get(client)
        await get(client)
    assert [request.subject_token for request in server.requests("ExchangeToken")] == ["t1", "t2"]
    assert bearers(server) == ["a", "b"]


async def test_an_exchange_that_is_refused_surfaces(server, connect, sleeps) -> None:
    server.will("ExchangeToken", Refusal(grpc.StatusCode.PERMISSION_DENIED, "SUBJECT_TOKEN_REJECTED"))
    async with connect(org=ORG, exchange=WEB) as client:
        with pytest.raises(SubjectTokenRejected):
            await get(client)
    assert sleeps.delays == []


async def test_an_exchange_that_may_be_repeated_is_repeated(server, connect, sleeps) -> None:
    away = Refusal(grpc.StatusCode.UNAVAILABLE, "IDENTITY_PROVIDER_UNAVAILABLE", retry_after=2.0)
    server.will("ExchangeToken", away, exchanged("ours"))
    server.will("GetInstance", got())
    async with connect(org=ORG, exchange=WEB) as client:
        await get(client)
    assert sleeps.delays == [3.0]


# ---------------------------------------------------------------------- anonymous sessions


@pytest.mark.parametrize(
    ("given", "sid", "did"),
    [(True, None, None), (Anonymous("me"), "me", "me"), (Anonymous("me", "phone"), "me", "phone")],
)
async def test_an_anonymous_session_signs_for_itself(server, connect, given, sid, did) -> None:
    server.will("ExchangeToken", exchanged("ours"))
    server.will("GetInstance", got())
    async with connect(org=ORG, anonymous=given) as client:
        await get(client)
        assert client.session_id == (sid or client.session_id)
        assert client.acting_as({"a": 1}).session_id == client.session_id
    (request,) = server.requests("ExchangeToken")
    assert request.token_provider == f"orgs/{ORG}/tokenProviders/anonymous-statebacked-dev"
    place = f"https://{ORG}.anonymous.auth.statebacked.dev"
    assert jwt.get_unverified_header(request.subject_token) == {"alg": "HS256", "typ": "JWT"}
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        claims = jwt.decode(request.subject_token, ORG, ["HS256"], audience=place, issuer=place)
    assert (claims["sid"], claims["did"]) == (client.session_id, did or client.session_id)
    assert claims["exp"] - claims["iat"] == 86_400
    assert bearers(server) == ["ours"]


async def test_each_session_is_another_one(connect) -> None:
    ids = {connect(org=ORG, anonymous=True).session_id for _ in range(3)}
    assert len(ids) == 3
    assert all(ids)


async def test_only_anonymous_sessions_have_an_id(client) -> None:
    assert client.session_id is None


def test_whoever_knows_a_session_is_that_session() -> None:
    assert "secret" not in repr(Anonymous("secret", "secret"))
    assert "secret" not in repr(Exchange("web", "secret"))
    with pytest.raises(ValueError, match="not empty"):
        Anonymous("")


# ---------------------------------------------------------------------- streams


async def test_every_kind_of_stream_goes_on_with_a_new_token(server, connect) -> None:
    heard = asyncio.Event()
    server.will("ExchangeToken", exchanged("first"), *[exchanged("second")] * 3)
    server.will("WatchInstance", Watched([snapshot(1)], then=TOKEN_EXPIRED), Watched([changes(2)]))
    server.will(
        "WatchInstances",
        Watched([about("s1", snapshot(1))], then=TOKEN_EXPIRED, until=heard),
        Watched([about("s1", changes(2))]),
    )
    server.will(
        "WatchMachine",
        Watched([listed(("a", 1))], then=TOKEN_EXPIRED),
        Watched([stirred("~a2", token="t2")]),
    )
    async with connect(org=ORG, exchange=WEB) as client:
        toggle = client.machine("toggle")
        async with toggle.instance("s1").subscribe() as updates:
            assert [(await anext(updates)).state.revision for _ in range(2)] == [1, 2]
        async with client.watch_many() as many:
            many.add(toggle.instance("s1"))
            assert (await anext(many)).state.revision == 1
            heard.set()
            assert (await anext(many)).state.revision == 2
        async with toggle.watch() as events:
            assert [type(await anext(events)).__name__ for _ in range(3)] == ["Entered", "Synced", "Changed"]
    assert server.requests("WatchInstance")[1].resume_token == "after-1"
    assert server.requests("WatchMachine")[1].resume_token == "listed"
    assert bearers(server, "WatchInstance") == ["first", "second"]
    assert bearers(server, "WatchInstances") == ["second", "second"]


async def test_streams_that_expire_together_are_one_exchange(server, connect) -> None:
    server.will("ExchangeToken", exchanged("first"), exchanged("second"))
    first = Watched([snapshot(1)], then=TOKEN_EXPIRED)
    server.will("WatchInstance", *[first] * 20, *[Watched([changes(2)])] * 20)

    async with connect(org=ORG, exchange=WEB) as client:
        instance = client.machine("toggle").instance("s1")
        streams = [instance.subscribe() for _ in range(20)]
        # All are open before the first of them hears that its token has expired.
        for revision in (1, 2):
            assert {(await anext(each)).state.revision for each in streams} == {revision}
    assert bearers(server, "WatchInstance") == ["first"] * 20 + ["second"] * 20


async def test_a_token_that_expires_while_the_connection_is_lost_is_renewed(server, connect, sleeps) -> None:
    tokens = numbered()
    server.will(
        "WatchInstance",
        Watched([snapshot(1)], then=UNAVAILABLE),
        UNAVAILABLE,
        TOKEN_EXPIRED,
        Watched([changes(2)], then=TOKEN_EXPIRED),
        Watched([changes(3)]),
    )
    async with (
        connect(token_provider=lambda: next(tokens)) as client,
        client.machine("toggle").instance("s1").subscribe() as updates,
    ):
        assert [(await anext(updates)).state.revision for _ in range(3)] == [1, 2, 3]
    assert bearers(server, "WatchInstance") == ["t1", "t1", "t1", "t2", "t3"]


@pytest.mark.parametrize(
    ("refusal", "error"),
    [(TOKEN_EXPIRED, TokenExpired), (REVOKED, AccessRevoked), (INVALID, Unauthenticated)],
)
async def test_a_stream_that_stays_refused_surfaces(server, connect, refusal, error) -> None:
    tokens = numbered()
    server.will("WatchInstance", Watched([snapshot(1)], then=refusal), refusal)
    async with connect(token_provider=lambda: next(tokens)) as client:
        updates = client.machine("toggle").instance("s1").subscribe()
        await anext(updates)
        with pytest.raises(error):
            await anext(updates)
    assert bearers(server, "WatchInstance") == ["t1", "t2"]


async def test_a_stream_outlasts_an_identity_provider_that_is_away(server, connect) -> None:
    away = Refusal(grpc.StatusCode.UNAVAILABLE, "IDENTITY_PROVIDER_UNAVAILABLE")
    server.will("ExchangeToken", exchanged("first"), *[away] * 10, exchanged("second"))
    server.will("WatchInstance", Watched([snapshot(1)], then=TOKEN_EXPIRED), Watched([changes(2)]))
    async with (
        connect(org=ORG, exchange=WEB) as client,
        client.machine("toggle").instance("s1").subscribe() as updates,
    ):
        assert [(await anext(updates)).state.revision for _ in range(2)] == [1, 2]


# ---------------------------------------------------------------------- organisations, and who one is


async def test_the_organisation_meant_travels_with_every_call(server, connect) -> None:
    server.will("GetInstance", got())
    server.will("WatchInstance", Watched([snapshot(1)]))
    async with connect(org=ORG, token="t") as client:
        await get(client)
        async with client.machine("toggle").instance("s1").subscribe() as updates:
            await anext(updates)
    assert [call.metadata["stateward-org"] for call in server.received] == [ORG, ORG]


async def test_who_one_is(server, client) -> None:
    server.will(
        "WhoAmI",
        account_service_pb2.WhoAmIResponse(
            org=f"orgs/{ORG}",
            subject="users/usr_1",
            display_name="Ann",
            role=org_pb2.ROLE_DEVELOPER,
            scopes=["events.write", "machines.read"],
            auth_context_json='{"sub":"ann"}',
            expire_time=timestamp(),
        ),
        account_service_pb2.WhoAmIResponse(subject="keys/sbk_1", auth_context_json="{}"),
    )
    when = datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC)
    scopes = ("events.write", "machines.read")
    assert await client.who_am_i() == Identity(
        ORG, "users/usr_1", "Ann", Role.DEVELOPER, scopes, {"sub": "ann"}, when
    )
    assert await client.who_am_i() == Identity(None, "keys/sbk_1", "", None, (), {}, None)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"token": "t", "token_provider": lambda: "t"}, ValueError, "give one of token, token_provider"),
        ({"token": "t", "org": ORG, "anonymous": True}, ValueError, "give one of token"),
        ({"exchange": WEB, "org": ORG, "anonymous": Anonymous()}, ValueError, "give one of token"),
        ({"exchange": WEB}, ValueError, "needs to know the organisation: say org="),
        ({"anonymous": True}, ValueError, "needs to know the organisation: say org="),
        ({"exchange": Exchange("a/b", "s"), "org": ORG}, InvalidName, "not a valid service name"),
        ({"org": "a b"}, InvalidName, "not a valid organisation name"),
        ({"token": lambda: "t"}, TypeError, "a function that returns one is a token_provider"),
    ],
)
def test_what_says_no_one_clearly_is_refused(options: dict[str, Any], error, words) -> None:
    with pytest.raises(error, match=words):
        Client.connect("127.0.0.1:1", **options)


@pytest.mark.parametrize(
    "options",
    [{"token_provider": lambda: "t"}, {"exchange": WEB, "org": ORG}, {"anonymous": True, "org": ORG}],
)
def test_no_token_leaves_this_machine_unencrypted(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="would travel unencrypted"):
        Client.connect("example.com:1", **options)
    Client.connect("example.com:1", allow_plaintext=True, **options)


async def test_without_await_it_is_the_same(server) -> None:
    tokens = numbered()
    server.will("GetInstance", TOKEN_EXPIRED, got(2))
    server.will("ExchangeToken", exchanged("ours"))
    server.will("WhoAmI", account_service_pb2.WhoAmIResponse(subject="keys/sbk_1", auth_context_json="{}"))

    def script() -> tuple[int, str | None, str]:
        with blocking.Client.connect(server.target, token_provider=lambda: next(tokens)) as client:
            revision = client.machine("toggle").instance("s1").get().revision
        with blocking.Client.connect(server.target, org=ORG, anonymous=Anonymous("me")) as client:
            return revision, client.session_id, client.who_am_i().subject

    assert await asyncio.to_thread(script) == (2, "me", "keys/sbk_1")
    assert bearers(server) == ["t1", "t2"]
    assert bearers(server, "WhoAmI") == ["ours"]
