"""What every RPC passes: size, authentication, scope, error translation, one log line; over a real socket."""

# ruff: noqa: N802 - the names are the contract's

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import LogCapture

from stateward.v1 import (
    dead_letter_service_pb2_grpc,
    machine_service_pb2_grpc,
    subscription_service_pb2,
    subscription_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from stateward.v1 import instance_service_pb2 as pb
from stateward.v1 import instance_service_pb2_grpc as rpc
from stateward_server.api.caller import caller
from stateward_server.api.edge import AUTH_CONTEXT_KEY, MAX_REQUEST_BYTES, Edge
from stateward_server.api.limits import LimitsServicer
from stateward_server.api.rates import Brake, Rates
from stateward_server.api.records import Records
from stateward_server.api.server import ApiServer
from stateward_server.api.streams import Streams
from stateward_server.audit.trail import Trail
from stateward_server.auth.authenticator import Authenticator
from stateward_server.auth.revocations import Revocations
from stateward_server.auth.scopes import PRODUCTION
from stateward_server.auth.secrets import Secrets
from stateward_server.model.errors import Aborted, InvalidArgument
from stateward_server.model.limits import Limits, RateLimits
from stateward_server.model.names import OrgId, mint
from stateward_server.model.org import Key, Member, Role
from stateward_server.model.principal import Principal
from stateward_server.ports.host import HostLost
from stateward_server.ports.store import StoreFault
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy
from stateward_server.testing.store_samples import sample_newcomer, with_owner

ADMIN_TOKEN = mint("sba", bytes(32))
METADATA = (("authorization", f"Bearer {ADMIN_TOKEN}"),)
GET = "/stateward.v1.InstanceService/GetInstance"
WATCH = "/stateward.v1.SubscriptionService/WatchInstance"

Answer = Callable[[Any], Awaitable[Any]]


async def empty(_request: Any) -> pb.GetInstanceResponse:
    return pb.GetInstanceResponse()


@dataclass
class Instances(rpc.InstanceServiceServicer):
    """Answers as the test says, and remembers who asked."""

    answer: Answer = empty
    callers: list[Principal] = field(default_factory=list)

    async def GetInstance(self, request: Any, context: Any) -> Any:
        self.callers.append(caller.get())
        return await self.answer(request)

    async def SendEvent(self, request: Any, context: Any) -> Any:
        self.callers.append(caller.get())
        return pb.SendEventResponse()


class Tokens(token_service_pb2_grpc.TokenServiceServicer):
    """Hands out nothing, to anyone."""

    async def ExchangeToken(self, request: Any, context: Any) -> Any:
        return token_service_pb2.ExchangeTokenResponse()


@dataclass
class Subscriptions(subscription_service_pb2_grpc.SubscriptionServiceServicer):
    """Streams what the test says, and tells when the stream is closed."""

    frames: Callable[[], AsyncIterator[Any]] | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def WatchInstance(self, request: Any, context: Any) -> AsyncIterator[Any]:
        assert self.frames is not None
        try:
            async for frame in self.frames():
                yield frame
        finally:
            self.closed.set()

    async def WatchInstances(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for _ in requests:
            yield subscription_service_pb2.WatchInstancesResponse()


@dataclass
class Served:
    """A running server, a channel to it, its collaborators, and what it logged."""

    api: ApiServer
    port: int
    channel: grpc.aio.Channel
    store: MemoryStore
    instances: Instances
    subscriptions: Subscriptions
    logs: list[Any]

    async def get(self, name: str = "", metadata: Any = METADATA) -> pb.GetInstanceResponse:
        call = rpc.InstanceServiceStub(self.channel).GetInstance
        return await call(pb.GetInstanceRequest(name=name), metadata=metadata)

    def watch(self, metadata: Any = METADATA) -> Any:
        stub = subscription_service_pb2_grpc.SubscriptionServiceStub(self.channel)
        return stub.WatchInstance(subscription_service_pb2.WatchInstanceRequest(), metadata=metadata)

    async def refused(self, call: Awaitable[Any]) -> Refused:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        return refusal(caught.value)

    def line(self) -> dict[str, Any]:
        """The one line of the one call."""
        [line] = [each for each in self.logs if each["event"] == "rpc_served"]
        return dict(line)


@dataclass(frozen=True)
class Refused:
    code: grpc.StatusCode
    reason: str
    metadata: dict[str, str]
    message: str


def refusal(error: grpc.aio.AioRpcError) -> Refused:
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    infos = []
    for each in status.details:
        info = error_details_pb2.ErrorInfo()
        if each.Unpack(info):
            infos.append(info)
    [info] = infos
    assert info.domain == "stateward"
    return Refused(error.code(), info.reason, dict(info.metadata), error.details() or "")


def retry_delay(error: grpc.aio.AioRpcError) -> float:
    """Return after how many seconds the server says to come back."""
    status = status_pb2.Status.FromString(dict(error.trailing_metadata() or ())["grpc-status-details-bin"])
    info = error_details_pb2.RetryInfo()
    assert any(each.Unpack(info) for each in status.details)
    return float(info.retry_delay.ToTimedelta().total_seconds())


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    capture = LogCapture()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[capture])
    yield capture.entries
    structlog.configure(processors=before)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def rates() -> RateLimits:
    """How often callers may call; tests that are about it say otherwise."""
    return RateLimits(failures_per_second=0)


@pytest.fixture
async def served(logs: list[Any], clock: ManualClock, rates: RateLimits) -> AsyncIterator[Served]:
    store = MemoryStore(clock=clock, entropy=SeededEntropy())
    org = OrgId(mint("org", bytes(16)))
    await with_owner(store, org, ADMIN_TOKEN)
    revocations = Revocations()
    trail = Trail(store)
    edge = Edge(
        Authenticator(store, Secrets(bytes(32)), clock, revocations),
        SeededEntropy(),
        Streams(clock, 20_000, revocations),
        Records(trail, clock, SeededEntropy()),
        rates=Rates.of(rates, clock),
        brake=Brake(rates, clock),
    )
    instances, subscriptions = cast(Any, Instances)(), cast(Any, Subscriptions)()
    server = ApiServer(
        edge,
        (
            cast(Any, machine_service_pb2_grpc.MachineServiceServicer)(),
            instances,
            subscriptions,
            cast(Any, dead_letter_service_pb2_grpc.DeadLetterServiceServicer)(),
            LimitsServicer(Limits()),
            cast(Any, Tokens)(),
        ),
    )
    port = server.bind("127.0.0.1:0")
    writing = asyncio.ensure_future(trail.run())
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Served(server, port, channel, store, instances, subscriptions, logs)
    await server.stop(0)
    writing.cancel()


# ------------------------------------------------------------------ who is calling


async def test_a_valid_token_reaches_the_servicer_as_a_principal(served: Served):
    await served.get()
    [principal] = served.instances.callers
    assert (principal.auth_json, principal.subject) == ("{}", "usr_1")
    assert served.line()["outcome"] == "OK"


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param((), id="none"),
        pytest.param((("authorization", ADMIN_TOKEN),), id="no scheme"),
        pytest.param((("authorization", f"Basic {ADMIN_TOKEN}"),), id="another scheme"),
        pytest.param((("authorization", "Bearer "),), id="no token"),
        pytest.param((("authorization", "Bearer wrong"),), id="wrong token"),
        pytest.param((("x-authorization", f"Bearer {ADMIN_TOKEN}"),), id="another header"),
    ],
)
async def test_without_a_valid_token_nothing_is_served(served: Served, metadata: Any):
    refused = await served.refused(served.get(metadata=metadata))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
    assert served.instances.callers == []
    assert served.line()["outcome"] == "TOKEN_INVALID"


async def test_a_stream_needs_a_token_too(served: Served):
    refused = await served.refused(served.watch(metadata=()).read())
    assert refused.reason == "TOKEN_INVALID"


async def test_the_scheme_may_be_written_in_any_case(served: Served):
    await served.get(metadata=(("authorization", f"bEARER {ADMIN_TOKEN}"),))


async def test_an_auth_context_takes_the_place_of_the_claims(served: Served):
    await served.get(metadata=(*METADATA, (AUTH_CONTEXT_KEY, b'{"sub":"alice"}')))
    assert served.instances.callers[0].auth_json == '{"sub":"alice"}'


async def test_an_auth_context_of_the_allowed_size_gets_through(served: Served):
    large = b'{"a":"' + b"x" * (16_384 - 8) + b'"}'
    assert len(large) == 16_384
    await served.get(metadata=(*METADATA, (AUTH_CONTEXT_KEY, large)))
    assert served.instances.callers[0].auth_json == large.decode()


async def test_an_auth_context_that_is_too_large_is_refused_with_its_reason(served: Served):
    refused = await served.refused(served.get(metadata=(*METADATA, (AUTH_CONTEXT_KEY, b"x" * 16_385))))
    assert (refused.reason, refused.metadata) == ("INVALID_JSON", {"field": "auth_context"})


async def test_callers_do_not_see_each_other(served: Served):
    both = asyncio.Barrier(2)

    async def answer(request: Any) -> pb.GetInstanceResponse:
        await both.wait()
        assert caller.get().auth_json == request.name
        return pb.GetInstanceResponse()

    served.instances.answer = answer
    names = ['{"sub":"a"}', '{"sub":"b"}']
    calls = [served.get(name, (*METADATA, (AUTH_CONTEXT_KEY, name.encode()))) for name in names]
    await asyncio.gather(*calls)


# ------------------------------------------------------------------ what it may do


async def test_a_missing_scope_is_named(served: Served):
    import jwt

    from stateward_server.auth import authenticator

    key_id = mint("sbk", bytes(16))
    scopes = tuple(sorted(PRODUCTION - {"state.read"}))
    await served.store.create_key(Key(key_id, OrgId("org"), "", scopes, 0), 9, None)
    body = {"aud": authenticator.AUDIENCE, "exp": 1_800_000_000}
    token = jwt.encode(body, Secrets(bytes(32)).signing_secret(key_id), headers={"kid": key_id})
    refused = await served.refused(served.get(metadata=(("authorization", f"Bearer {token}"),)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
    assert refused.metadata == {"scope": "state.read"}
    assert served.instances.callers == []


@pytest.mark.parametrize("method", ["Nothing", "getInstance", ""])
async def test_an_unknown_method_is_unimplemented(served: Served, method: str):
    call: Any = served.channel.unary_unary(f"/stateward.v1.InstanceService/{method}")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"", metadata=METADATA)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("service", ["", "stateward.v1.MachineService", "stateward.v1.LimitsService"])
async def test_health_needs_no_token(served: Served, service: str):
    stub: Any = health_pb2_grpc.HealthStub(served.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert served.logs == []


# ------------------------------------------------------------------ what is sent


async def test_a_request_of_the_allowed_size_is_served(served: Served):
    padding = MAX_REQUEST_BYTES - pb.GetInstanceRequest(name="x" * 3_000_000).ByteSize() + 3_000_000
    await served.get("x" * padding)
    assert served.line()["outcome"] == "OK"


@pytest.mark.parametrize("metadata", [METADATA, ()])
async def test_a_larger_request_is_refused_with_its_limit(served: Served, metadata: Any):
    refused = await served.refused(served.get("x" * MAX_REQUEST_BYTES, metadata))
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")
    assert refused.metadata == {"limit_bytes": str(MAX_REQUEST_BYTES)}
    assert served.instances.callers == []


@pytest.mark.parametrize("method", [GET, WATCH])
@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x01\xff", b"\x0a\x7f"])
async def test_bytes_that_are_no_request_are_refused(served: Served, method: str, body: bytes):
    call: Any = served.channel.unary_stream(method)
    refused = await served.refused(call(body, metadata=METADATA).read())
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_bytes_without_a_token_are_not_even_parsed(served: Served):
    call: Any = served.channel.unary_unary(GET)
    refused = await served.refused(call(b"\xff"))
    assert refused.reason == "TOKEN_INVALID"


# ------------------------------------------------------------------ what goes wrong


async def test_a_refusal_keeps_its_code_reason_words_and_metadata(served: Served):
    async def answer(_request: Any) -> Any:
        raise Aborted("REVISION_MISMATCH", "it is at 4, not 3", expected_revision=3, revision=4)

    served.instances.answer = answer
    refused = await served.refused(served.get())
    metadata = {"expected_revision": "3", "revision": "4"}
    assert refused == Refused(grpc.StatusCode.ABORTED, "REVISION_MISMATCH", metadata, "it is at 4, not 3")
    assert served.line()["outcome"] == "REVISION_MISMATCH"


@pytest.mark.parametrize("letter", ["\x00", "é", "\U0010ffff", "漢"])
async def test_the_longest_refusal_still_reaches_the_client(served: Served, letter: str):
    async def answer(request: Any) -> Any:
        raise InvalidArgument("INVALID_NAME", f"{request.name!r} is wrong", field="name")

    served.instances.answer = answer
    assert (await served.refused(served.get(letter * 3000))).reason == "INVALID_NAME"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(StoreFault("disk full"), "STORE_UNAVAILABLE"), (HostLost("pid 7"), "HOST_UNAVAILABLE")],
)
async def test_a_fault_of_store_or_host_means_try_again(served: Served, fault: Exception, reason: str):
    async def answer(_request: Any) -> Any:
        raise fault

    served.instances.answer = answer
    refused = await served.refused(served.get())
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, reason)
    assert str(fault) not in refused.message
    assert served.line()["outcome"] == reason


async def test_a_crash_tells_the_client_an_id_and_nothing_else(served: Served):
    async def answer(_request: Any) -> Any:
        raise RuntimeError("s3cret of the server")

    served.instances.answer = answer
    refused = await served.refused(served.get())
    assert (refused.code, refused.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    error_id = refused.metadata["error_id"]
    assert len(error_id) == 16
    assert error_id in refused.message
    assert "s3cret" not in refused.message
    [crash] = [each for each in served.logs if each["event"] == "rpc_crashed"]
    assert (crash["error_id"], crash["method"]) == (error_id, GET)
    assert served.line()["outcome"] == "INTERNAL"


async def test_a_crash_in_a_stream_ends_it_the_same_way(served: Served):
    async def frames() -> AsyncIterator[Any]:
        yield subscription_service_pb2.WatchInstanceResponse(epoch=1)
        raise RuntimeError("s3cret of the server")

    served.subscriptions.frames = frames
    call = served.watch()
    assert (await call.read()).epoch == 1
    assert (await served.refused(call.read())).reason == "INTERNAL"


async def test_a_refusal_in_a_stream_comes_after_its_frames(served: Served):
    async def frames() -> AsyncIterator[Any]:
        for epoch in (1, 2):
            yield subscription_service_pb2.WatchInstanceResponse(epoch=epoch)
        raise Aborted("STORE_CONFLICT", "enough")

    served.subscriptions.frames = frames
    call = served.watch()
    assert [(await call.read()).epoch, (await call.read()).epoch] == [1, 2]
    assert (await served.refused(call.read())).reason == "STORE_CONFLICT"


# ------------------------------------------------------------------ clients that go away


async def test_a_client_that_goes_away_ends_its_call(served: Served):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def answer(_request: Any) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    served.instances.answer = answer
    call = asyncio.ensure_future(served.get())
    await begun.wait()
    call.cancel()
    await ended.wait()
    await _until(lambda: served.logs)
    assert served.line()["outcome"] == "CANCELLED"


@pytest.mark.parametrize("busy", [False, True])
async def test_a_client_that_goes_away_closes_its_stream(served: Served, busy: bool):
    """Whether the server waits for news at that moment, or for the client to read."""

    async def frames() -> AsyncIterator[Any]:
        yield subscription_service_pb2.WatchInstanceResponse(epoch=1)
        while busy:
            yield subscription_service_pb2.WatchInstanceResponse(resume_token="x" * 1_000_000)
        await asyncio.Event().wait()

    served.subscriptions.frames = frames
    call = served.watch()
    await call.read()
    call.cancel()
    await served.subscriptions.closed.wait()
    await _until(lambda: served.logs)
    assert served.line()["outcome"] == "CANCELLED"


async def test_a_client_whose_deadline_passes_ends_its_call(served: Served):
    ended = asyncio.Event()

    async def answer(_request: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    served.instances.answer = answer
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rpc.InstanceServiceStub(served.channel).GetInstance(
            pb.GetInstanceRequest(), metadata=METADATA, timeout=0.05
        )
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await ended.wait()


# ------------------------------------------------------------------ what is logged


async def test_a_call_is_one_line_without_tokens_or_payloads(served: Served):
    stub = rpc.InstanceServiceStub(served.channel)
    metadata = (*METADATA, (AUTH_CONTEXT_KEY, b'{"sub":"cl4ims"}'))
    await stub.SendEvent(pb.SendEventRequest(name="n4me", event_json='{"type":"p4yload"}'), metadata=metadata)
    [line] = served.logs
    assert line.pop("elapsed_ms") >= 0
    assert line == {
        "event": "rpc_served",
        "log_level": "info",
        "method": "/stateward.v1.InstanceService/SendEvent",
        "outcome": "OK",
        "org": mint("org", bytes(16)),
        "subject": "usr_1",
    }


async def test_a_refused_call_is_logged_without_its_token(served: Served):
    await served.refused(served.get(metadata=(("authorization", "Bearer t0ken"),)))
    assert "t0ken" not in str(served.logs)
    assert "org" not in served.line()


async def test_every_stream_is_one_line(served: Served):
    async def frames() -> AsyncIterator[Any]:
        for epoch in range(3):
            yield subscription_service_pb2.WatchInstanceResponse(epoch=epoch)

    served.subscriptions.frames = frames
    assert [frame.epoch async for frame in served.watch()] == [0, 1, 2]
    assert served.line()["method"] == WATCH
    assert served.line()["outcome"] == "OK"


# ------------------------------------------------------------------ the server around it


async def test_a_taken_address_cannot_be_bound(served: Served):
    with pytest.raises(OSError, match="another server"):
        served.api.bind(f"127.0.0.1:{served.port}")


async def test_a_stopping_server_says_so_to_who_watches_its_health(served: Served):
    stub: Any = health_pb2_grpc.HealthStub(served.channel)
    watched = stub.Watch(health_pb2.HealthCheckRequest(service="stateward.v1.MachineService"))
    assert (await watched.read()).status == health_pb2.HealthCheckResponse.SERVING
    await served.api.stop_taking()
    assert (await watched.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def _until(true: Callable[[], object]) -> None:
    """Wait for what the server does just after the client has its answer."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what it waits for tells nobody
            await asyncio.sleep(0.001)


# ------------------------------------------------------------------ how often

WRONG = (("authorization", "Bearer wrong"),)


@pytest.mark.parametrize("rates", [RateLimits(key_per_second=1, failures_per_second=0)])
async def test_too_many_calls_are_told_when_to_come_back(served: Served, clock: ManualClock):
    for _ in range(2):
        await served.get()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.get()
    refused = refusal(caught.value)
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert refused.metadata == {"limit": "1"}
    assert retry_delay(caught.value) == 1.0
    assert len(served.instances.callers) == 2
    await clock.advance(1_000)
    await served.get()


@pytest.mark.parametrize("rates", [RateLimits(org_per_second=1, failures_per_second=0)])
async def test_a_stream_counts_when_it_is_opened(served: Served):
    async def frames() -> AsyncIterator[Any]:
        yield subscription_service_pb2.WatchInstanceResponse()

    served.subscriptions.frames = frames
    for _ in range(2):
        await served.watch().read()
    assert (await served.refused(served.watch().read())).reason == "RATE_LIMITED"


@pytest.mark.parametrize("rates", [RateLimits(key_per_second=1, failures_per_second=0)])
async def test_requests_on_a_stream_wait_for_their_turn(served: Served, clock: ManualClock):
    stub: Any = subscription_service_pb2_grpc.SubscriptionServiceStub(served.channel)
    call = stub.WatchInstances(metadata=METADATA)
    for _ in range(2):
        await call.write(subscription_service_pb2.WatchInstancesRequest())
    await call.read()  # the opening and this request were two
    second = asyncio.ensure_future(call.read())
    while not clock.sleeping:  # noqa: ASYNC110 - who falls asleep tells nobody
        await asyncio.sleep(0)
    assert not second.done()
    clock.set(clock.now_ms() + 1_000)
    assert await second == subscription_service_pb2.WatchInstancesResponse()


@pytest.mark.parametrize("rates", [RateLimits(failures_per_second=1)])
async def test_guessing_tokens_is_stopped_and_those_let_in_before_stay_in(served: Served, clock: ManualClock):
    await served.get()
    for _ in range(10):
        assert (await served.refused(served.get(metadata=WRONG))).reason == "TOKEN_INVALID"
    assert (await served.refused(served.get(metadata=WRONG))).reason == "RATE_LIMITED"
    unknown = mint("sba", bytes([1]) * 32)
    newcomer = sample_newcomer(unknown, "usr_2")
    member = Member(OrgId(mint("org", bytes(16))), newcomer.user, Role.VIEWER, 0)
    await served.store.put_newcomer(newcomer, member)
    right = (("authorization", f"Bearer {unknown}"),)
    assert (await served.refused(served.get(metadata=right))).reason == "RATE_LIMITED"
    await served.get()
    await clock.advance(1_000)
    await served.get(metadata=right)


@pytest.mark.parametrize("rates", [RateLimits(open_per_second=1)])
async def test_what_needs_no_token_may_not_be_called_without_end(served: Served, clock: ManualClock):
    call: Any = served.channel.unary_unary("/stateward.v1.TokenService/ExchangeToken")
    for _ in range(10):
        await call(b"")
    assert (await served.refused(call(b""))).reason == "RATE_LIMITED"
    await clock.advance(1_000)
    await call(b"")
