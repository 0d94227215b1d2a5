"""Clients that are killed, frozen, or do not read are noticed, and all they held is given up.

The settings are a thirtieth of the defaults: what takes 2 s here takes a minute there.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from tests.e2e.kit import OPEN, published, refusal
from tests.servers import SECONDS, Server, serving

from stateward import Client, Mode, _transport
from stateward.v1 import subscription_service_pb2 as pb
from stateward.v1 import subscription_service_pb2_grpc

pytestmark = pytest.mark.slow

WATCHER = Path(__file__).with_name("watcher.py")
GROWING = (
    'import { createMachine, assign } from "xstate";\n'
    + OPEN
    + """
export default createMachine({
  initial: "on",
  context: { public: { text: "" } },
  states: { on: { on: { grow: {
    actions: assign({ public: ({ event }: any) => ({ text: event.text }) }),
  } } } },
});
"""
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"keepalive_seconds": 1, "send_seconds": 1}
    with serving(tmp_path_factory.mktemp("server"), settings=settings) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with server.client() as client:
        yield client


def ends(server: Server, method: str) -> list[str]:
    """How the streams of a method have ended so far, in the server's own words."""
    found = []
    for line in server.log.read_text().splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("event") == "rpc_served" and entry["method"].endswith("/" + method):
            found.append(entry["outcome"])
    return found


async def until_ended(server: Server, method: str, count: int, seconds: float) -> list[str]:
    """Wait until so many streams have ended; return how."""
    deadline = time.monotonic() + seconds
    while len(found := ends(server, method)) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} streams have ended"
        await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def watcher(server: Server, machine: str, *names: str) -> AsyncIterator[subprocess.Popen[str]]:
    words = [sys.executable, str(WATCHER), str(server.data / "admin.json"), machine, *names]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220 - it only starts
        try:
            assert process.stdout is not None
            line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), SECONDS)
            assert line == "watching\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
async def test_a_client_that_dies_or_freezes_frees_everything(
    server: Server, client: Client, how: int
) -> None:
    machine = await published(client, GROWING)
    names = [f"i{number}" for number in range(20)]
    for name in names:
        await machine.instance(name).create()
    before = len(ends(server, "WatchInstance"))
    async with watcher(server, machine.name, *names) as process:
        process.send_signal(how)
        outcomes = await until_ended(server, "WatchInstance", before + 20, 10.0)
    assert outcomes[before:] == ["CANCELLED"] * 20


async def test_a_live_client_that_is_quiet_is_left_alone(server: Server, client: Client) -> None:
    machine = await published(client, GROWING)
    await machine.instance("i").create()
    before = len(ends(server, "WatchInstance"))
    async with watcher(server, machine.name, "i"):
        await asyncio.sleep(4)
        assert len(ends(server, "WatchInstance")) == before


@pytest.mark.parametrize("mode", [pb.WATCH_MODE_LATEST, pb.WATCH_MODE_EVERY_TRANSITION])
async def test_a_client_that_does_not_read_is_closed_and_told_why_when_it_does(
    server: Server, client: Client, mode: pb.WatchMode.ValueType
) -> None:
    machine = await published(client, GROWING)
    instance = machine.instance("i")
    await instance.create()
    before = len(ends(server, "WatchInstance"))
    # A window so small that few frames are on the way at once.
    options = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536))
    async with grpc.aio.insecure_channel(server.grpc, options=options) as channel:
        stub = subscription_service_pb2_grpc.SubscriptionServiceStub(channel)
        request = pb.WatchInstanceRequest(name=f"machines/{machine.name}/instances/i", mode=mode)
        call = stub.WatchInstance(request, metadata=(("authorization", f"Bearer {server.profile['token']}"),))
        frame = await call.read()
        assert isinstance(frame, pb.WatchInstanceResponse)
        for _ in range(8):
            await instance.send({"type": "grow", "text": "x" * 200_000})
        outcomes = await until_ended(server, "WatchInstance", before + 1, 10.0)
        assert outcomes[before:] == ["SUBSCRIBER_TOO_SLOW"]
        token, revisions = frame.resume_token, [1]
        with pytest.raises(grpc.aio.AioRpcError) as refused:  # noqa: PT012 - what comes before the refusal counts
            while isinstance(frame := await call.read(), pb.WatchInstanceResponse):
                token = frame.resume_token
                revisions += [state.revision for state in frame.changes.states]
        assert refusal(refused.value).reason == "SUBSCRIBER_TOO_SLOW"
        assert len(revisions) < 9
    again: list[int] = []
    chosen: Mode = "every_transition" if mode == pb.WATCH_MODE_EVERY_TRANSITION else "latest"
    async with machine.instance("i").subscribe(mode=chosen, resume_token=token) as updates:
        async for update in updates:
            again.append(update.state.revision)
            if update.state.revision == 9:
                break
    if mode == pb.WATCH_MODE_EVERY_TRANSITION:
        assert revisions + again == list(range(1, 10))


async def test_a_client_notices_a_frozen_server_and_goes_on_when_it_is_back(
    server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {
        "grpc.keepalive_time_ms": 1_000,
        "grpc.keepalive_timeout_ms": 500,
        "grpc.http2.ping_timeout_ms": 500,
    }
    options = [(name, quick.get(name, value)) for name, value in _transport.CHANNEL_OPTIONS]
    monkeypatch.setattr(_transport, "CHANNEL_OPTIONS", options)
    machine = await published(client, GROWING)
    await machine.instance("i").create()
    lost = asyncio.Event()
    async with (
        server.client(attempts=5) as watching,
        watching.machine(machine.name)
        .instance("i")
        .subscribe(mode="every_transition", on_reconnect=lambda _: lost.set()) as updates,
    ):
        assert (await anext(updates)).state.revision == 1
        waiting = asyncio.create_task(anext(updates))
        server.process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.wait_for(lost.wait(), 10)
        finally:
            server.process.send_signal(signal.SIGCONT)
        # By the client that repeats: the connection of the other broke as well.
        await watching.machine(machine.name).instance("i").send({"type": "grow", "text": "x"})
        assert (await asyncio.wait_for(waiting, SECONDS)).state.revision == 2
