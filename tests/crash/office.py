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

from tests.crash.checker import Call, Life, unfinished
from tests.e2e.kit import published
from tests.servers import SECONDS, Server

from stateward import Client, Instance, State, Unavailable, Wait

HERE = Path(__file__).parent
CLERKS = {xstate: HERE / "machines" / f"clerk.{xstate}.ts" for xstate in ("v4", "v5")}
_PATIENCE = 1_000


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


@dataclass
class Office:
    """Clerks by name, and what was sent to them and seen of them."""

    doomed: Doomed
    clerks: Mapping[str, str]
    """Machine by instance: of both generations of XState."""
    calls: dict[str, list[Call]] = field(default_factory=dict)
    views: dict[str, list[State]] = field(default_factory=dict)

    def of(self, client: Client, name: str) -> Instance:
        return client.machine(self.clerks[name]).instance(name)

    def client(self) -> Client:
        """Return a client that goes on trying while the server is away."""
        return self.doomed.server.client(attempts=_PATIENCE)

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
        call = Call(request_id, revision)
        self.calls[name].append(call)
        return call

    async def repeat(self, client: Client, name: str, event: dict[str, object], call: Call) -> None:
        """Send an acknowledged event again: it is the same answer that comes."""
        reply = await self.of(client, name).send({**event, "id": call.id}, request_id=call.id)
        assert (reply.replayed, reply.revision) == (True, call.revision)

    async def known(self) -> dict[str, Life]:
        """Return what is known of each clerk once they all have finished and all watchers have seen it."""
        async with self.client() as client, asyncio.timeout(SECONDS):
            lives = {name: await self._life(client, name) for name in self.clerks}
            while any(_goes_on(life) for life in lives.values()):
                await asyncio.sleep(0.05)
                for name in lives:
                    lives[name] = await self._life(client, name)
            letters = [
                letter for machine in CLERKS async for letter in client.machine(machine).dead_letters()
            ]
            assert letters == []
        return lives

    async def _life(self, client: Client, name: str) -> Life:
        history = [each async for each in self.of(client, name).transitions()]
        calls = self.calls[name]
        ours = {call.id for call in calls}
        lines = self.doomed.witness.read_text().splitlines()
        witness = [line for line in lines if line.partition(" ")[2] in ours]
        views = {"the subscriber": tuple(self.views[name])} if name in self.views else {}
        return Life(history, calls, witness, views)


def _goes_on(life: Life) -> bool:
    newest = life.history[-1].revision
    unseen = any(not view or view[-1].revision < newest for view in life.views.values())
    return bool(unfinished(life.history)) or unseen


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
    """Start the server and publish the clerks of both generations under their names."""
    doomed.server.start()
    async with doomed.server.client() as client:
        for xstate, module in CLERKS.items():
            await published(client, module, xstate)


def any_event(moves: random.Random) -> dict[str, object]:
    """Return something to do for a clerk; services and timers take up to 60 ms."""
    kind = moves.choice(["NOTE", "NOTE", "LATER", "LATER", "DROP", "REST", "WORK", "WORK", "TALK"])
    return {"type": kind, "ms": moves.randrange(60)}


def kill_host(doomed: Doomed, moves: random.Random) -> bool:
    """Kill one of the processes that run machines, as the kernel does when memory is short."""
    hosts = doomed.server.children()
    if hosts:
        with contextlib.suppress(ProcessLookupError):
            os.kill(moves.choice(hosts), signal.SIGKILL)
    return bool(hosts)
