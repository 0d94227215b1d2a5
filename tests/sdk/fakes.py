"""A real gRPC server on a free port whose answers are scripted: what the SDK is tested against.

Each method takes its next answer from its own script: a message, a `Refusal`, or an async function of the
request. For watches an answer is a `Watched`. Every request is kept, with its metadata.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus
from grpc_status import rpc_status
from tests.servers import held

from stateward.v1 import (
    account_service_pb2_grpc,
    dead_letter_service_pb2_grpc,
    instance_pb2,
    instance_service_pb2,
    instance_service_pb2_grpc,
    limits_service_pb2_grpc,
    machine_pb2,
    machine_service_pb2_grpc,
    subscription_service_pb2,
    subscription_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)

WatchResponse = subscription_service_pb2.WatchInstanceResponse
ManyResponse = subscription_service_pb2.WatchInstancesResponse
MachineResponse = subscription_service_pb2.WatchMachineResponse


@dataclass(frozen=True)
class Refusal:
    """An error of the server, as the contract writes them."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "no"
    metadata: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    domain: str = "stateward"

    def status(self) -> RpcStatus:
        details = []
        if self.reason:
            details.append(ErrorInfo(reason=self.reason, domain=self.domain, metadata=self.metadata))
        if self.retry_after is not None:
            delay = Duration()
            delay.FromTimedelta(timedelta(seconds=self.retry_after))
            details.append(RetryInfo(retry_delay=delay))
        status = RpcStatus(code=self.code.value[0], message=self.message)
        for detail in details:
            packed = AnyMessage()
            packed.Pack(detail)
            status.details.append(packed)
        return status

    async def raise_in(self, context: grpc.aio.ServicerContext[Any, Any]) -> NoReturn:
        await context.abort_with_status(rpc_status.to_status(self.status()))


UNAVAILABLE = Refusal(grpc.StatusCode.UNAVAILABLE, "DRAINING", "the server is shutting down")
TOKEN_EXPIRED = Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")


@dataclass
class Watched:
    """One opening of a watch: its frames, and how it goes on after them."""

    frames: Sequence[WatchResponse | ManyResponse | MachineResponse]
    then: Refusal | None = None
    """None leaves the stream open."""
    ends: bool = False
    """The server returns without an error."""
    until: asyncio.Event | None = None
    """What comes after the frames waits for this. A stream that ends while its client may still say something
    is reset, and frames that are on their way can be lost with it."""
    reply: Callable[[Any], Sequence[ManyResponse]] | None = None
    """What a stream of many watches answers to each thing it is told, after its frames."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the stream is over for the server, too."""


@dataclass(frozen=True)
class Received:
    method: str
    request: Any
    metadata: dict[str, str | bytes]
    seconds: float
    """How long the caller is willing to wait."""


class FakeServer:
    """Answers as scripted; an empty script is a failed test."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._place = held()
        self._scripts: dict[str, deque[Any]] = defaultdict(deque)
        self._server: grpc.aio.Server | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._place.getsockname()[1]}"

    def will(self, method: str, *answers: object) -> None:
        """Add answers to a method's script."""
        self._scripts[method].extend(answers)

    def requests(self, method: str) -> list[Any]:
        return [received.request for received in self.received if received.method == method]

    def unused(self) -> list[str]:
        return [method for method, script in self._scripts.items() if script]

    async def start(self) -> None:
        self._server = grpc.aio.server()
        machine_service_pb2_grpc.add_MachineServiceServicer_to_server(Machines(self), self._server)
        instance_service_pb2_grpc.add_InstanceServiceServicer_to_server(Instances(self), self._server)
        subscription_service_pb2_grpc.add_SubscriptionServiceServicer_to_server(
            Subscriptions(self), self._server
        )
        dead_letter_service_pb2_grpc.add_DeadLetterServiceServicer_to_server(Letters(self), self._server)
        limits_service_pb2_grpc.add_LimitsServiceServicer_to_server(Limits(self), self._server)
        account_service_pb2_grpc.add_AccountServiceServicer_to_server(Accounts(self), self._server)
        token_service_pb2_grpc.add_TokenServiceServicer_to_server(Tokens(self), self._server)
        self._server.add_insecure_port(self.target)
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)

    async def close(self) -> None:
        """Stop for good."""
        await self.stop()
        self._place.close()

    def take(self, method: str, request: object, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        metadata = {entry[0]: entry[1] for entry in context.invocation_metadata() or ()}
        self.received.append(Received(method, request, metadata, context.time_remaining()))
        script = self._scripts[method]
        return script.popleft() if script else Refusal(grpc.StatusCode.UNIMPLEMENTED, "", "no script")

    async def answer(self, method: str, request: object, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        answer = self.take(method, request, context)
        if callable(answer):
            answer = await answer(request)
        if isinstance(answer, Refusal):
            await answer.raise_in(context)
        return answer

    async def play(
        self, method: str, request: object, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        watched = self.take(method, request, context)
        if isinstance(watched, Refusal):
            await watched.raise_in(context)
        try:
            for frame in watched.frames:
                yield frame
            if watched.until is not None:
                await watched.until.wait()
            if watched.reply is not None:
                async for told in request:  # type: ignore[attr-defined]  # of such a method it is a stream
                    self.received.append(Received("told", told, {}, 0))
                    for frame in watched.reply(told):
                        yield frame
            if watched.then is not None:
                await watched.then.raise_in(context)
            if not watched.ends:
                await asyncio.Event().wait()
        finally:
            watched.closed.set()


def scripted(method: str) -> Any:
    """Make a servicer's method that answers from the script. (A method of every type, hence Any.)"""

    async def handle(
        self: Machines | Instances | Letters | Limits | Accounts | Tokens,
        request: object,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> Any:
        return await self.fake.answer(method, request, context)

    return handle


class Machines(machine_service_pb2_grpc.MachineServiceServicer):
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    CreateMachine = scripted("CreateMachine")
    GetMachine = scripted("GetMachine")
    ListMachines = scripted("ListMachines")
    UpdateMachine = scripted("UpdateMachine")
    DeleteMachine = scripted("DeleteMachine")
    CreateMachineVersion = scripted("CreateMachineVersion")
    GetMachineVersion = scripted("GetMachineVersion")
    ListMachineVersions = scripted("ListMachineVersions")


class Instances(instance_service_pb2_grpc.InstanceServiceServicer):
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    CreateInstance = scripted("CreateInstance")
    GetInstance = scripted("GetInstance")
    ListInstances = scripted("ListInstances")
    QueryIndex = scripted("QueryIndex")
    DeleteInstance = scripted("DeleteInstance")
    SendEvent = scripted("SendEvent")
    ListTransitions = scripted("ListTransitions")
    PauseInstance = scripted("PauseInstance")
    ResumeInstance = scripted("ResumeInstance")
    ListTimers = scripted("ListTimers")
    CancelTimer = scripted("CancelTimer")


class Letters(dead_letter_service_pb2_grpc.DeadLetterServiceServicer):
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    ListDeadLetters = scripted("ListDeadLetters")
    RetryDeadLetter = scripted("RetryDeadLetter")
    DiscardDeadLetter = scripted("DiscardDeadLetter")


class Limits(limits_service_pb2_grpc.LimitsServiceServicer):
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    GetLimits = scripted("GetLimits")


class Accounts(account_service_pb2_grpc.AccountServiceServicer):
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    WhoAmI = scripted("WhoAmI")
    CreateAccessToken = scripted("CreateAccessToken")
    ListAccessTokens = scripted("ListAccessTokens")
    DeleteAccessToken = scripted("DeleteAccessToken")


class Tokens(token_service_pb2_grpc.TokenServiceServicer):
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    ExchangeToken = scripted("ExchangeToken")


class Subscriptions(subscription_service_pb2_grpc.SubscriptionServiceServicer):
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    async def WatchInstance(  # noqa: N802 - gRPC's name
        self, request: object, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[WatchResponse]:
        async for frame in self.fake.play("WatchInstance", request, context):
            yield frame

    async def WatchInstances(  # noqa: N802 - gRPC's name
        self, requests: object, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[ManyResponse]:
        async for frame in self.fake.play("WatchInstances", requests, context):
            yield frame

    async def WatchMachine(  # noqa: N802 - gRPC's name
        self, request: object, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[MachineResponse]:
        async for frame in self.fake.play("WatchMachine", request, context):
            yield frame


@dataclass
class Sleeps:
    """Stands in for sleeping and for chance: remembers delays, and takes the longest one allowed."""

    delays: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        # A retry must not starve the server, which shares the loop.
        await asyncio.sleep(0)

    def random(self) -> float:
        return 1.0


WHEN = datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC)


def timestamp() -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(WHEN)
    return stamp


def state(revision: int, value: str = "on", *, ended: bool = False, **fields: Any) -> instance_pb2.State:
    """Make a state of the contract."""
    status = instance_pb2.MACHINE_STATUS_DONE if ended else instance_pb2.MACHINE_STATUS_ACTIVE
    return instance_pb2.State(
        **{
            "revision": revision,
            "value_json": f'"{value}"',
            "states": [value],
            "settled": True,
            "status": status,
            "done": ended,
            "update_time": timestamp(),
            **fields,
        }
    )


def instance(revision: int = 1, value: str = "on", *, name: str = "s1") -> instance_pb2.Instance:
    return instance_pb2.Instance(
        name=f"machines/toggle/instances/{name}",
        version="machines/toggle/versions/ver_1",
        state=state(revision, value),
        create_time=timestamp(),
    )


def got(revision: int = 1, value: str = "on") -> instance_service_pb2.GetInstanceResponse:
    return instance_service_pb2.GetInstanceResponse(instance=instance(revision, value))


def created(value: str = "on") -> instance_service_pb2.CreateInstanceResponse:
    return instance_service_pb2.CreateInstanceResponse(instance=instance(1, value), condition_met=True)


def sent(
    revision: int = 2, value: str = "off", *, replayed: bool = False
) -> instance_service_pb2.SendEventResponse:
    return instance_service_pb2.SendEventResponse(
        state=state(revision, value), revision=revision, condition_met=True, replayed=replayed
    )


def exchanged(token: str, expires_in: int = 3600) -> token_service_pb2.ExchangeTokenResponse:
    return token_service_pb2.ExchangeTokenResponse(access_token=token, expires_in=expires_in)


def machine(name: str = "toggle", version: str = "") -> machine_pb2.Machine:
    path = f"machines/{name}/versions/{version}" if version else ""
    return machine_pb2.Machine(name=f"machines/{name}", current_version=path, create_time=timestamp())


def machine_version(version: str = "ver_1") -> machine_pb2.MachineVersion:
    return machine_pb2.MachineVersion(
        name=f"machines/toggle/versions/{version}",
        xstate_version=machine_pb2.XSTATE_VERSION_5,
        client_info="abc",
        source_bytes=17,
        create_time=timestamp(),
    )


def snapshot(revision: int, *, ended: bool = False) -> WatchResponse:
    return WatchResponse(resume_token=f"after-{revision}", snapshot=state(revision, ended=ended))


def changes(*revisions: int, end_at: int = 0) -> WatchResponse:
    states = [state(revision, ended=revision == end_at) for revision in revisions]
    return WatchResponse(
        resume_token=f"after-{revisions[-1]}", changes=subscription_service_pb2.StateChanges(states=states)
    )


def progress(revision: int) -> WatchResponse:
    return WatchResponse(
        resume_token=f"after-{revision}", progress=subscription_service_pb2.WatchProgress(revision=revision)
    )


def draining(revision: int) -> WatchResponse:
    return WatchResponse(resume_token=f"after-{revision}", draining=subscription_service_pb2.WatchDraining())


def listed(*members: tuple[str, int], token: str = "listed", complete: bool = True) -> MachineResponse:
    """A page of a machine's watch."""
    instances = [instance(revision, name=name) for name, revision in members]
    page = subscription_service_pb2.MachineSnapshot(instances=instances, complete=complete)
    return MachineResponse(resume_token=token, snapshot=page)


def stirred(*what: str, token: str = "") -> MachineResponse:
    """Changes of a machine's watch: `+a1` entered, `~a2` changed, `-a3` left, `-a0` was deleted."""
    changes = []
    for each in what:
        name, revision = f"machines/toggle/instances/{each[1]}", int(each[2:])
        change = subscription_service_pb2.MachineChange(name=name)
        if each[0] == "+":
            change.entered.CopyFrom(state(revision))
        elif each[0] == "~":
            change.changed.CopyFrom(state(revision))
        else:
            change.left.revision = revision
        changes.append(change)
    return MachineResponse(
        resume_token=token or f"after {what[-1]}",
        changes=subscription_service_pb2.MachineChanges(changes=changes),
    )


def about(name: str, frame: WatchResponse) -> ManyResponse:
    """A frame of one watch, as one of many has it."""
    found = ManyResponse(name=f"machines/toggle/instances/{name}", resume_token=frame.resume_token)
    kind = frame.WhichOneof("frame")
    assert kind is not None
    getattr(found, kind).CopyFrom(getattr(frame, kind))
    return found


def over(name: str, refusal: Refusal | None = None) -> ManyResponse:
    """The end of one watch among many."""
    ended = ManyResponse(name=f"machines/toggle/instances/{name}")
    ended.ended.status.CopyFrom(refusal.status() if refusal else RpcStatus())
    return ended
