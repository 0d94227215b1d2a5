"""A server of machines that are Python functions, for tests of what instances send each other.

A machine gets its context and an event, and returns what it moves to; whatever it raises is MACHINE_THREW.
The ledger is in memory, the clock is the test's, and a restart is a new engine on the same ledger.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from stateward_server.engine.engine import Engine
from stateward_server.model.ledger import DeadLetter, InstanceKey, Transition
from stateward_server.model.limits import EngineLimits
from stateward_server.model.machine import Inspection, Language, Machine, Module, Version
from stateward_server.model.names import InstanceName, InstanceUid, MachineName, OrgId, VersionId
from stateward_server.model.step import (
    Denied,
    EndInput,
    EventInput,
    Failed,
    InboxInput,
    Input,
    LostChildren,
    LostInput,
    Message,
    NeedSnapshot,
    Outcome,
    Outcomes,
    Question,
    Resume,
    Skipped,
    Status,
    Step,
    StepReply,
    TimerInput,
    TimerOp,
    View,
)
from stateward_server.model.wait import Reply, Until, Wait
from stateward_server.ports.host import Address, HostLost
from stateward_server.ports.store import Loaded, Store
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy, settle

Json: TypeAlias = dict[str, Any]

ORG = OrgId("org_AAAAAAAAAAAAAAAAAAAAAA")
AUTH = '{"sub":"tester"}'
NOW = Wait(Until.COMMITTED, 0)


@dataclass(frozen=True, slots=True)
class Move:
    """What a machine does with an event."""

    context: Json
    messages: tuple[Message, ...] = ()
    timers: tuple[TimerOp, ...] = ()
    status: Status = Status.ACTIVE
    output: object = None


React: TypeAlias = Callable[[Json, Json], Move]
Allow: TypeAlias = Callable[[Json, Json | None], bool]


@dataclass(frozen=True, slots=True)
class Script:
    """A machine: its reaction to `{"type":"init"}` is its first state, `input` being the context given."""

    react: React
    allow: Allow = lambda auth, event: True


def log(context: Json, event: Json) -> Move:
    """Keep every event but the first: the simplest receiver."""
    if event["type"] == "init":
        return Move({"public": {"got": []}})
    return Move({"public": {"got": [*context["public"]["got"], event]}})


@dataclass(slots=True)
class _Held:
    script: Script
    revision: int
    states: list[tuple[Json, Status]]
    """The state of `revision`, and those computed after it."""


@dataclass(slots=True)
class ScriptHost:
    """Runs scripts, by version (MachineHost)."""

    scripts: dict[VersionId, Script] = field(default_factory=dict)
    inboxes: dict[InstanceUid, list[Json]] = field(default_factory=dict)
    down: bool = False
    steps: int = 0
    gate: asyncio.Event | None = None
    """Every step waits for it, if it is there."""
    stuck: dict[VersionId, asyncio.Event] = field(default_factory=dict)
    """Steps of these versions wait, too."""
    _held: dict[Address, _Held] = field(default_factory=dict)

    async def inspect(self, module: Module) -> Inspection:
        raise NotImplementedError

    async def start(
        self, at: Address, instance_name: str, context_json: str | None, auth_json: str | None
    ) -> Outcome:
        if self.down:
            raise HostLost
        script = self.scripts[at.version]
        if auth_json is not None and not script.allow(json.loads(auth_json), None):
            return Denied("")
        held = _Held(script, 0, [({}, Status.ACTIVE)])
        self._held[at] = held
        given = json.loads(context_json) if context_json else None
        return self._move(held, {"type": "init", "input": given, "name": instance_name})

    async def step(
        self, at: Address, revision: int, inputs: Sequence[Input], resume: Resume | None
    ) -> StepReply:
        self.steps += 1
        if self.gate is not None:
            await self.gate.wait()
        if at.version in self.stuck:
            await self.stuck[at.version].wait()
        if self.down:
            raise HostLost
        held = self._held.get(at)
        if held is None or not held.revision <= revision < held.revision + len(held.states):
            if resume is None:
                return NeedSnapshot()
            told = json.loads(resume.snapshot_json)
            held = _Held(self.scripts[at.version], revision, [(told["context"], Status(told["status"]))])
            self._held[at] = held
            if told["context"].get("lost") and not (inputs and isinstance(inputs[0], LostInput)):
                return LostChildren((told["context"]["lost"],))
        del held.states[revision - held.revision + 1 :]
        return Outcomes(tuple([self._take(at, held, one) for one in inputs]))

    def commit(self, at: Address, revision: int) -> bool:
        return True

    def abort(self, at: Address, revision: int) -> None:
        held = self._held.get(at)
        if held is not None:
            del held.states[max(0, revision - held.revision) + 1 :]

    async def allow_read(
        self, at: Address, revision: int, auth_json: str, resume: Resume | None
    ) -> bool | None:
        return True

    async def judge(self, at: Address, question: Question, auth_json: str) -> Denied | Failed | None:
        return None

    def stop_children(self, at: Address) -> None:
        pass

    def evict(self, at: Address) -> None:
        self._held.pop(at, None)

    def _take(self, at: Address, held: _Held, one: Input) -> Outcome:  # noqa: PLR0911 - one per outcome
        if held.states[-1][1] is not Status.ACTIVE:
            return Skipped()
        match one:
            case EventInput(text, auth):
                event = json.loads(text)
                if auth is not None and not held.script.allow(json.loads(auth), event):
                    return Denied("")
                return self._move(held, event)
            case TimerInput(_, text, _):
                return self._move(held, json.loads(text))
            case InboxInput():
                inbox = self.inboxes.get(at.uid)
                if not inbox:
                    return Skipped()
                event = inbox.pop(0)
                outcome = self._move(held, event)
                return (
                    replace(outcome, event_json=json.dumps(event)) if isinstance(outcome, Failed) else outcome
                )
            case LostInput(child):
                if held.states[-1][0].get("lost") != child:
                    return Skipped()
                return self._move(held, {"type": f"lost.{child}"})
            case EndInput(child, by, failed, payload):
                said = None if payload is None else json.loads(payload)
                kind = "failed" if failed else "done"
                return self._move(held, {"type": f"{kind}.{child}", "by": by.instance, "said": said})

    def _move(self, held: _Held, event: Json) -> Step | Failed:
        context, _ = held.states[-1]
        try:
            move = held.script.react(context, event)
        except Exception as error:  # noqa: BLE001 - a machine may raise anything
            return Failed("MACHINE_THREW", str(error))
        held.states.append((move.context, move.status))
        public = move.context.get("public")
        view = View(
            value_json='"s"',
            states=("s",),
            tags=(),
            public_json=None if public is None else json.dumps(public),
            status=move.status,
            settled=not move.context.get("lost"),
        )
        told: Json = {"context": move.context, "status": move.status.value}
        output = None if move.output is None else json.dumps(move.output)
        if output is not None:
            told["output" if move.status is Status.DONE else "error"] = move.output
        return Step(json.dumps(event), json.dumps(told), view, move.timers, 0, move.messages, output)


@dataclass(slots=True)
class World:
    """An engine on a ledger, and short words for what tests do with them."""

    store: MemoryStore
    clock: ManualClock
    host: ScriptHost
    engine: Engine
    limits: EngineLimits

    async def machine(self, name: str, script: Script | React) -> VersionId:
        """Publish a machine."""
        version = VersionId(f"ver_{name:A<22}"[:26])
        machine = MachineName(name)
        await self.store.create_machine(Machine(ORG, machine, None, 0), None)
        made = Version(version, ORG, machine, "v5", "", 1, 0)
        await self.store.create_version(made, Module("", Language.JAVASCRIPT), None, make_current=True)
        self.host.scripts[version] = script if isinstance(script, Script) else Script(script)
        return version

    async def create(self, machine: str, name: str, context: Json | None = None) -> None:
        found = await self.store.get_machine(ORG, MachineName(machine))
        assert found is not None
        assert found.current_version is not None
        text = None if context is None else json.dumps(context)
        version = found.current_version.id
        await self.engine.create(key(machine, name), version, text, AUTH, request=None, wait=NOW)

    async def send(self, machine: str, name: str, event: str | Json) -> Reply:
        text = json.dumps(event if isinstance(event, dict) else {"type": event})
        at = key(machine, name)
        return await self.engine.send(at, text, AUTH, request=None, expected_revision=0, wait=NOW)

    async def load(self, machine: str, name: str) -> Loaded | None:
        return await self.store.load(key(machine, name))

    async def history(self, machine: str, name: str) -> Sequence[Transition]:
        loaded = await self.load(machine, name)
        return [] if loaded is None else await self.store.history(loaded.instance.uid, 0, 1000)

    async def got(self, machine: str, name: str) -> list[Json]:
        """Return the events that a `log` machine has kept."""
        loaded = await self.load(machine, name)
        assert loaded is not None
        assert loaded.last.view.public_json is not None
        found: list[Json] = json.loads(loaded.last.view.public_json)["got"]
        return found

    async def types(self, machine: str, name: str) -> list[str]:
        return [event["type"] for event in await self.got(machine, name)]

    async def letters(self, machine: str) -> Sequence[DeadLetter]:
        return await self.store.list_letters(ORG, MachineName(machine), None, 0, 100)

    async def owed(self) -> int:
        return len(await self.store.owed_after(0, 10_000))

    async def rest(self, ms: int = 200) -> None:
        """Let everything happen that is due within a moment."""
        await settle()
        await self.clock.advance(ms)
        await settle()


def key(machine: str, name: str) -> InstanceKey:
    return InstanceKey(ORG, MachineName(machine), InstanceName(name))


@asynccontextmanager
async def world(
    before: World | None = None, store: Store | None = None, limits: EngineLimits | None = None
) -> AsyncIterator[World]:
    """Start an engine: a fresh world, or the one `before` after a restart. `store` wraps the ledger."""
    clock = before.clock if before else ManualClock()
    ledger = before.store if before else MemoryStore(clock=clock, entropy=SeededEntropy())
    host = ScriptHost(before.host.scripts if before else {})
    # A pace of flushes is kept in real time, which these tests do not have.
    bounds = replace(limits or (before.limits if before else EngineLimits()), flush_pace_ms=0)
    # Flushes are never held back here: a pace is kept in real time, which these tests do not have.
    paceless = replace(bounds, flush_pace_ms=0)
    engine = Engine(store or ledger, host, clock, lambda *_: None, paceless)
    async with engine:
        yield World(ledger, clock, host, engine, bounds)
