"""A closed-loop load generator for SendEvent: each caller sends its next event when the last is answered.

Prints one JSON object: {"events", "seconds", "p50_ms", "p99_ms"}. Runs in a process of its own, with the bare
generated stub, so that it costs the same against any server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

import grpc
import uvloop

from stateward.v1 import instance_service_pb2, instance_service_pb2_grpc


async def call_until(
    stub: instance_service_pb2_grpc.InstanceServiceStub,
    name: str,
    metadata: tuple[tuple[str, str], ...],
    stop: float,
    times: list[float],
) -> None:
    """Send events to one instance, one after the other, noting how long each took."""
    request = instance_service_pb2.SendEventRequest(name=name, event_json='{"type":"toggle"}')
    while (began := time.perf_counter()) < stop:
        await stub.SendEvent(request, metadata=metadata)
        times.append(time.perf_counter() - began)


async def run(options: argparse.Namespace) -> None:
    """Warm up for a fifth of the time, then measure."""
    metadata = (("authorization", f"Bearer {options.token}"),) if options.token else ()
    async with grpc.aio.insecure_channel(options.target) as channel:
        stub = instance_service_pb2_grpc.InstanceServiceStub(channel)
        names = [
            f"machines/{options.machine}/instances/{n % options.instances}" for n in range(options.callers)
        ]

        async def phase(seconds: float) -> tuple[list[float], float]:
            times: list[float] = []
            began = time.perf_counter()
            await asyncio.gather(
                *(call_until(stub, name, metadata, began + seconds, times) for name in names)
            )
            return sorted(times), time.perf_counter() - began

        await phase(options.seconds / 5)
        print("warm", flush=True)
        await asyncio.to_thread(input)
        times, elapsed = await phase(options.seconds)
        report = {
            "events": len(times),
            "seconds": elapsed,
            "p50_ms": times[len(times) // 2] * 1000,
            "p99_ms": times[len(times) * 99 // 100] * 1000,
        }
        print(json.dumps(report), flush=True)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--machine", default="bench")
    parser.add_argument("--token", default="")
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--instances", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
