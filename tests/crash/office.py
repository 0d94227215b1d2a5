"""Clerks on a server that is killed again and again, who sends to them, who watches them, and what is known.

Nothing here judges: `known` returns what was seen, for the checker.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.checker import Call, Life, correspondence, objections, unfinished
from tests.e2e.kit import published
from tests.servers import SECONDS, Server

from stateward import Client, Instance, RetryPolicy, State, Unavailable, Wait

HERE = Path(__file__).parent
GENERATIONS = ("v4", "v5")
KINDS = ("clerk", "errand")
_PATIENCE = 10_000
"""Attempts and seconds: as long as a test lasts."""


@dataclass
class Doomed:
    """A server that dies at a point once it is armed, and the consoles of its machines."""

    server: Server
    armed: Path
    witness: Path

    def arm(self, point: str, passes: int = 0) -> None:
        """Let it die when it has passed by a point so many times, from the next time on."""
        waiting = self.armed.with_suffix(".new")
        waiting.write_text(f"{point}\n{passes}")
        waiting.rename(self.armed)

    async def revive(self) -> None:
        """Start it again, which has died or dies now."""
        self.armed.unlink(missing_ok=True)
        await asyncio.to_thread(self.server.restart)

    async def dies(self, within_s: float) -> bool:
        """Wait for its end; False when it lives on."""
        end = asyncio.get_running_loop().time() + within_s
        while self.server.process.poll() is None:
            if asyncio.get_running_loop().time() > end:
                return False
            await asyncio.sleep(0.005)
        return True


@contextmanager
def doomed(home: Path) -> Iterator[Doomed]:
    """Such a server for an empty directory, not started yet."""
    armed, witness = home / "armed", home / "witness"
    witness.touch()
    command = (sys.executable, str(HERE / "doomed.py"), str(armed), str(witness))
    server = Server(home, command=command)
    try:
        yield Doomed(server, armed, witness)
    finally:
        server.close()


@dataclass(frozen=True, slots=True)
class Known:
    """What was seen of all clerks at some moment."""

    lives: Mapping[str, Life]
    children: Sequence[str] = ()
    """What the errands that exist are for: ids of events."""
    letters: Sequence[object] = ()
    """What the server has given up to deliver."""

    def waits(self) -> list[str]:
        """Return what must still come."""
        missing = correspondence(self.lives, self.children)[1]
        return missing + [f"{name}: {each}" for name, life in self.lives.items() for each in _goes_on(life)]

    def objections(self) -> list[str]:
        """Return every broken promise, in words."""
        found = [f"{name}: {each}" for name, life in self.lives.items() for each in objections(life)]
        found += correspondence(self.lives, self.children)[0]
        found += [f"a dead letter: {letter}" for letter in self.letters]
        return found + [f"never came: {each}" for each in self.waits()]


@dataclass
class Office:
    """Clerks by name, and what was sent to them and seen of them."""

    doomed: Doomed
    clerks: Mapping[str, str]
    """The generation of XState of each."""
    calls: dict[str, list[Call]] = field(default_factory=dict)
    views: dict[str, list[State]] = field(default_factory=dict)
    answers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def of(self, client: Client, name: str) -> Instance:
        return client.machine(f"clerk-{self.clerks[name]}").instance(name)

    def addressed(self, event: dict[str, object], to: str) -> dict[str, object]:
        """Return an event with whom it is to be passed on to."""
        return {**event, "machine": f"clerk-{self.clerks[to]}", "to": to}

    def client(self) -> Client:
        """Return a client that goes on trying, however often the server is away."""
        server = self.doomed.server
        retry = RetryPolicy(_PATIENCE, first_delay=0.05, max_delay=0.25)
        return Client.connect(server.grpc, token=server.profile["token"], retry=retry, timeout=_PATIENCE)

    async def moves(self, answers: int) -> None:
        """Wait until so many more events have been answered, for three seconds at most."""
        self.answers = asyncio.Semaphore(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                for _ in range(answers):
                    await self.answers.acquire()

    async def follow(self, client: Client, name: str, begun: asyncio.Event) -> None:
        """Watch a clerk through everything, which is the SDK's work."""
        view = self.views.setdefault(name, [])
        async with self.of(client, name).subscribe(mode="every_transition") as updates:
            async for update in updates:
                view.append(update.state)
                begun.set()

    async def send(
        self, client: Client, name: str, event: dict[str, object], wait: Wait = Wait.COMMITTED
    ) -> Call:
        """Send an event, by a client of whatever patience, and note what its sender was told."""
        request_id = str(uuid.uuid4())
        told = {**event, "id": request_id}
        revision = None
        with contextlib.suppress(Unavailable):
            revision = (await self.of(client, name).send(told, request_id=request_id, wait=wait)).revision
        if revision is not None:
            self.answers.release()
        call = Call(request_id, revision)
        self.calls[name].append(call)
        return call

    async def repeat(self, client: Client, name: str, event: dict[str, object], call: Call) -> None:
        """Send an acknowledged event again: it is the same answer that comes."""
        reply = await self.of(client, name).send({**event, "id": call.id}, request_id=call.id)
        assert (reply.replayed, reply.revision) == (True, call.revision)

    async def known(self) -> Known:
        """Return what is known once all has come that must come, or when it does not."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SECONDS
        async with self.client() as client:
            known = Known(await self._lives(client))
            while known.waits() and loop.time() < end:
                await asyncio.sleep(0.1)
                known = Known(await self._lives(client))
            return Known(known.lives, await self._children(client), await self._letters(client))

    async def _lives(self, client: Client) -> dict[str, Life]:
        return {name: await self._life(client, name) for name in self.clerks}

    async def _children(self, client: Client) -> list[str]:
        ours = {call.id for calls in self.calls.values() for call in calls}
        found = []
        for xstate in GENERATIONS:
            errands = client.machine(f"errand-{xstate}")
            async for child in errands.instances(page_size=1_000):
                state = await errands.instance(child.name).get()
                found.append(str((state.public_context or {})["id"]))
        return [child for child in found if child in ours]

    async def _letters(self, client: Client) -> list[object]:
        machines = [client.machine(f"{kind}-{xstate}") for kind in KINDS for xstate in GENERATIONS]
        return [letter for machine in machines async for letter in machine.dead_letters()]

    async def _life(self, client: Client, name: str) -> Life:
        history = [each async for each in self.of(client, name).transitions(page_size=1_000)]
        said = (line.split(" ", 1) for line in self.doomed.witness.read_text().splitlines())
        witness = [text for who, text in said if who == name]
        views = {"the subscriber": tuple(self.views[name])} if name in self.views else {}
        return Life(history, self.calls[name], witness, views)


def _goes_on(life: Life) -> list[str]:
    newest = life.history[-1].revision
    unseen = any(not view or view[-1].revision < newest for view in life.views.values())
    return unfinished(life.history) + ["not all has been seen"] * unseen


@asynccontextmanager
async def opened(doomed: Doomed, clerks: Mapping[str, str], watched: Sequence[str]) -> AsyncIterator[Office]:
    """Create clerks and follow some of them, each by a client of its own."""
    office = Office(doomed, clerks, {name: [] for name in clerks})
    async with contextlib.AsyncExitStack() as stack:
        admin = await stack.enter_async_context(office.client())
        for name in clerks:
            await office.of(admin, name).create()
        following = []
        for name in watched:
            client = await stack.enter_async_context(office.client())
            begun = asyncio.Event()
            following.append(asyncio.ensure_future(office.follow(client, name, begun)))
            await asyncio.wait(
                (following[-1], asyncio.ensure_future(begun.wait())), return_when="FIRST_COMPLETED"
            )
        try:
            yield office
        finally:
            for task in following:
                task.cancel()
            ends = await asyncio.gather(*following, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


async def hire(doomed: Doomed) -> None:
    """Start the server and publish the machines of both generations."""
    doomed.server.start()
    async with doomed.server.client() as client:
        for xstate in GENERATIONS:
            for name in KINDS:
                await published(client, HERE / "machines" / f"{name}.{xstate}.ts", f"{name}-{xstate}")


def any_event(office: Office, moves: random.Random) -> dict[str, object]:
    """Return something to do for a clerk; services and timers take up to 60 ms."""
    kinds = ["NOTE", "LATER", "LATER", "DROP", "REST", "WORK", "WORK", "TALK", "POST", "POST", "MAIL", "HIRE"]
    event: dict[str, object] = {"type": moves.choice(kinds), "ms": moves.randrange(60)}
    return office.addressed(event, moves.choice(list(office.clerks)))


def kill_host(doomed: Doomed, moves: random.Random) -> bool:
    """Kill one of the processes that run machines, as the kernel does when memory is short."""
    hosts = doomed.server.children()
    if hosts:
        with contextlib.suppress(ProcessLookupError):
            os.kill(moves.choice(hosts), signal.SIGKILL)
    return bool(hosts)
