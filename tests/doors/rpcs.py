"""Every RPC of the contract, found in the descriptors, and a call of any of them as the wire has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

import stateward.v1

Metadata = tuple[tuple[str, str | bytes], ...]
PATIENCE_S = 20
LOST = b"Internal error from Core"
"""What gRPC's client says of a call whose request it could not send."""


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC; `path` is what gRPC calls it."""

    path: str
    request: type[Message]
    response: type[Message]
    streams: bool
    """Whether it answers with a stream."""
    takes_stream: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def reads(self) -> bool:
        """Whether it changes nothing, as its name promises."""
        return not self.streams and self.name.startswith(("Get", "List", "Query", "WhoAmI"))


def _found() -> dict[str, Rpc]:
    files = [
        import_module(f"stateward.v1.{module.name}").DESCRIPTOR
        for module in iter_modules(stateward.v1.__path__)
        if module.name.endswith("_service_pb2")
    ]
    return {
        rpc.name: rpc
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
        for rpc in (
            Rpc(
                f"/{service.full_name}/{method.name}",
                GetMessageClass(method.input_type),
                GetMessageClass(method.output_type),
                method.server_streaming,
                method.client_streaming,
            ),
        )
    }


RPCS = _found()
"""By name: no two services have an RPC of the same name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the first message, or the refusal, and all else that the caller can see."""

    code: str
    reason: str
    details: dict[str, str]
    """The metadata of the ErrorInfo."""
    message: bytes
    status: bytes
    """The google.rpc.Status of a refusal."""
    seen: bytes
    """Everything."""


async def call(channel: grpc.aio.Channel, rpc: Rpc, request: Message, metadata: Metadata = ()) -> Answer:
    """Send one request and return what it is answered with, of a stream the first message."""
    while True:
        answer = await _call(channel, rpc, request, metadata)
        # A request that meets a refusal on its way is lost, and gRPC's client then forgets the refusal.
        if not (rpc.takes_stream and answer.code == "INTERNAL" and LOST in answer.seen):
            return answer


async def _call(channel: grpc.aio.Channel, rpc: Rpc, request: Message, metadata: Metadata) -> Answer:
    raw = request.SerializeToString()
    stream: Any
    wire: Any = channel  # whose stubs want to know more than bytes
    answered = asyncio.Event()
    if rpc.takes_stream:
        requests = _only(raw, answered)
        stream = wire.stream_stream(rpc.path)(requests, metadata=metadata, timeout=PATIENCE_S)
    else:  # to the wire, one response is a stream as well
        stream = wire.unary_stream(rpc.path)(raw, metadata=metadata, timeout=PATIENCE_S)
    message = await _first(stream)
    answered.set()
    if message is not None and rpc.streams:
        stream.cancel()
        return Answer("OK", "", {}, message, b"", message)
    trailers = await stream.trailing_metadata() or ()
    code, text = await stream.code(), await stream.details()
    seen = [message or b"", str(text).encode()]
    seen += [value if isinstance(value, bytes) else value.encode() for _, value in trailers]
    status = dict(trailers).get("grpc-status-details-bin", b"")
    reason, details = _info(status)
    return Answer(code.name, reason, details, message or b"", status, b"\n".join(seen))


async def _only(request: bytes, answered: asyncio.Event) -> AsyncIterator[bytes]:
    """Ask for one thing, and be there for the answer."""
    yield request
    await answered.wait()


async def _first(stream: Any) -> bytes | None:
    try:
        message = await stream.read()
    except grpc.aio.AioRpcError:
        return None
    return message if isinstance(message, bytes) else None


def _info(status: bytes) -> tuple[str, dict[str, str]]:
    for detail in status_pb2.Status.FromString(status).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason, dict(info.metadata)
    return "", {}
