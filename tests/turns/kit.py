"""An engine with everything around it in a test's hands: the machine, its host, the ledger, the time.

What is sent is `ADD` with a note unless a test needs more; the notes that a machine has taken tell the rest.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

import pytest

from stateward_server.engine.engine import Engine
from stateward_server.model.errors import StatewardError
from stateward_server.model.ledger import Instance, InstanceKey, RequestTag, Transition
from stateward_server.model.limits import EngineLimits
from stateward_server.model.machine import Machine
from stateward_server.model.names import InstanceName, InstanceUid, MachineName, OrgId, VersionId
from stateward_server.model.step import Input, NeedSnapshot, Outcome, Resume, StepReply
from stateward_server.model.wait import Reply, Until, Wait
from stateward_server.ports.host import Address, HostLost
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy, settle
from stateward_server.testing.fake_host import FakeHost, _effects, _Instance, _State
from stateward_server.testing.fake_machine import Reaction
from stateward_server.testing.faulty_store import FaultyStore

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")

ORG = OrgId("org_AAAAAAAAAAAAAAAAAAAAAA")
MACHINE = MachineName("desk")
VERSION = VersionId("ver_AAAAAAAAAAAAAAAAAAAAAA")
ANN: Json = {"sub": "ann"}
COMMITTED = Wait(Until.COMMITTED, 0)


def until(kind: Until, timeout_ms: int = 60_000, match: str = "") -> Wait:
    return Wait(kind, timeout_ms, match)


class Desk:
    """Takes notes; has services and timers, and things it will not do."""

    def __init__(self) -> None:
        self.banned: set[str] = set()
        """Event types that nobody may send now."""
        self.strangers: set[str] = set()
        """Who may neither read nor write any more."""
        self.broken: set[str] = set()
        """Event types that it fails on now."""
        self.stubborn = False
        """It begins anew whatever it has lost."""

    def start(self, context: Json | None) -> Reaction:
        given = context or {}
        if given.get("fail"):
            raise RuntimeError("no such desk")
        return Reaction(given.get("value", "off"), {"public": {"notes": []}}, service=given.get("service"))

    def react(self, value: str, context: Json, event: Json) -> Reaction | None:
        kind = str(event["type"])
        if kind in self.broken:
            raise RuntimeError(f"cannot {kind}")
        if kind == "ADD":
            return Reaction(value, {"public": {"notes": [*context["public"]["notes"], event["note"]]}})
        if kind == "SHOUT":
            return Reaction(value, context, says="shout")
        if kind == "FINISH":
            return Reaction("over", context, done=True)
        if kind.startswith("lost.") and self.stubborn:
            return Reaction("retrying" if value != "retrying" else "retrying-again", context, service="work")
        to = _moves(value, event)
        return None if to is None else replace(to, context=context)

    def finishes(self, service: str) -> bool:
        return service == "quick"

    def allows(self, auth: Json, event: Json | None) -> bool:
        if auth.get("sub") in self.strangers:
            return False
        return auth.get("sub") == "ann" and (event is None or event["type"] not in self.banned)


def _moves(value: str, event: Json) -> Reaction | None:  # noqa: PLR0911 - a table of moves
    match (value, event["type"]):
        case (_, "WAIT"):
            # To a state of its own each time, so that waiting anew sets the timer anew.
            return Reaction(f"waiting-{event['ms']}", {}, timer=(event.get("id", "t"), event["ms"], "due"))
        case (_, "WORK"):
            return Reaction("working", {}, service="work")
        case (_, "PASS"):
            return Reaction("passing", {}, service="quick")
        case ("passing", "done.quick"):
            return Reaction("passed", {}, service="quick2")
        case ("working", "done.work"):
            return Reaction("worked", {})
        case (_, "lost.work" | "lost.quick" | "lost.quick2"):
            return Reaction("failed", {})
        case (_, "due" | "STOP" | "done.quick2"):
            return Reaction("off", {})
    return None


class Host(FakeHost):
    """The fake host, and what can be wrong with one."""

    def __init__(self, desk: Desk) -> None:
        super().__init__({VERSION: desk})
        self.batches: list[int] = []
        """How many inputs each hop had."""
        self.resumes: list[bool] = []
        """Whether each hop brought the snapshot."""
        self.losses = 0
        """So many of the next hops lose the process."""
        self.forgetful = False
        """It never knows an instance, however often it is told."""
        self.acts: list[tuple[InstanceUid, int]] = []
        """Instance and revision of every transition whose effects have run."""
        self._gates: list[asyncio.Event] = []

    def hold(self) -> asyncio.Event:
        """Let the next hop wait until the returned event is set."""
        self._gates.append(asyncio.Event())
        return self._gates[-1]

    async def start(
        self, at: Address, instance_name: str, context_json: str | None, auth_json: str | None
    ) -> Outcome:
        await self._pass()
        return await super().start(at, instance_name, context_json, auth_json)

    async def step(
        self, at: Address, revision: int, inputs: Sequence[Input], resume: Resume | None
    ) -> StepReply:
        await self._pass()
        self.batches.append(len(inputs))
        self.resumes.append(resume is not None)
        if self.forgetful:
            return NeedSnapshot()
        return await super().step(at, revision, inputs, resume)

    def _act(self, at: Address, instance: _Instance, state: _State) -> None:
        if _effects(state):
            self.acts.append((at.uid, instance.revision))
        super()._act(at, instance, state)

    async def _pass(self) -> None:
        if self._gates:
            gate = self._gates.pop(0)
            await gate.wait()
        if self.losses:
            self.losses -= 1
            self.die(VERSION)
            raise HostLost("the process died")


@dataclass(slots=True)
class World:
    """An engine, and short words for what tests do with it."""

    desk: Desk
    memory: MemoryStore
    store: FaultyStore
    clock: ManualClock
    host: Host
    engine: Engine
    limits: EngineLimits
    published: list[tuple[str, list[int]]] = field(default_factory=list)
    """Instance and revisions of everything that subscribers were told; no revision: it is gone."""

    async def create(self, name: str = "one", context: Json | None = None, **options: Any) -> Reply:
        instance, reply = await self.engine.create(
            key(name),
            VERSION,
            None if context is None else json.dumps(context),
            json.dumps(options.get("auth", ANN)),
            request=options.get("request"),
            wait=options.get("wait", COMMITTED),
        )
        assert instance.key == key(name)
        return reply

    async def send(self, event: str | Json, name: str = "one", **options: Any) -> Reply:
        """Send an event to `name`. Options: auth, request, expected_revision, wait."""
        return await self.engine.send(
            key(name),
            json.dumps({"type": event} if isinstance(event, str) else event),
            json.dumps(options.get("auth", ANN)),
            request=options.get("request"),
            expected_revision=options.get("expected_revision", 0),
            wait=options.get("wait", COMMITTED),
        )

    def sending(self, event: str | Json, name: str = "one", **options: Any) -> asyncio.Task[Reply]:
        """Send in the background."""
        return asyncio.create_task(self.send(event, name, **options))

    async def queued(self, *events: str | Json, **options: Any) -> list[asyncio.Task[Reply]]:
        """Send events in the background, in this order, and return when they wait in the mailbox."""
        tasks = [self.sending(event, **options) for event in events]
        await settle(3)
        return tasks

    async def history(self, name: str = "one") -> Sequence[Transition]:
        loaded = await self.memory.load(key(name))
        return [] if loaded is None else await self.memory.history(loaded.instance.uid, 0, 10_000)

    async def last(self, name: str = "one") -> Transition:
        return (await self.history(name))[-1]

    async def notes(self, name: str = "one") -> list[str]:
        """Return the notes that the ledger says the machine has taken."""
        found: list[str] = json.loads((await self.last(name)).view.public_json or "{}")["notes"]
        return found

    async def values(self, name: str = "one") -> list[str]:
        """Return the machine's states, from its first to its last."""
        return [json.loads(each.view.value_json) for each in await self.history(name)]

    async def at(self, name: str = "one") -> Address:
        loaded = await self.memory.load(key(name))
        assert loaded is not None
        return Address(VERSION, loaded.instance.uid)

    async def pending(self, name: str = "one") -> list[str]:
        """Return the ids of the timers that are on disk."""
        return [row.id for row in await self.memory.timers_of((await self.at(name)).uid)]


def key(name: str) -> InstanceKey:
    return InstanceKey(ORG, MACHINE, InstanceName(name))


def add(note: str) -> Json:
    return {"type": "ADD", "note": note}


def tag(body: str = "", id_: str | None = None) -> RequestTag:
    """Return a request id, a new one if none is given, for a request with this body."""
    return RequestTag(id_ or str(uuid.uuid4()), body.encode())


async def refused(call: Coroutine[Any, Any, T] | asyncio.Task[T]) -> StatewardError:
    """Return what the call is refused with."""
    with pytest.raises(StatewardError) as caught:
        await call
    return caught.value


@asynccontextmanager
async def world(before: World | None = None, **limits: int) -> AsyncIterator[World]:
    """Start an engine: a fresh world, or the one `before` after a restart."""
    clock = before.clock if before else ManualClock()
    memory = before.memory if before else MemoryStore(clock=clock, entropy=SeededEntropy())
    if before is None:
        await memory.create_machine(Machine(ORG, MACHINE, None, clock.now_ms()), None)
    desk = before.desk if before else Desk()
    store, host = FaultyStore(memory), Host(desk)
    if before:
        host.acts = before.host.acts
    # A pace of flushes is kept in real time, which these tests do not have.
    bounds = replace(before.limits if before else EngineLimits(flush_pace_ms=0), **limits)
    published: list[tuple[str, list[int]]] = []

    def publish(instance: Instance, transitions: Sequence[Transition], position: int) -> None:
        assert position > 0 or not transitions
        published.append((instance.key.name, [each.revision for each in transitions]))

    engine = Engine(store.store, host, clock, publish, bounds)
    host.listen(engine)
    async with engine:
        yield World(desk, memory, store, clock, host, engine, bounds, published)
