"""A secret in the private context, in events and in tokens is looked for in all that leaves a server."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from tests.e2e.kit import DESKS, Raw, published, raw
from tests.servers import SECONDS, Server, serving

from stateward.tokens import sign
from stateward.v1 import dead_letter_service_pb2 as letters
from stateward.v1 import dead_letter_service_pb2_grpc as letters_rpc
from stateward.v1 import instance_service_pb2 as pb
from stateward.v1 import machine_service_pb2 as machines
from stateward.v1 import subscription_service_pb2 as subscriptions

pytestmark = pytest.mark.slow

CONTEXT, EVENT, CLAIM = "canary-context-8c1f", "canary-event-77ab", "canary-claim-02d9"

# The secret is in the context whenever something goes wrong with it.
KEEPER = """
import { assign, createMachine, fromPromise, raise } from "xstate";
export const allowRead = ({ authContext }: any) => {
  if (authContext.sub === "broken") throw new Error("no");
  return authContext.sub !== "stranger";
};
export const allowWrite = allowRead;
const fails = fromPromise(async () => { throw new Error("service"); });
const hog = () => {
  const all: any[] = [];
  for (;;) all.push(new Array(1e6).fill("x"));
};
const never = fromPromise(() => new Promise(() => {}));
export default createMachine({
  context: ({ input }: any) => ({ public: { n: 0 }, secret: input.secret, more: null }),
  initial: "idle",
  on: {
    KEEP: { actions: assign({ more: ({ event }: any) => event.note }) },
    SHOW: { actions: assign({ public: ({ context }: any) => ({ n: context.public.n + 1 }) }) },
    MAP: { actions: assign({ more: ({ context }: any) => new Map([[context.secret, context.secret]]) }) },
    BIG: { actions: assign({ more: ({ context }: any) => context.secret.repeat(50_000) }) },
    THROW: { guard: () => { throw new Error("guard"); }, target: ".idle" },
    LATER: { actions: raise({ type: "SHOW" }, { delay: 3_600_000 }) },
    FAIL: ".failing",
    STICK: ".stuck",
    LOOP: ".round",
    HOG: { actions: assign({ more: hog }) },
  },
  states: {
    idle: { after: { 3_600_000: "over" } },
    failing: { invoke: { src: fails, input: ({ context }: any) => context.secret, onError: "idle" } },
    stuck: { invoke: { src: never, input: ({ context }: any) => context.secret } },
    round: { always: "about" },
    about: { always: "round" },
    over: { type: "final" },
  },
});
"""
EVENTS = (
    "KEEP",
    "SHOW",
    "MAP",
    "BIG",
    "THROW",
    "LATER",
    "FAIL",
    "LOOP",
    "HOG",
    "NOTHING",
    "xstate.x",
    "STICK",
)


class Said:
    """Everything that a server has said on the wire."""

    def __init__(self, wire: Raw) -> None:
        self.all: list[tuple[str, bytes]] = []
        self._wire = wire

    def note(self, what: str, message: Message | str) -> None:
        text = message.encode() if isinstance(message, str) else message.SerializeToString()
        self.all.append((what, text))

    async def call(self, service: Any, method: str, request: Message, metadata: Any = None) -> str:
        """Make a call, note its answer or its refusal, and return its code."""
        try:
            self.note(
                method, await getattr(service, method)(request, metadata=metadata or self._wire.metadata)
            )
        except grpc.aio.AioRpcError as error:
            self.note(method, f"{error.code()} {error.details()} {error.debug_error_string()}")
            for _, value in error.trailing_metadata() or ():
                self.all.append((method, value if isinstance(value, bytes) else str(value).encode()))
            return error.code().name
        return "OK"

    async def stream(self, what: str, stream: Any, frames: int) -> None:
        async with asyncio.timeout(SECONDS):
            for _ in range(frames):
                self.note(what, await stream.read())
        stream.cancel()

    def with_secret(self, *secrets: str) -> list[str]:
        return [what for what, said in self.all if any(secret.encode() in said for secret in secrets)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that says all it ever says."""
    with serving(tmp_path_factory.mktemp("talkative"), log_level="debug") as server:
        yield server


@pytest.fixture
async def wire(server: Server) -> AsyncIterator[Raw]:
    # The administrator acts for somebody whose claims are a secret, too.
    async with raw(server) as wire:
        yield Raw(
            wire.machines, wire.instances, wire.subscriptions, wire.acting_as({"sub": "ann", "x": CLAIM})
        )


async def everything(server: Server, wire: Raw, machine: str) -> Said:
    """Do all that can be done with an instance that has a secret, and some that cannot."""
    said = Said(wire)
    parent, path = f"machines/{machine}", f"machines/{machine}/instances/one"
    secret = json.dumps({"secret": CONTEXT})
    every = subscriptions.WATCH_MODE_EVERY_TRANSITION
    await said.call(
        wire.instances,
        "CreateInstance",
        pb.CreateInstanceRequest(parent=parent, instance_id="one", context_json=secret),
    )
    one = wire.subscriptions.WatchInstance(
        subscriptions.WatchInstanceRequest(name=path, mode=every), metadata=wire.metadata
    )
    whole = wire.subscriptions.WatchMachine(
        subscriptions.WatchMachineRequest(parent=parent), metadata=wire.metadata
    )
    many = wire.subscriptions.WatchInstances(metadata=wire.metadata)
    for name in (path, path + "x"):
        add = subscriptions.WatchAdd(name=name, mode=every)
        await many.write(subscriptions.WatchInstancesRequest(add=add))
    codes = {}
    for kind in EVENTS:
        event = json.dumps({"type": kind, "note": EVENT})
        request = pb.SendEventRequest(
            name=path, event_json=event, wait=pb.Wait(point=pb.WAIT_POINT_COMMITTED)
        )
        codes[kind] = await said.call(wire.instances, "SendEvent", request)
    refused = [kind for kind, code in codes.items() if code != "OK"]
    assert refused == ["MAP", "BIG", "THROW", "LOOP", "HOG", "xstate.x"]
    await said.stream("WatchInstance", one, 3)
    await said.stream("WatchMachine", whole, 3)
    await said.stream("WatchInstances", many, 4)
    for bad in (
        f'{{"type": "{EVENT}"',
        f'"{EVENT}',
        json.dumps([EVENT]),
        json.dumps({"type": 1, "x": EVENT}),
    ):
        assert (
            await said.call(wire.instances, "SendEvent", pb.SendEventRequest(name=path, event_json=bad))
            != "OK"
        )
    again = pb.CreateInstanceRequest(parent=parent, instance_id="one", context_json=secret)
    assert await said.call(wire.instances, "CreateInstance", again) == "ALREADY_EXISTS"
    bad_context = pb.CreateInstanceRequest(
        parent=parent, instance_id="two", context_json=f'{{"secret": "{CONTEXT}"'
    )
    assert await said.call(wire.instances, "CreateInstance", bad_context) == "INVALID_ARGUMENT"
    for sub in ("stranger", "broken"):
        other = wire.acting_as({"sub": sub, "x": CLAIM})[-1:]
        metadata = (*wire.metadata[:-1], *other)
        for method in ("GetInstance", "SendEvent"):
            fields = (
                {"event_json": json.dumps({"type": "SHOW", "note": EVENT})} if method == "SendEvent" else {}
            )
            request_of = getattr(pb, f"{method}Request")(name=path, **fields)
            assert await said.call(wire.instances, method, request_of, metadata) == "PERMISSION_DENIED"
    await said.call(wire.instances, "GetInstance", pb.GetInstanceRequest(name=path))
    await said.call(wire.instances, "ListInstances", pb.ListInstancesRequest(parent=parent))
    await said.call(wire.instances, "ListTimers", pb.ListTimersRequest(parent=path))
    await said.call(wire.machines, "GetMachine", machines.GetMachineRequest(name=parent))
    for path_ in ("/healthz", "/readyz"):
        said.note(path_, await asyncio.to_thread(fetched, f"http://{server.http}{path_}"))
    return said


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        text: str = answer.read().decode()
        return text


async def test_secrets_leave_the_server_nowhere(server: Server, wire: Raw) -> None:
    async with server.client() as client:
        machine = (await published(client, KEEPER)).name
    said = await everything(server, wire, machine)
    assert len(said.all) > 50
    assert said.with_secret(CONTEXT, EVENT, CLAIM) == []

    # History is for administrators: it has the events, as they came, and nothing of the context.
    history = Said(wire)
    path = f"machines/{machine}/instances/one"
    await history.call(wire.instances, "ListTransitions", pb.ListTransitionsRequest(parent=path))
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        stub: Any = letters_rpc.DeadLetterServiceStub(channel)
        request = letters.ListDeadLettersRequest(parent=f"machines/{machine}")
        await history.call(stub, "ListDeadLetters", request)
    assert history.with_secret(EVENT) == ["ListTransitions"]
    assert history.with_secret(CONTEXT, CLAIM) == []

    # The log has not said it, and does not say it after a crash either.
    server.restart()
    async with server.client() as client:
        await client.machine(machine).instance("one", auth_context={"sub": "ann", "x": CLAIM}).get()
    log = server.log.read_text()
    assert "rpc_served" in log
    profile = server.profile
    for secret in (CONTEXT, EVENT, CLAIM, profile["token"], profile["key_secret"]):
        assert secret not in log


@pytest.mark.parametrize("xstate", DESKS)
async def test_neither_a_users_token_nor_its_claims_are_in_the_log(server: Server, xstate: str) -> None:
    async with server.client() as client:
        desk = await published(client, DESKS[xstate])
    token = sign(server.profile["key_id"], server.profile["key_secret"], {"sub": "ann", "x": CLAIM})
    async with server.client(token=token) as user:
        instance = user.machine(desk.name).instance("one")
        await instance.create(context={"secret": CONTEXT})
        await instance.send({"type": "ADD", "note": EVENT})
    async with server.client(token=token[:-4] + "AAAA") as forger:
        with pytest.raises(Exception, match="valid token") as caught:
            await forger.machine(desk.name).instance("one").get()
    assert token[:-4] not in str(caught.value)
    log = server.log.read_text()
    for secret in (token, token[:-4], token.rpartition(".")[2], CONTEXT, EVENT, CLAIM):
        assert secret not in log
