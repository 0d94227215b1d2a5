from __future__ import annotations

import asyncio
import inspect
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import grpc
import pytest
from tests.sdk.fakes import (
    FakeServer,
    Refusal,
    Watched,
    about,
    changes,
    created,
    got,
    listed,
    machine,
    sent,
    snapshot,
    stirred,
)

import stateward
from stateward import InstanceNotFound, StatewardError, _blocking_access, blocking, errors
from stateward._portal import Portal
from stateward.v1 import instance_service_pb2, machine_service_pb2

STREAMS = {
    "Subscription": "Generator[Update, None, None]",
    "MachineWatch": "Generator[MachineEvent, None, None]",
    "Listener[Update]": "Listener",
}

PAIRS = [
    (stateward.Client, blocking.Client),
    (stateward.Machine, blocking.Machine),
    (stateward.Instance, blocking.Instance),
    (stateward.Orgs, _blocking_access.Orgs),
    (stateward.Members, _blocking_access.Members),
    (stateward.Invitations, _blocking_access.Invitations),
    (stateward.Keys, _blocking_access.Keys),
    (stateward.IdentityProviders, _blocking_access.IdentityProviders),
    (stateward.TokenProviders, _blocking_access.TokenProviders),
    (stateward.AccessTokens, _blocking_access.AccessTokens),
]


def public(cls: type) -> dict[str, Callable[..., Any]]:
    return {
        name: member
        for name, member in inspect.getmembers(cls, inspect.isroutine)
        if not name.startswith("_")
    }


def as_blocking(annotation: str) -> str:
    """Say what an async method's result is without await."""
    generator = re.fullmatch(r"AsyncGenerator\[(\w+), None\]", annotation)
    if generator:
        return f"Generator[{generator[1]}, None, None]"
    return STREAMS.get(annotation, annotation)


@pytest.mark.parametrize(("awaited", "plain"), PAIRS)
def test_it_is_the_same_api_word_for_word(awaited: type, plain: type) -> None:
    expected = public(awaited)
    if "aclose" in expected:
        expected["close"] = expected.pop("aclose")
    assert public(plain).keys() == expected.keys()
    for name, method in public(plain).items():
        theirs = inspect.signature(expected[name])
        ours = inspect.signature(method)
        # A callback of code that does not await cannot be async.
        expected_parameters = str(theirs).replace("Callback[Update]", "Callable[[Update], object]")
        assert str(ours).partition(" ->")[0] == expected_parameters.partition(" ->")[0], name
        assert ours.return_annotation == as_blocking(theirs.return_annotation), name
        assert not inspect.iscoroutinefunction(method)


def test_the_client_has_the_same_properties() -> None:
    of = [{name for name, _ in inspect.getmembers(cls, inspect.isdatadescriptor)} for cls in PAIRS[0]]
    assert of[0] == of[1] > {"orgs", "keys"}


async def in_thread(server: FakeServer, script: Callable[[blocking.Client], Any]) -> Any:
    """Run a script as its author would: with a client of its own, in a thread that never awaits."""

    def run() -> Any:
        with blocking.Client.connect(server.target, token="the-token") as client:
            return script(client)

    return await asyncio.to_thread(run)


async def test_a_script_from_publishing_to_sending(server) -> None:
    server.will("CreateMachine", machine_service_pb2.CreateMachineResponse(machine=machine()))
    server.will(
        "ListMachines", machine_service_pb2.ListMachinesResponse(machines=[machine("a"), machine("b")])
    )
    server.will("CreateInstance", created())
    server.will("GetInstance", got(1))
    server.will("SendEvent", sent(2, "off"))
    server.will("DeleteInstance", instance_service_pb2.DeleteInstanceResponse())

    def script(client: blocking.Client) -> list[object]:
        toggle = client.machine("toggle")
        instance = toggle.instance("s1")
        found = [
            toggle.create().name,
            [found.name for found in client.machines()],
            instance.create().state.value,
            instance.get().revision,
            instance.send("go").state.value,
        ]
        instance.delete()
        return found

    assert await in_thread(server, script) == ["toggle", ["a", "b"], "on", 1, "off"]


async def test_errors_are_the_same(server) -> None:
    server.will("GetInstance", Refusal(grpc.StatusCode.NOT_FOUND, "INSTANCE_NOT_FOUND"))

    def script(client: blocking.Client) -> StatewardError:
        with pytest.raises(InstanceNotFound) as caught:
            client.machine("toggle").instance("s1").get()
        return caught.value

    assert (await in_thread(server, script)).reason == "INSTANCE_NOT_FOUND"


async def test_a_subscription_is_a_loop(server) -> None:
    server.will("WatchInstance", Watched([snapshot(1), changes(2, 3, end_at=3)]))

    def script(client: blocking.Client) -> list[int]:
        return [update.state.revision for update in client.machine("toggle").instance("s1").subscribe()]

    assert await in_thread(server, script) == [1, 2, 3]


async def test_leaving_the_loop_ends_the_stream(server) -> None:
    watched = Watched([snapshot(1), changes(2)])
    server.will("WatchInstance", watched)
    loop = asyncio.get_running_loop()

    def script(client: blocking.Client) -> list[int]:
        seen = []
        for update in client.machine("toggle").instance("s1").subscribe():
            seen.append(update.state.revision)
            break
        # The client is still open here, so only the loop's end can have closed the stream.
        asyncio.run_coroutine_threadsafe(watched.closed.wait(), loop).result()
        return seen

    assert await in_thread(server, script) == [1]


async def test_wait_for_and_acting_as(server) -> None:
    server.will("WatchInstance", Watched([snapshot(1), changes(2)]))

    def script(client: blocking.Client) -> int:
        with client.acting_as({"sub": "x"}) as other:
            instance = other.machine("toggle").instance("s1")
            return instance.wait_for(predicate=lambda state: state.revision == 2).revision

    assert await in_thread(server, script) == 2
    assert server.received[0].metadata["stateward-auth-context-bin"] == b'{"sub":"x"}'


def test_a_closed_client_says_so() -> None:
    client = blocking.Client.connect("127.0.0.1:1")
    instance = client.machine("toggle").instance("s1")
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        instance.get()
    with pytest.raises(RuntimeError, match="the client is closed"):
        next(instance.subscribe())


def test_no_server_is_an_error() -> None:
    retry = stateward.RetryPolicy(attempts=1)
    with (
        blocking.Client.connect("127.0.0.1:1", retry=retry) as client,
        pytest.raises(errors.Unavailable, match=r"127\.0\.0\.1:1 is not available"),
    ):
        client.machine("toggle").get()


def test_closing_ends_what_other_threads_wait_for() -> None:
    portal = Portal()
    waiting, ended = threading.Event(), []

    async def forever() -> None:
        waiting.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            portal.run(forever())
        except CancelledError:
            ended.append("cancelled")

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    portal.close()
    thread.join()
    assert ended == ["cancelled"]


def test_waiting_for_oneself_is_refused() -> None:
    portal = Portal()

    async def inside() -> None:
        portal.run(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="cannot wait in its own thread"):
        portal.run(inside())
    portal.close()


def test_an_interrupt_cancels_the_work(monkeypatch) -> None:
    portal = Portal()
    started, cancelled = threading.Event(), threading.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def interrupted(*_: object) -> None:
        started.wait()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("concurrent.futures.Future.result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            portal.run(work())
    assert cancelled.wait(10)
    portal.close()


FORGETFUL = """
from stateward import RetryPolicy, Unavailable, blocking
client = blocking.Client.connect("127.0.0.1:1", retry=RetryPolicy(attempts=1))
updates = client.machine("toggle").instance("s1").subscribe()
machines = client.machines()
try:
    next(updates)
except Unavailable:
    print("unavailable")
updates = client.machine("toggle").instance("s1").subscribe()
"""


@pytest.mark.slow
def test_a_forgotten_client_does_not_keep_a_program_from_ending() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORGETFUL], capture_output=True, text=True, timeout=30, check=True
    )
    assert (done.stdout, done.stderr) == ("unavailable\n", "")


async def test_a_machine_is_watched_in_a_loop(server) -> None:
    watched = Watched([listed(("a", 1)), stirred("~a2", "-a3")])
    server.will("WatchMachine", watched)

    def script(client: blocking.Client) -> list[str]:
        seen = []
        for event in client.machine("toggle").watch(tags=["hot"]):
            seen.append(type(event).__name__)
            if len(seen) == 4:
                break
        return seen

    assert await in_thread(server, script) == ["Entered", "Synced", "Changed", "Left"]
    await watched.closed.wait()


async def test_many_instances_are_watched_in_a_loop(server) -> None:
    frames = iter([[about("a", snapshot(1))], [about("b", snapshot(5))]])
    server.will("WatchInstances", Watched([], reply=lambda _: next(frames)))

    def script(client: blocking.Client) -> list[int]:
        machine = client.machine("toggle")
        seen = []
        with client.watch_many() as events:
            events.add(machine.instance("a"))
            for event in events:
                assert isinstance(event, stateward.InstanceUpdate)
                seen.append(event.state.revision)
                if event.instance == "b":
                    break
                events.add(machine.instance("b"))
                events.remove(machine.instance("c"))
            assert len(events) == 2
        return seen

    assert await in_thread(server, script) == [1, 5]


async def test_a_callback_runs_in_a_thread_that_may_call_the_client(server) -> None:
    server.will("WatchInstance", Watched([snapshot(1), changes(2, end_at=2)]))
    server.will("GetInstance", got(1), got(2))

    def script(client: blocking.Client) -> list[int]:
        instance = client.machine("toggle").instance("s1")
        seen: list[int] = []
        listener = instance.on_change(lambda update: seen.append(instance.get().revision))
        listener.wait()
        assert not listener.active
        listener.stop()
        return seen

    assert await in_thread(server, script) == [1, 2]
