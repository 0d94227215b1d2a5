"""A bare grpc.aio server that answers SendEvent with a fixed state: the floor that bench.py compares with."""

from __future__ import annotations

import argparse
from typing import Any

import grpc
import uvloop

from stateward.v1 import instance_pb2, instance_service_pb2


async def answer(
    _request: instance_service_pb2.SendEventRequest, _context: grpc.aio.ServicerContext[Any, Any]
) -> instance_service_pb2.SendEventResponse:
    """Do nothing but what gRPC itself does."""
    state = instance_pb2.State(revision=7, value_json='"on"', states=("on",), public_context_json='{"n":1}')
    return instance_service_pb2.SendEventResponse(state=state, revision=7, condition_met=True)


async def serve() -> None:
    """Print the port, then serve until killed."""
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=instance_service_pb2.SendEventRequest.FromString,
        response_serializer=instance_service_pb2.SendEventResponse.SerializeToString,
    )
    service = grpc.method_handlers_generic_handler("stateward.v1.InstanceService", {"SendEvent": handler})
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    uvloop.run(serve())
