"""SubscriptionService: frames of the watch room, one by one onto the stream.

Flow control is gRPC's, buffering is the watch room's. A frame that many subscribers get is written once: the
methods yield bytes where they have them, which the edge's serializer passes on.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from stateward.v1 import subscription_service_pb2 as pb
from stateward.v1 import subscription_service_pb2_grpc as rpc
from stateward_server.api import frames
from stateward_server.api.caller import Context, caller
from stateward_server.api.paths import parse_instance, parse_machine
from stateward_server.auth.scopes import INDEXES
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.frame import Changes, Frame
from stateward_server.model.names import OrgId
from stateward_server.query.query import Query
from stateward_server.watch.machine import MachineWatch
from stateward_server.watch.many import ManyWatches
from stateward_server.watch.watch import Watch

_WRITTEN = 64


class SubscriptionServicer(rpc.SubscriptionServiceServicer):
    """Converts requests, opens watches, converts frames."""

    def __init__(self, watch: Watch, machine_watch: MachineWatch, query: Query, epoch: int) -> None:
        self._watch = watch
        self._machine_watch = machine_watch
        self._query = query
        self._epoch = epoch
        self._written: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    async def WatchInstance(self, request: pb.WatchInstanceRequest, _context: Context) -> AsyncIterator[Any]:
        who = caller.get()
        key = parse_instance(request.name, "name", who.org)
        every = frames.is_every(request.mode)
        stream = self._watch.stream(key, who.auth_json, every=every, token=request.resume_token)
        async with aclosing(stream):
            async for frame in stream:
                yield self._write(frame)

    async def WatchInstances(
        self, requests: AsyncIterator[pb.WatchInstancesRequest], _context: Context
    ) -> AsyncIterator[pb.WatchInstancesResponse]:
        who = caller.get()
        async with ManyWatches(self._watch, who.auth_json) as watches:
            reading = asyncio.ensure_future(_obey(requests, watches, who.org))
            stream = watches.frames()
            try:
                async with aclosing(stream):
                    async for key, frame in stream:
                        yield frames.many_response(key, frame, self._epoch)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def WatchMachine(
        self, request: pb.WatchMachineRequest, _context: Context
    ) -> AsyncIterator[pb.WatchMachineResponse]:
        who = caller.get()
        machine = parse_machine(request.parent, "parent")
        chosen = frames.chosen(request.filter)
        if chosen.indexes:
            who.require(INDEXES)
        await self._query.check_indexes(who.org, machine, {each.index for each in chosen.indexes})
        stream = self._machine_watch.stream(who.org, machine, who.auth_json, chosen, request.resume_token)
        async with aclosing(stream):
            async for frame in stream:
                yield frames.machine_response(frame, self._epoch)

    def _write(self, frame: Frame) -> object:
        """Return the frame's message, or its bytes if another subscriber may want the same."""
        if not isinstance(frame, Changes):
            return frames.response(frame, self._epoch)
        key = (frame.token, frame.transitions[0].revision)
        written = self._written.get(key)
        if written is None:
            written = frames.response(frame, self._epoch).SerializeToString()
            self._written[key] = written
            if len(self._written) > _WRITTEN:
                self._written.popitem(last=False)
        return written


async def _obey(requests: AsyncIterator[pb.WatchInstancesRequest], watches: ManyWatches, org: OrgId) -> None:
    """Add and remove watches as asked, until the client has no more to ask for, or asks for nonsense."""
    try:
        async for request in requests:
            match request.WhichOneof("action"):
                case "add":
                    key = parse_instance(request.add.name, "add.name", org)
                    every = frames.is_every(request.add.mode)
                    await watches.add(key, every=every, token=request.add.resume_token)
                case "remove":
                    await watches.remove(parse_instance(request.remove.name, "remove.name", org))
                case _:
                    raise InvalidArgument("INVALID_FIELD", "send add or remove", field="action")
    except Exception as error:  # noqa: BLE001 - it ends the stream, and the edge decides what it means
        await watches.fail(error)
    else:
        await watches.no_more()
