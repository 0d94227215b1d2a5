"""SubscriptionService: frames of the watch room, one by one onto the stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import assert_never

from stateward.v1 import subscription_service_pb2 as pb
from stateward.v1 import subscription_service_pb2_grpc as rpc
from stateward_server.api import convert
from stateward_server.api.caller import Context, caller
from stateward_server.api.paths import parse_instance
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.frame import Changes, Draining, Frame, Progress, Snapshot
from stateward_server.watch.watch import Watch

_EVERY = {
    pb.WATCH_MODE_UNSPECIFIED: False,
    pb.WATCH_MODE_LATEST: False,
    pb.WATCH_MODE_EVERY_TRANSITION: True,
}


class SubscriptionServicer(rpc.SubscriptionServiceServicer):
    """Converts frames; flow control is gRPC's, buffering is the watch room's."""

    def __init__(self, watch: Watch, epoch: int) -> None:
        self._watch = watch
        self._epoch = epoch

    async def WatchInstance(
        self, request: pb.WatchInstanceRequest, _context: Context
    ) -> AsyncIterator[pb.WatchInstanceResponse]:
        who = caller.get()
        key = parse_instance(request.name, "name", who.org)
        every = _EVERY.get(request.mode)
        if every is None:
            raise InvalidArgument("INVALID_FIELD", f"mode {request.mode} is not known", field="mode")
        frames = self._watch.stream(key, who.auth_json, every=every, token=request.resume_token)
        async with aclosing(frames):
            async for frame in frames:
                yield self._response(frame)

    def _response(self, frame: Frame) -> pb.WatchInstanceResponse:
        response = pb.WatchInstanceResponse(resume_token=frame.token, epoch=self._epoch)
        match frame:
            case Snapshot():
                response.snapshot.CopyFrom(convert.state(frame.transition))
            case Changes():
                response.changes.states.extend(convert.state(each) for each in frame.transitions)
            case Progress():
                response.progress.revision = frame.revision
            case Draining():
                response.draining.SetInParent()
            case _:
                assert_never(frame)
        return response
