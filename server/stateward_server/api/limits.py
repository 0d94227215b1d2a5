"""LimitsService: what this server refuses or cuts off."""

from __future__ import annotations

from stateward.v1 import limits_service_pb2 as pb
from stateward.v1 import limits_service_pb2_grpc as rpc
from stateward_server.api.caller import Context
from stateward_server.model.limits import Limits
from stateward_server.model.published import Unit, published

_UNIT = {
    Unit.COUNT: pb.LIMIT_UNIT_COUNT,
    Unit.BYTES: pb.LIMIT_UNIT_BYTES,
    Unit.MILLISECONDS: pb.LIMIT_UNIT_MILLISECONDS,
    Unit.CHARACTERS: pb.LIMIT_UNIT_CHARACTERS,
}


class LimitsServicer(rpc.LimitsServiceServicer):
    """Answers with what does not change while the server runs."""

    def __init__(self, limits: Limits) -> None:
        self._response = pb.GetLimitsResponse(
            limits=[
                pb.Limit(
                    name=each.name,
                    value=each.value,
                    unit=_UNIT[each.unit],
                    description=each.description,
                    reason=each.reason,
                )
                for each in published(limits)
            ]
        )

    async def GetLimits(self, _request: pb.GetLimitsRequest, _context: Context) -> pb.GetLimitsResponse:
        return self._response
