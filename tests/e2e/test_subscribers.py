"""Subscribers that are cut off, by whatever, go on from their token and see every revision exactly once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.kit import DESKS, Raw, published, raw, unused
from tests.servers import SECONDS, Server, serving

from stateward import Client, Instance, RejectedByMachineAuthorizer
from stateward.v1 import subscription_service_pb2 as pb

pytestmark = pytest.mark.slow

READER = """
import asyncio, sys
from pathlib import Path
from stateward import Client

async def main(profile, machine, name):
    async with Client.from_profile(Path(profile)) as client:
        async for update in client.machine(machine).instance(name).subscribe(mode="every_transition"):
            print(update.state.revision, update.resume_token, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@asynccontextmanager
async def writing(client: Client, machine: str, name: str) -> AsyncIterator[Instance]:
    """Keep an instance busy; on leaving, its last event has been acknowledged."""
    instance = client.machine(machine).instance(name)
    over = False

    async def write() -> None:
        while not over:
            await asyncio.gather(*(instance.send("ADD") for _ in range(4)))

    task = asyncio.create_task(write())
    try:
        yield instance
    finally:
        over = True
        await task


def watch(wire: Raw, machine: str, name: str, token: str = "") -> Any:
    path = f"machines/{machine}/instances/{name}"
    request = pb.WatchInstanceRequest(name=path, mode=pb.WATCH_MODE_EVERY_TRANSITION, resume_token=token)
    return wire.subscriptions.WatchInstance(request, metadata=wire.metadata)


def revisions(frame: pb.WatchInstanceResponse) -> list[int]:
    """Return what a frame brings, in its order."""
    match frame.WhichOneof("frame"):
        case "snapshot":
            return [frame.snapshot.revision]
        case "changes":
            return [state.revision for state in frame.changes.states]
    return []


async def test_a_stream_that_is_cancelled_over_and_over_misses_and_repeats_nothing(
    client: Client, wire: Raw
) -> None:
    machine = (await published(client, DESKS["v5"])).name
    await client.machine(machine).instance("one").create()
    # The first frame is read before anyone writes: a snapshot taken later would begin with a later revision.
    stream = watch(wire, machine, "one")
    frame = await stream.read()
    seen, token = revisions(frame), frame.resume_token
    stream.cancel()
    async with writing(client, machine, "one"):
        for frames in (2, 1, 5, 3, 1, 1, 8):
            stream = watch(wire, machine, "one", token)
            for _ in range(frames):
                frame = await stream.read()
                seen += revisions(frame)
                token = frame.resume_token
            stream.cancel()
    last = (await client.machine(machine).instance("one").get()).revision
    stream = watch(wire, machine, "one", token)
    while seen[-1] < last:
        seen += revisions(await stream.read())
    stream.cancel()
    assert seen == list(range(1, last + 1))


async def test_what_a_killed_client_has_not_printed_is_there_for_whoever_takes_its_token(
    server: Server, client: Client
) -> None:
    machine = (await published(client, DESKS["v4"])).name
    await client.machine(machine).instance("one").create()
    words = [sys.executable, "-c", READER, str(server.data / "admin.json"), machine, "one"]
    printed: list[tuple[int, str]] = []

    def read_and_kill(lines: int) -> None:
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout is not None
            for _, line in zip(range(lines), reader.stdout, strict=False):
                revision, token = line.split()
                printed.append((int(revision), token))
            reader.kill()

    async with writing(client, machine, "one"):
        await asyncio.to_thread(read_and_kill, 20)
    # A token of the SDK may bring the direct followers of its state again: what is known is passed over.
    seen = [revision for revision, _ in printed]
    instance = client.machine(machine).instance("one")
    last = (await instance.get()).revision
    assert last > seen[-1] >= 1
    async for update in instance.subscribe(mode="every_transition", resume_token=printed[-1][1]):
        if update.state.revision > seen[-1]:
            seen.append(update.state.revision)
        if seen[-1] == last:
            break
    assert seen == list(range(seen[0], last + 1))


async def test_a_stream_of_newest_states_has_the_newest_after_every_cut(
    client: Client,
) -> None:
    machine = (await published(client, DESKS["v5"])).name
    await client.machine(machine).instance("one").create()
    seen: list[int] = []
    token: str | None = None
    async with writing(client, machine, "one") as instance:
        for updates in (1, 3, 2, 4):
            async with instance.subscribe(resume_token=token) as stream:
                for _ in range(updates):
                    update = await anext(stream)
                    seen.append(update.state.revision)
                    token = update.resume_token
    last = (await instance.get()).revision
    async with instance.subscribe(resume_token=token) as stream:
        while seen[-1] < last:
            seen.append((await anext(stream)).state.revision)
    assert seen == sorted(set(seen))
    assert seen[-1] == last


async def test_a_stream_lives_through_a_kill_of_its_server_and_hears_its_last_words(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        async with server.client(attempts=200) as client, raw(server) as wire:
            machine = (await published(client, DESKS["v5"], "desk")).name
            instance = client.machine(machine).instance("one")
            await instance.create()
            seen: list[int] = []
            more = asyncio.Condition()

            async def follow() -> None:
                async for update in instance.subscribe(mode="every_transition"):
                    seen.append(update.state.revision)
                    async with more:
                        more.notify_all()

            async def see(count: int) -> None:
                async with asyncio.timeout(SECONDS), more:
                    await more.wait_for(lambda: len(seen) >= count)

            following = asyncio.create_task(follow())
            try:
                await see(1)
                async with writing(client, machine, "one"):
                    await see(10)
                    await asyncio.to_thread(server.restart)
                    await see(len(seen) + 10)
                last = (await instance.get()).revision
                await see(last)
                assert seen == list(range(1, last + 1))
            finally:
                following.cancel()
            stream = watch(wire, machine, "one")
            assert revisions(await stream.read()) == [last]
            server.ask_to_stop()
            frame = await stream.read()
            assert frame.HasField("draining")
            assert frame.resume_token
            assert await asyncio.to_thread(server.exit_code) == 0


async def test_a_token_is_good_for_its_own_instance_and_mode_only(client: Client) -> None:
    machine = await published(client, DESKS["v5"])
    one, two = machine.instance("one"), machine.instance("two")
    for instance in (one, two):
        await instance.create()
    async with one.subscribe(mode="every_transition") as stream:
        token = (await anext(stream)).resume_token

    async def refused(instance: Instance, **options: str) -> str:
        with pytest.raises(Exception, match="resume token") as caught:
            async for _ in instance.subscribe(**options):  # type: ignore[arg-type]  # options of all kinds
                pass
        return str(getattr(caught.value, "reason", ""))

    every = {"mode": "every_transition"}
    assert await refused(two, **every, resume_token=token) == "RESUME_TOKEN_INVALID"
    assert await refused(one, mode="latest", resume_token=token) == "RESUME_TOKEN_INVALID"
    assert await refused(one, **every, resume_token=token[:-3] + "AA=") == "RESUME_TOKEN_INVALID"
    assert await refused(one, **every, resume_token="nonsense") == "RESUME_TOKEN_INVALID"


async def test_a_stream_ends_with_the_access_to_it(client: Client) -> None:
    name = unused("vault")
    await published(
        client,
        """
import { assign, createMachine } from "xstate";
export const allowRead = ({ context }: any) => !context.public.closed;
export const allowWrite = () => true;
export default createMachine({
  context: { public: { closed: false }, secret: "s" },
  on: { CLOSE: { actions: assign({ public: () => ({ closed: true }) }) }, ADD: { actions: assign({}) } },
});
""",
        name,
    )
    instance = client.machine(name).instance("one")
    await instance.create()
    stream = instance.subscribe(mode="every_transition")
    assert (await anext(stream)).state.revision == 1
    for event in ("ADD", "CLOSE", "ADD"):
        await instance.send(event)
    assert (await anext(stream)).state.revision == 2
    with pytest.raises(RejectedByMachineAuthorizer):
        await anext(stream)
