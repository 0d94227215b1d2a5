"""Writers, subscribers and trouble: every subscriber sees exactly what was committed, in order.

Trouble is cut connections, servers that are killed, and servers that drain and come back.
STATEWARD_SOAK_SECONDS and STATEWARD_SOAK_SEED make a run longer, or another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import pytest
from tests.e2e.kit import OPEN, published, unused
from tests.e2e.proxy import Proxy, proxying
from tests.servers import SECONDS, Server, serving

from stateward import (
    Changed,
    Client,
    Entered,
    IndexCondition,
    Instance,
    InstanceNotFound,
    InstanceUpdate,
    Left,
    Machine,
    MachineWatch,
    RetryPolicy,
    State,
    Synced,
)

SOAK = float(os.environ.get("STATEWARD_SOAK_SECONDS", "20"))
SEED = int(os.environ.get("STATEWARD_SOAK_SEED", "4"))
INSTANCES = 6
WRITERS = 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SOAK * 3 + 120)]

LAMP = (
    'import { createMachine, assign } from "xstate";\n'
    + OPEN
    + """
const count = assign(({ context }: any) => {
  const n = context.public.n + 1;
  return { public: { n }, kind: n % 3 ? "odd one" : "third" };
});
export default createMachine({
  initial: "off",
  context: { public: { n: 0 }, kind: "third" },
  on: { stay: { actions: count } },
  states: {
    off: { on: { toggle: { target: "lit", actions: count } } },
    lit: { on: { toggle: { target: "off", actions: count } } },
  },
});
"""
)

Seen = tuple[int, object, int]
"""A state as a subscriber sees it: its revision, value and count."""
Chosen = Callable[[Seen], bool]
"""What a watch of the machine has been told to choose."""


def seen(state: State) -> Seen:
    assert state.public_context is not None
    return (state.revision, state.value, state.public_context["n"])


@dataclass
class Book:
    """What the subscribers of one kind have seen, by subscriber and instance."""

    states: dict[tuple[str, str], list[Seen]] = field(default_factory=dict)
    told: dict[str, list[tuple[str, str, int | None]]] = field(default_factory=dict)
    """Of the watches of the machine: what happened to which instance at which revision."""
    chosen: dict[str, Chosen] = field(default_factory=dict)
    """Of the watches of the machine: which states are theirs."""
    reconnects: int = 0

    def behind(self, newest: dict[str, int]) -> list[str]:
        """Say who has not seen these revisions of these instances yet."""
        return [
            f"{who} of {name} is at {found[-1][0] if found else 0} of {newest[name]}"
            for (who, name), found in self.states.items()
            if not found or found[-1][0] < newest[name]
        ]


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("soak")) as server:
        yield server


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    async with proxying(server) as proxy:
        yield proxy


def connected(server: Server, proxy: Proxy, retry: RetryPolicy | None = None) -> Client:
    """A client as a user has it, by default with the default policy, behind a wire that can be cut."""
    return Client.connect(
        proxy.target, token=server.profile["token"], retry=retry, timeout=float(SECONDS * 4)
    )


# ------------------------------------------------------------------ subscribers


async def follow(instance: Instance, who: str, book: Book) -> None:
    """Subscribe once, and leave the rest to the SDK."""
    found = book.states.setdefault((who, instance.name), [])

    def noticed(_: object) -> None:
        book.reconnects += 1

    async with instance.subscribe(mode="every_transition", on_reconnect=noticed) as updates:
        async for update in updates:
            found.append(seen(update.state))


async def come_and_go(instance: Instance, who: str, book: Book, moves: random.Random) -> None:
    """Leave every now and then, and go on with the token, as a program that is restarted does."""
    found = book.states.setdefault((who, instance.name), [])
    token = None
    while True:
        stay = moves.randrange(1, 60)
        async with instance.subscribe(mode="every_transition", resume_token=token) as updates:
            async for update in updates:
                token = update.resume_token
                # The token of a state in the middle of a frame can bring its followers twice.
                if not found or update.state.revision > found[-1][0]:
                    found.append(seen(update.state))
                stay -= 1
                if stay <= 0:
                    break


async def follow_many(client: Client, instances: list[Instance], who: str, book: Book) -> None:
    """All of them on one stream; one is taken off now and then, and comes back with its token."""
    async with client.watch_many() as events:
        events.add(*instances, mode="every_transition")
        async for event in events:
            assert isinstance(event, InstanceUpdate), event
            found = book.states.setdefault((who, event.instance), [])
            if found and event.state.revision <= found[-1][0]:
                continue  # as above
            found.append(seen(event.state))
            if event.state.revision % 50 == 0:
                handle = next(each for each in instances if each.name == event.instance)
                events.remove(handle)
                events.add(handle, mode="every_transition", resume_token=event.resume_token)


async def follow_machine(watch: MachineWatch, who: str, book: Book, chosen: Chosen) -> None:
    """Check while it runs that what is told adds up, and note it."""
    told = book.told.setdefault(who, [])
    book.chosen[who] = chosen
    members: dict[str, int] = {}
    async with watch as events:
        async for event in events:
            match event:
                case Entered(name, state):
                    assert name not in members, event
                    members[name] = state.revision
                    told.append(("entered", name, state.revision))
                case Changed(name, state):
                    assert state.revision > members[name], event
                    members[name] = state.revision
                    told.append(("changed", name, state.revision))
                case Left(name, revision):
                    del members[name]
                    told.append(("left", name, revision))
                case Synced():
                    told.append(("synced", "", None))


# ------------------------------------------------------------------ writers, and trouble


async def write(instances: list[Instance], moves: random.Random, until: asyncio.Event) -> int:
    count = 0
    while not until.is_set():
        await moves.choice(instances).send(moves.choice(["toggle", "toggle", "stay"]))
        count += 1
        await asyncio.sleep(moves.random() * 0.05)
    return count


async def mayfly(machine: Machine, moves: random.Random, until: asyncio.Event) -> None:
    """Instances that are created under the same name and deleted, again and again."""
    while not until.is_set():
        instance = machine.instance("mayfly")
        await instance.get_or_create()
        for _ in range(moves.randrange(4)):
            await instance.send("toggle")
        # Where a kill hides the reply, the repeat finds the deed done.
        with contextlib.suppress(InstanceNotFound):
            await instance.delete()


async def restart(server: Server) -> None:
    """Drain, and start again at the same place."""
    server.ask_to_stop()
    assert await asyncio.to_thread(server.exit_code) == 0
    await asyncio.to_thread(server.start)


async def make_trouble(server: Server, proxy: Proxy, moves: random.Random, seconds: float) -> list[str]:
    """Do something bad every second or so; return what."""
    done: list[str] = []
    end = asyncio.get_running_loop().time() + seconds
    while (now := asyncio.get_running_loop().time()) < end:
        await asyncio.sleep(min(end - now, moves.random() * 1.5))
        what = moves.choice(["cut", "cut", "cut", "kill", "drain"])
        done.append(what)
        if what == "cut":
            proxy.cut(moves, share=moves.random())
        elif what == "kill":
            await asyncio.to_thread(server.restart)
        else:
            await restart(server)
    return done


# ------------------------------------------------------------------ the books


async def until_begun(book: Book, subscribers: int, watches: int = 0) -> None:
    """Wait until everybody watches: what was committed before is in nobody's snapshot."""
    deadline = time.monotonic() + SECONDS
    while len(book.states) < subscribers or sum(map(bool, book.told.values())) < watches:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await until_read(book, dict.fromkeys((name for _, name in book.states), 1))


async def until_read(book: Book, newest: dict[str, int]) -> None:
    deadline = time.monotonic() + SECONDS
    while late := book.behind(newest):
        assert time.monotonic() < deadline, late
        await asyncio.sleep(0.05)


def expected_of(name: str, history: list[Seen], chosen: Chosen) -> list[tuple[str, str, int | None]]:
    """What a watch of the machine has to tell of an instance, from its history."""
    told: list[tuple[str, str, int | None]] = []
    member = False
    for each in history:
        revision, now = each[0], chosen(each)
        if now:
            told.append(("changed" if member else "entered", name, revision))
        elif member:
            told.append(("left", name, revision))
        member = now
    return told


async def check(server: Server, machine: str, book: Book, instances: list[str]) -> dict[str, list[Seen]]:
    """Compare what everybody has seen with what the server has committed."""
    histories: dict[str, list[Seen]] = {}
    async with server.client(attempts=20) as client:
        for name in instances:
            handle = client.machine(machine).instance(name)
            histories[name] = [seen(each.state) async for each in handle.transitions()]
    await until_read(book, {name: history[-1][0] for name, history in histories.items()})
    for (who, name), found in book.states.items():
        assert found == histories[name], f"{who} of {name}"
    for who, told in book.told.items():
        for name in instances:
            ours = [each for each in told if each[1] == name]
            assert ours == expected_of(name, histories[name], book.chosen[who]), f"{who} of {name}"
    return histories


async def test_every_subscriber_sees_exactly_what_was_committed(server: Server, proxy: Proxy) -> None:
    moves = random.Random(SEED)
    book, over = Book(), asyncio.Event()
    async with server.client(attempts=20) as admin:
        machine_name = unused("lamps")
        await admin.machine(machine_name).create(indexes=["kind"])
        await admin.machine(machine_name).upload(
            LAMP, language="typescript", index_selectors={"kind": "$.kind"}
        )
        names = [f"lamp-{number}" for number in range(INSTANCES)]
        for name in names:
            await admin.machine(machine_name).instance(name).create()
    # The server is away more often than not: whoever writes has to be more patient than by default.
    patient = RetryPolicy(attempts=1_000, max_delay=0.5)
    clients = [connected(server, proxy, patient) for _ in range(8)]
    machines = [client.machine(machine_name) for client in clients]
    handles = [[machine.instance(name) for name in names] for machine in machines]
    tasks: list[asyncio.Task[object]] = []

    def begin(work: Awaitable[object]) -> None:
        tasks.append(asyncio.ensure_future(work))

    for number in range(INSTANCES):
        begin(follow(handles[number % 4][number], "steady", book))
        begin(come_and_go(handles[4][number], "restless", book, random.Random(SEED + number)))
    begin(follow_many(clients[5], handles[5], "many", book))
    third = IndexCondition("kind", "=", "third")
    lit, indexed = machines[6].watch(states=["lit"]), machines[4].watch(indexes=[third])
    both = machines[5].watch(states=["lit"], indexes=[third])
    begin(follow_machine(lit, "lit", book, lambda each: each[1] == "lit"))
    begin(follow_machine(machines[7].watch(), "all", book, lambda _: True))
    begin(follow_machine(indexed, "third", book, lambda each: each[2] % 3 == 0))
    begin(follow_machine(both, "lit third", book, lambda each: each[1] == "lit" and each[2] % 3 == 0))
    await until_begun(book, 3 * INSTANCES, watches=4)
    writing = [
        asyncio.ensure_future(write(handles[number % 4], random.Random(SEED * 100 + number), over))
        for number in range(WRITERS)
    ]
    writing.append(asyncio.ensure_future(_count(mayfly(machines[4], moves, over))))
    trouble = await make_trouble(server, proxy, moves, SOAK)
    over.set()
    sent = sum(await asyncio.gather(*writing))
    for task in tasks:
        if task.done():
            await task
    histories = await check(server, machine_name, book, names)
    found = {each.instance.name async for each in machines[0].query("kind", "=", "third")}
    assert found & set(names) == {name for name in names if histories[name][-1][2] % 3 == 0}
    assert not [task for task in tasks if task.done()], "a subscriber has ended"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for client in clients:
        await client.aclose()
    # Writers' events took effect once each, and nothing else did.
    assert sum(len(history) - 1 for history in histories.values()) == sent
    assert trouble
    assert book.reconnects > 0


async def _count(work: Awaitable[None]) -> int:
    await work
    return 0


async def test_a_rolling_restart_under_load_is_invisible(server: Server, proxy: Proxy) -> None:
    book, over = Book(), asyncio.Event()
    async with server.client(attempts=20) as admin:
        machine = await published(admin, LAMP)
        await machine.instance("lamp").create()
    # By default a call is tried for some 20 s; a busy machine can take longer to have the server back.
    clients = [connected(server, proxy, RetryPolicy(attempts=30)) for _ in range(4)]
    handles = [client.machine(machine.name).instance("lamp") for client in clients]
    following = [
        asyncio.ensure_future(follow(handle, f"follower {number}", book))
        for number, handle in enumerate(handles)
    ]
    await until_begun(book, len(handles))
    writing = [
        asyncio.ensure_future(write([handles[number % 4]], random.Random(number), over))
        for number in range(WRITERS)
    ]
    for _ in range(3):
        await asyncio.sleep(0.5)
        await restart(server)
    await asyncio.sleep(0.5)
    over.set()
    sent = sum(await asyncio.gather(*writing))
    histories = await check(server, machine.name, book, ["lamp"])
    assert len(histories["lamp"]) == sent + 1
    assert not [task for task in following if task.done()]
    assert book.reconnects >= 3 * len(handles)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    for client in clients:
        await client.aclose()
