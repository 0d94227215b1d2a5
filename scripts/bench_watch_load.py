"""Subscribers and a sender of events in one process: the client side of bench_watch.py.

Opens the streams, says "warm", and then obeys lines of JSON on stdin, each answered with a line of JSON:
{"send": events, "callers": n, "pause": s} sends events and waits until every stream has seen them all;
{"idle": s} only listens; {"expect": n} says "ready", and waits for so many. Uses the bare generated stubs, so
that it costs the same against any server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import grpc
import uvloop

from stateward.v1 import instance_service_pb2, instance_service_pb2_grpc
from stateward.v1 import subscription_service_pb2 as pb


@dataclass(slots=True)
class Tally:
    """What has arrived."""

    frames: int = 0
    updates: int = 0
    bytes: int = 0
    delays: list[float] = field(default_factory=list)
    """Milliseconds from when a transition was computed, before its commit, to its arrival."""


class Streams:
    """Many subscribers on one connection, each with a stream of its own or all on one."""

    def __init__(self, channel: grpc.aio.Channel, metadata: Any) -> None:
        self._open = channel.unary_stream(
            "/stateward.v1.SubscriptionService/WatchInstance",
            request_serializer=pb.WatchInstanceRequest.SerializeToString,
            response_deserializer=lambda raw: raw,
        )
        self._open_many = channel.stream_stream(
            "/stateward.v1.SubscriptionService/WatchInstances",
            request_serializer=pb.WatchInstancesRequest.SerializeToString,
            response_deserializer=lambda raw: raw,
        )
        self._metadata = metadata
        self.tally = Tally()
        self.begun = 0
        self.arrived = asyncio.Event()

    async def watch(self, name: str) -> None:
        """Count what one stream brings."""
        request = pb.WatchInstanceRequest(name=name, mode=pb.WATCH_MODE_EVERY_TRANSITION)
        async for raw in self._open(request, metadata=self._metadata):
            self._count(raw, pb.WatchInstanceResponse.FromString(raw))

    async def watch_many(self, names: list[str]) -> None:
        """Count what one stream of many watches brings."""
        call = self._open_many(metadata=self._metadata)
        for name in names:
            add = pb.WatchAdd(name=name, mode=pb.WATCH_MODE_EVERY_TRANSITION)
            await call.write(pb.WatchInstancesRequest(add=add))
        async for raw in call:
            self._count(raw, pb.WatchInstancesResponse.FromString(raw))

    def _count(self, raw: bytes, frame: pb.WatchInstanceResponse | pb.WatchInstancesResponse) -> None:
        now = time.time()
        tally = self.tally
        tally.frames += 1
        tally.bytes += len(raw)
        for state in frame.changes.states:
            tally.updates += 1
            moment = state.update_time
            tally.delays.append((now - moment.seconds) * 1000 - moment.nanos / 1_000_000)
        if frame.HasField("snapshot"):
            self.begun += 1
        self.arrived.set()

    async def until(self, updates: int) -> None:
        """Return once so many updates have come."""
        while self.tally.updates < updates:
            self.arrived.clear()
            await self.arrived.wait()


async def send(
    stub: instance_service_pb2_grpc.InstanceServiceStub,
    names: list[str],
    metadata: Any,
    order: dict[str, Any],
) -> None:
    """Send events, several at a time, to the instances by turns."""
    left = count()
    wait = instance_service_pb2.Wait(point=instance_service_pb2.WAIT_POINT_COMMITTED)

    async def call() -> None:
        while (number := next(left)) < order["send"]:
            request = instance_service_pb2.SendEventRequest(
                name=names[number % len(names)], event_json='{"type":"toggle"}', wait=wait
            )
            await stub.SendEvent(request, metadata=metadata)
            await asyncio.sleep(order.get("pause", 0))

    await asyncio.gather(*(call() for _ in range(order["callers"])))


async def obey(streams: Streams, stub: Any, names: list[str], metadata: Any, order: dict[str, Any]) -> Any:
    """Do one thing and report on it."""
    streams.tally = tally = Tally()
    began = time.perf_counter()
    if "idle" in order:
        await asyncio.sleep(order["idle"])
    elif "send" in order:
        await asyncio.gather(
            send(stub, names, metadata, order), streams.until(order["send"] * order["subscribers"])
        )
    else:
        print("ready", flush=True)
        await streams.until(order["expect"])
    delays = sorted(tally.delays) or [0.0]
    return {
        "seconds": time.perf_counter() - began,
        "frames": tally.frames,
        "updates": tally.updates,
        "bytes": tally.bytes,
        "p50_ms": delays[len(delays) // 2],
        "p99_ms": delays[len(delays) * 99 // 100],
    }


async def run(options: argparse.Namespace) -> None:
    """Open the streams, then take orders."""
    metadata = (("authorization", f"Bearer {options.token}"),) if options.token else ()
    async with grpc.aio.insecure_channel(options.target) as channel:
        stub = instance_service_pb2_grpc.InstanceServiceStub(channel)
        streams = Streams(channel, metadata)
        names = [f"machines/bench/instances/{number}" for number in range(options.instances)]
        # A stream that ends ends everything.
        async with asyncio.TaskGroup() as tasks:
            if options.together:
                watching = [tasks.create_task(streams.watch_many(names))]
            else:
                watching = [
                    tasks.create_task(streams.watch(names[number % len(names)]))
                    for number in range(options.streams)
                ]
            while streams.begun < (len(names) if options.together else options.streams):
                streams.arrived.clear()
                await streams.arrived.wait()
            print("warm", flush=True)
            while line := await asyncio.to_thread(sys.stdin.readline):
                report = await obey(streams, stub, names, metadata, json.loads(line))
                print(json.dumps(report), flush=True)
            for task in watching:
                task.cancel()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--token", default="")
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--instances", type=int, required=True)
    parser.add_argument("--together", action="store_true", help="all watches on one stream")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
