"""A bare grpc.aio server that streams fixed frames to its clients: the floor for bench_watch.py.

Prints its port. For each line of JSON on stdin, {"bursts": n, "pause": s}, every stream gets so many frames.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import uvloop

from stateward.v1 import instance_pb2
from stateward.v1 import subscription_service_pb2 as pb

TOKEN = "t" * 120


class Floor:
    """Knows its streams, and writes each frame once for all of them."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes]] = set()

    async def watch(self, _request: bytes, _context: Any) -> AsyncIterator[bytes]:
        """Send a snapshot, then whatever is handed out."""
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._queues.add(queue)
        yield pb.WatchInstanceResponse(resume_token=TOKEN, snapshot=_state()).SerializeToString()
        while True:
            yield await queue.get()

    async def hand_out(self, bursts: int, pause: float) -> None:
        """Give each stream so many frames, one at a time."""
        for _ in range(bursts):
            changes = pb.StateChanges(states=[_state()])
            frame = pb.WatchInstanceResponse(resume_token=TOKEN, epoch=1, changes=changes).SerializeToString()
            for queue in self._queues:
                queue.put_nowait(frame)
            await asyncio.sleep(pause)


def _state() -> instance_pb2.State:
    state = instance_pb2.State(
        revision=7, value_json='"on"', states=("on",), public_context_json='{"n":1}', settled=True
    )
    state.update_time.FromMicroseconds(int(time.time() * 1_000_000))
    return state


async def serve() -> None:
    """Print the port, then obey until stdin ends."""
    floor = Floor()
    server = grpc.aio.server(options=(("grpc.max_concurrent_streams", 100_000),))
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_stream_rpc_method_handler(floor.watch)
    service = grpc.method_handlers_generic_handler(
        "stateward.v1.SubscriptionService", {"WatchInstance": handler}
    )
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        await floor.hand_out(order["bursts"], order["pause"])
    await server.stop(0)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    uvloop.run(serve())
