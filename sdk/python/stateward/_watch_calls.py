"""The streams of the contract as data: how to open one, as often as its connection is lost.

Building one checks its arguments and does no I/O. See `_calls` for what is answered once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import grpc

from . import _frames
from ._auth import Metadata
from ._calls import Stubs
from ._convert import condition_message, mode_number
from ._frames import Frame, MachineFrame, ManyFrame
from ._names import instance_path, machine_path, texts
from .state import IndexCondition, Mode
from .v1.subscription_service_pb2 import (
    InstanceFilter,
    WatchAdd,
    WatchInstanceRequest,
    WatchInstancesRequest,
    WatchInstancesResponse,
    WatchMachineRequest,
    WatchRemove,
)

Request = TypeVar("Request")
Response = TypeVar("Response")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Stream(Protocol[Result_co]):
    """An open watch. Reading raises grpc.aio.AioRpcError; None means that it ended without an error."""

    async def read(self) -> Result_co | None: ...

    def cancel(self) -> None: ...


class Watch(Protocol[Result_co]):
    """Opens a stream, as often as the connection is lost. The first read sends the request."""

    def __call__(self, stubs: Stubs, *, resume_token: str, metadata: Metadata) -> Stream[Result_co]: ...


@dataclass(frozen=True, slots=True)
class WatchCommand:
    """What to tell a stream of many watches: to watch an instance, or, without a mode, to stop that."""

    machine: str
    instance: str
    mode: Mode | None = None
    resume_token: str = ""

    def __post_init__(self) -> None:
        if self.mode is not None:
            mode_number(self.mode)


NextCommand = Callable[[], Awaitable[WatchCommand]]
"""Waits for the next thing to tell a stream."""


class ManyWatch(Protocol):
    """Opens a stream of many watches that does as it is told, as often as the connection is lost."""

    def __call__(self, stubs: Stubs, *, commands: NextCommand, metadata: Metadata) -> Stream[ManyFrame]: ...


def watch(machine: str, instance: str, mode: Mode) -> Watch[Frame]:
    name, number = instance_path(machine, instance), mode_number(mode)

    def open_(stubs: Stubs, *, resume_token: str, metadata: Metadata) -> Stream[Frame]:
        request = WatchInstanceRequest(name=name, mode=number, resume_token=resume_token)
        return _Reader(stubs.subscriptions.WatchInstance(request, metadata=metadata), _frames.frame)

    return open_


def watch_machine(
    machine: str, states: Iterable[str], tags: Iterable[str], indexes: Iterable[IndexCondition]
) -> Watch[MachineFrame]:
    conditions = [condition_message(each) for each in indexes]
    chosen = InstanceFilter(states=texts(states, "states"), tags=texts(tags, "tags"), indexes=conditions)
    parent = machine_path(machine)

    def open_(stubs: Stubs, *, resume_token: str, metadata: Metadata) -> Stream[MachineFrame]:
        request = WatchMachineRequest(parent=parent, filter=chosen, resume_token=resume_token)
        return _Reader(stubs.subscriptions.WatchMachine(request, metadata=metadata), _frames.machine_frame)

    return open_


def watch_many(stubs: Stubs, *, commands: NextCommand, metadata: Metadata) -> Stream[ManyFrame]:
    return _Dialogue(stubs.subscriptions.WatchInstances(metadata=metadata), commands)


def _request(command: WatchCommand) -> WatchInstancesRequest:
    name = instance_path(command.machine, command.instance)
    if command.mode is None:
        return WatchInstancesRequest(remove=WatchRemove(name=name))
    mode = mode_number(command.mode)
    return WatchInstancesRequest(add=WatchAdd(name=name, mode=mode, resume_token=command.resume_token))


class _Reader(Generic[Response, Result]):
    """Reads a stream of the contract as frames of ours."""

    def __init__(
        self,
        call: grpc.aio.UnaryStreamCall[Request, Response] | grpc.aio.StreamStreamCall[Request, Response],
        convert: Callable[[Response], Result],
    ) -> None:
        self._call = call
        self._convert = convert

    async def read(self) -> Result | None:
        message = await self._call.read()
        return None if message is grpc.aio.EOF else self._convert(message)  # type: ignore[arg-type]  # not EOF

    def cancel(self) -> None:
        self._call.cancel()


class _Dialogue(_Reader[WatchInstancesResponse, ManyFrame]):
    """Tells the server what to watch while it reads what comes."""

    def __init__(
        self,
        call: grpc.aio.StreamStreamCall[WatchInstancesRequest, WatchInstancesResponse],
        commands: NextCommand,
    ) -> None:
        super().__init__(call, _frames.many_frame)
        self._talking = asyncio.ensure_future(self._talk(call, commands))

    def cancel(self) -> None:
        if not self._talking.get_loop().is_closed():
            self._talking.cancel()
        super().cancel()

    async def _talk(
        self,
        call: grpc.aio.StreamStreamCall[WatchInstancesRequest, WatchInstancesResponse],
        commands: NextCommand,
    ) -> None:
        # When the stream is over, whoever reads it hears why.
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while True:
                await call.write(_request(await commands()))
