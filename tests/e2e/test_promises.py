"""What a caller is told, what nobody is told, what a reply waits for, and how a server takes its leave."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.e2e.kit import DESKS, Raw, published
from tests.servers import Server, serving

from stateward import Client, Machine, Unavailable, Wait
from stateward.errors import RejectedByMachineAuthorizer
from stateward.v1 import instance_service_pb2 as pb
from stateward.v1 import subscription_service_pb2 as watch_pb

pytestmark = pytest.mark.slow

CANARY = "canary-5f1c2b"
STRANGER = {"sub": "stranger"}


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may end."""
    with serving(tmp_path) as server:
        yield server


async def test_every_reply_and_every_push_tells_the_whole_public_state(desk: Machine) -> None:
    instance = desk.instance("one")
    await instance.create(context={"secret": CANARY})
    pushed = []
    async with instance.subscribe(mode="every_transition") as updates:
        assert (await anext(updates)).state.revision == 1
        replies = [(await instance.send(event)).state for event in ("NEST", "FILL", "RELEASE", "END")]
        async for update in updates:
            pushed.append(update.state)
            if update.state.done:
                break
    assert pushed == replies
    nested, filled, _, ended = replies
    assert [each.revision for each in replies] == [2, 3, 4, 5]
    assert nested.value == {"flow": {"form": "empty", "mail": "unsent"}}
    assert nested.states == ("flow", "flow.form", "flow.form.empty", "flow.mail", "flow.mail.unsent")
    assert (set(nested.tags), set(filled.tags)) == ({"nested"}, {"nested", "ready"})
    assert filled.public_context == {"count": 0, "last": ""}
    assert (filled.done, ended.done, ended.settled) == (False, True, True)


async def test_private_context_events_and_tokens_leave_the_server_nowhere(
    server: Server, wire: Raw, desk: Machine
) -> None:
    path = f"machines/{desk.name}/instances/one"
    said: list[bytes] = []

    async def call(method: str, request: object, metadata: object = wire.metadata) -> None:
        try:
            said.append(
                (await getattr(wire.instances, method)(request, metadata=metadata)).SerializeToString()
            )
        except grpc.aio.AioRpcError as error:
            said.append(repr((error, error.trailing_metadata())).encode())

    secret = json.dumps({"secret": CANARY})
    await call(
        "CreateInstance",
        pb.CreateInstanceRequest(parent=f"machines/{desk.name}", instance_id="one", context_json=secret),
    )
    stream = wire.subscriptions.WatchInstance(
        watch_pb.WatchInstanceRequest(name=path, mode=watch_pb.WATCH_MODE_EVERY_TRANSITION),
        metadata=wire.metadata,
    )
    said.append((await stream.read()).SerializeToString())
    for event in ("ADD", "HOLD", "RELEASE", "PAY", "xstate.stop"):
        await call("SendEvent", pb.SendEventRequest(name=path, event_json=json.dumps({"type": event})))
    said.append((await stream.read()).SerializeToString())
    stream.cancel()
    await call("GetInstance", pb.GetInstanceRequest(name=path))
    await call("GetInstance", pb.GetInstanceRequest(name=path), wire.acting_as({**STRANGER, "why": CANARY}))
    await call("ListInstances", pb.ListInstancesRequest(parent=f"machines/{desk.name}"))
    await call("ListTransitions", pb.ListTransitionsRequest(parent=path))
    assert len(said) == 12
    assert not [each for each in said if CANARY.encode() in each]
    # An event is private, too: its place is the history, for administrators, and no log.
    await call("SendEvent", pb.SendEventRequest(name=path, event_json=json.dumps({"type": "X", "x": CANARY})))
    await call("SendEvent", pb.SendEventRequest(name=path, event_json=f'{{"type": {CANARY}'))
    logged = server.log.read_text()
    assert CANARY not in logged
    assert server.profile["token"] not in logged
    assert server.profile["key_secret"] not in logged


async def test_the_authorisers_decide_and_a_refused_event_changes_nothing(desk: Machine) -> None:
    instance, stranger = desk.instance("one"), desk.instance("one", auth_context=STRANGER)
    before = (await instance.create()).state
    for call in (stranger.get(), stranger.send("ADD"), desk.instance("two", auth_context=STRANGER).create()):
        with pytest.raises(RejectedByMachineAuthorizer):
            await call
    with pytest.raises(RejectedByMachineAuthorizer):
        async for _ in stranger.subscribe():
            pass
    assert await instance.get() == before
    assert [each.name async for each in desk.instances()] == ["one"]


async def test_a_reply_waits_for_what_it_is_told_to_wait_for(desk: Machine) -> None:
    async def paying(name: str, wait: Wait, pay_ms: int = 20) -> tuple[str, bool]:
        instance = desk.instance(name)
        await instance.create(context={"payMs": pay_ms})
        reply = await instance.send("PAY", wait=wait)
        return str(reply.state.value), reply.condition_met

    assert await paying("committed", Wait.COMMITTED, 60_000) == ("paying", True)
    assert await paying("settled", Wait.SETTLED) == ("paid", True)
    assert await paying("state", Wait.state("paid")) == ("paid", True)
    assert await paying("tag", Wait.tag("paid")) == ("paid", True)
    assert await paying("already", Wait.tag("busy"), 60_000) == ("paying", True)
    assert await paying("never", Wait.state("failed", timeout=0.05), 60_000) == ("paying", False)
    ended = desk.instance("ended")
    await ended.create()
    reply = await ended.send("END", wait=Wait.state("idle"))  # it cannot come any more: no reason to wait
    assert (reply.state.done, reply.condition_met) == (True, False)


async def test_a_stopping_server_answers_everyone_and_loses_nothing(own_server: Server) -> None:
    acknowledged: dict[str, int] = {}
    async with own_server.client() as client:
        desk = await published(client, DESKS["v5"], "desk")
        for number in range(8):
            await desk.instance(str(number)).create()
        started = asyncio.Semaphore(0)

        async def write(name: str) -> None:
            instance = client.machine("desk").instance(name)
            while True:
                try:
                    acknowledged[name] = (await instance.send("ADD")).revision
                except Unavailable:
                    return
                finally:
                    started.release()

        writers = [asyncio.create_task(write(str(number))) for number in range(8)]
        for _ in range(40):
            await started.acquire()
        own_server.ask_to_stop()
        await asyncio.gather(*writers)
    assert await asyncio.to_thread(own_server.exit_code) == 0
    own_server.start()
    async with own_server.client() as client:
        for name, revision in acknowledged.items():
            state = await client.machine("desk").instance(name).get()
            # One event more may be there: taken, and its answer lost with the connection.
            assert state.revision in (revision, revision + 1)


async def test_a_caller_that_waits_is_sent_away_by_a_stopping_server_and_asks_the_next_one(
    own_server: Server,
) -> None:
    async with own_server.client() as client:
        await published(client, DESKS["v5"], "desk")
        instance = client.machine("desk").instance("one")
        await instance.create()
        request_id = str(uuid.uuid4())
        waiting = asyncio.create_task(instance.send("STICK", wait=Wait.DONE, request_id=request_id))
        await instance.wait_for(state="stuck", timeout=20)
        own_server.ask_to_stop()
        with pytest.raises(Unavailable) as caught:
            await waiting
        assert (caught.value.reason, caught.value.request_id) == ("DRAINING", request_id)
    assert await asyncio.to_thread(own_server.exit_code) == 0
    own_server.start()
    async with own_server.client() as client:
        instance = client.machine("desk").instance("one")
        waiting = asyncio.create_task(instance.send("STICK", wait=Wait.DONE, request_id=request_id))
        # The service was lost with the server, and the machine has been told so.
        await instance.wait_for(state="failed", timeout=20)
        await instance.send("RELEASE")
        ended = await instance.send("END")
        reply = await waiting
    assert (reply.replayed, reply.condition_met, reply.revision) == (True, True, 2)
    assert reply.state == ended.state


async def test_health_and_reflection_tell_what_is_served(own_server: Server) -> None:
    async with grpc.aio.insecure_channel(own_server.grpc) as channel:
        health: Any = health_pb2_grpc.HealthStub(cast(Any, channel))
        watching = health.Watch(health_pb2.HealthCheckRequest(service="stateward.v1.InstanceService"))
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(cast(Any, channel))

        async def ask() -> AsyncIterator[object]:
            yield cast(Any, reflection_pb2).ServerReflectionRequest(list_services="")

        answer = await stub.ServerReflectionInfo(ask()).read()
        names = {service.name for service in answer.list_services_response.service}
        assert {f"stateward.v1.{name}Service" for name in ("Machine", "Instance", "Subscription")} <= names
        own_server.ask_to_stop()
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_client_of_nobody_is_told_nothing(server: Server, client: Client) -> None:
    await published(client, DESKS["v5"], "guarded")
    async with server.client(token="wrong") as nobody:
        with pytest.raises(Exception, match="valid token") as caught:
            await nobody.machine("guarded").get()
    assert "guarded" not in str(caught.value)
