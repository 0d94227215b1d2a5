"""A machine host without processes or JavaScript: machines are Python objects, and all is done at once.

Keeps every promise of the MachineHost port (`host_suite` checks it), so that tests of what lies above the
host need neither.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from stateward_server.model.machine import Inspection, Module
from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.model.step import (
    CancelTimer,
    Denied,
    EndInput,
    EventInput,
    EventQuestion,
    Failed,
    InboxInput,
    Input,
    LostChildren,
    LostInput,
    NeedSnapshot,
    Outcome,
    Outcomes,
    Question,
    Ref,
    Resume,
    SetTimer,
    Skipped,
    Status,
    Step,
    StepReply,
    TimerInput,
    TimerOp,
    View,
)
from stateward_server.ports.host import Address, HostListener
from stateward_server.testing.fake_machine import FakeMachine, Json, Reaction


@dataclass(slots=True)
class _State:
    """One state of an instance; what it waits for lives in it, as in the snapshot."""

    value: str
    context: Json
    timer: str | None = None
    service: str | None = None
    lost: tuple[str, ...] = ()
    child: tuple[str, Ref] | None = None
    status: Status = Status.ACTIVE
    says: str | None = None
    starts: str | None = None
    taken: Json | None = None


@dataclass(slots=True)
class _Instance:
    name: str
    machine: FakeMachine
    revision: int
    states: list[_State]
    """The committed state and those computed on top of it."""
    inbox: list[Json] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    stopped: list[str] = field(default_factory=list)

    @property
    def top(self) -> int:
        return self.revision + len(self.states) - 1


class FakeHost:
    """Runs `machines`, by version. `calls` lists what it was asked, for tests that care."""

    def __init__(self, machines: dict[VersionId, FakeMachine]) -> None:
        self.machines = machines
        self.listener: HostListener | None = None
        self.calls: list[str] = []
        self._instances: dict[Address, _Instance] = {}

    def listen(self, listener: HostListener) -> None:
        self.listener = listener

    async def close(self) -> None:
        self._instances.clear()

    def die(self, version: VersionId) -> None:
        """Lose the process of a version, as a crash would."""
        self._instances = {at: one for at, one in self._instances.items() if at.version != version}
        if self.listener is not None:
            self.listener.lost(version)

    def finish(self, at: Address, service: str) -> None:
        """Let a running service succeed."""
        instance = self._instances[at]
        instance.running.discard(service)
        self._deliver(at, {"type": f"done.{service}"})

    async def inspect(self, module: Module) -> Inspection:  # noqa: ARG002 - any text will do
        self.calls.append("inspect")
        return Inspection("v5", "sample")

    async def start(
        self, at: Address, instance_name: str, context_json: str | None, auth_json: str | None
    ) -> Outcome:
        self.calls.append("start")
        machine = self.machines[at.version]
        if auth_json is not None and not machine.allows(json.loads(auth_json), None):
            return Denied("")
        try:
            reaction = machine.start(None if context_json is None else json.loads(context_json))
        except Exception as error:  # noqa: BLE001 - a machine may raise anything
            return Failed("MACHINE_THREW", str(error))
        instance = _Instance(instance_name, machine, 0, [_State("", {})])
        self._instances[at] = instance
        return self._push(instance, reaction, {"type": "init"}, instance.states[0])

    async def step(
        self, at: Address, revision: int, inputs: Sequence[Input], resume: Resume | None
    ) -> StepReply:
        self.calls.append("step")
        instance = self._instances.get(at)
        if instance is None or not self._stand_on(at, instance, revision):
            if resume is None:
                return NeedSnapshot()
            instance = self._wake(at, revision, resume)
            if instance.states[0].lost and not _reports_loss(inputs):
                return LostChildren(instance.states[0].lost)
        if instance.stopped and not _reports_loss(inputs):
            reply = LostChildren(tuple(instance.stopped))
            instance.stopped = []
            return reply
        outcomes: list[Outcome] = []
        for one in inputs:
            outcome = self._take(instance, one)
            outcomes.append(outcome)
            if isinstance(outcome, Step) and outcome.effects:
                break
        return Outcomes(tuple(outcomes))

    def commit(self, at: Address, revision: int) -> bool:
        self.calls.append("commit")
        instance = self._instances.get(at)
        while instance is not None and len(instance.states) > 1 and instance.revision < revision:
            instance.states.pop(0)
            instance.revision += 1
            self._act(at, instance, instance.states[0])
        return instance is not None

    def abort(self, at: Address, revision: int) -> None:
        self.calls.append("abort")
        instance = self._instances.get(at)
        while instance is not None and instance.top > revision and len(instance.states) > 1:
            taken = instance.states.pop().taken
            if taken is not None:
                instance.inbox.insert(0, taken)
                self._announce(at)
        if revision == 0:
            self._instances.pop(at, None)

    async def allow_read(
        self, at: Address, revision: int, auth_json: str, resume: Resume | None
    ) -> bool | None:
        self.calls.append("allow_read")
        instance = self._instances.get(at)
        known = instance is not None and instance.revision <= revision <= instance.top
        if not known and resume is None:
            return None
        return self.machines[at.version].allows(json.loads(auth_json), None)

    async def judge(self, at: Address, question: Question, auth_json: str) -> Denied | Failed | None:
        self.calls.append("judge")
        event = None
        if isinstance(question, EventQuestion):
            event = _event_of(question.event_json)
            if _is_reserved(event):
                return Failed("EVENT_RESERVED", f"callers cannot send {event['type']}")
        return None if self.machines[at.version].allows(json.loads(auth_json), event) else Denied("")

    def stop_children(self, at: Address) -> None:
        self.calls.append("stop_children")
        instance = self._instances.get(at)
        if instance is None:
            return
        instance.stopped.extend(sorted(instance.running))
        for state in instance.states:
            state.lost = (*state.lost, *sorted(instance.running))
        instance.running.clear()

    def evict(self, at: Address) -> None:
        self.calls.append("evict")
        self._instances.pop(at, None)

    def _stand_on(self, at: Address, instance: _Instance, revision: int) -> bool:
        if not instance.revision <= revision <= instance.top:
            return False
        self.abort(at, revision)
        while len(instance.states) > 1 and not _effects(instance.states[1]):
            instance.states.pop(0)
            instance.revision += 1
        return len(instance.states) == 1

    def _wake(self, at: Address, revision: int, resume: Resume) -> _Instance:
        told = json.loads(resume.snapshot_json)
        service = told.get("service")
        lost = (service,) if service else ()
        status = Status(told["status"])
        child = (told["child"][0], Ref(*told["child"][1:])) if "child" in told else None
        state = _State(told["value"], told["context"], told.get("timer"), service, lost, child, status)
        instance = _Instance(resume.instance_name, self.machines[at.version], revision, [state])
        self._instances[at] = instance
        return instance

    def _take(self, instance: _Instance, one: Input) -> Outcome:  # noqa: PLR0911 - one per outcome
        state = instance.states[-1]
        match one:
            case EventInput(text, auth):
                return self._event(instance, state, text, auth)
            case TimerInput(id, text, _):
                if state.timer != id:
                    return Skipped()
                return self._react(instance, replace(state, timer=None), json.loads(text))
            case InboxInput():
                return self._inbox(instance, state)
            case LostInput(child):
                if child not in state.lost:
                    return Skipped()
                lost = tuple(other for other in state.lost if other != child)
                without = replace(state, lost=lost, service=None)
                return self._react(instance, without, {"type": f"lost.{child}"})
            case EndInput(child, by, failed):
                if state.child != (child, by):
                    return Skipped()
                return self._react(instance, state, {"type": f"{'failed' if failed else 'done'}.{child}"})

    def _inbox(self, instance: _Instance, state: _State) -> Outcome:
        if not instance.inbox or state.status is not Status.ACTIVE:
            return Skipped()
        event = instance.inbox.pop(0)
        outcome = self._react(instance, state, event, taken=event)
        return replace(outcome, event_json=json.dumps(event)) if isinstance(outcome, Failed) else outcome

    def _event(self, instance: _Instance, state: _State, text: str, auth: str | None) -> Outcome:
        event = _event_of(text)
        if auth is not None and _is_reserved(event):
            return Failed("EVENT_RESERVED", f"callers cannot send {event['type']}")
        if auth is not None and not instance.machine.allows(json.loads(auth), event):
            return Denied("")
        if state.status is not Status.ACTIVE:
            return Skipped()
        return self._react(instance, state, event)

    def _react(self, instance: _Instance, state: _State, event: Json, taken: Json | None = None) -> Outcome:
        try:
            reaction = instance.machine.react(state.value, state.context, event)
        except Exception as error:  # noqa: BLE001 - a machine may raise anything
            return Failed("MACHINE_THREW", str(error))
        if reaction is None:
            return self._keep(instance, replace(state, says=None, starts=None, taken=taken), event, ())
        return self._push(instance, reaction, event, state, taken)

    def _push(
        self, instance: _Instance, to: Reaction, event: Json, before: _State, taken: Json | None = None
    ) -> Step:
        stays = to.value == before.value
        timers: list[TimerOp] = []
        timer = before.timer
        if not stays:
            if timer is not None:
                timers.append(CancelTimer(timer))
            timer = None
            if to.timer is not None:
                timer, delay, kind = to.timer
                timers.append(SetTimer(timer, delay, json.dumps({"type": kind}), None))
        service = before.service if stays else to.service
        status = Status.DONE if to.done else Status.ACTIVE
        starts = None if stays else to.service
        if to.far is not None:
            timers.append(to.far)
        child = before.child if stays else to.child
        state = _State(
            to.value, to.context, timer, service, before.lost, child, status, to.says, starts, taken
        )
        return replace(self._keep(instance, state, event, tuple(timers)), messages=to.messages)

    def _keep(self, instance: _Instance, state: _State, event: Json, timers: tuple[TimerOp, ...]) -> Step:
        instance.states.append(state)
        told: Json = {"value": state.value, "status": state.status.value, "context": state.context}
        running = state.service is not None and (
            state.starts is not None or state.service in instance.running
        )
        if running or state.lost:
            told["service"] = state.service or state.lost[0]
        if state.child is not None:
            id_, ref = state.child
            told["child"] = [id_, ref.machine, ref.instance]
        if state.timer is not None:
            told["timer"] = state.timer
        public = state.context.get("public")
        view = View(
            value_json=json.dumps(state.value),
            states=(state.value,),
            tags=("calm",) if state.value == "off" else (),
            public_json=json.dumps(public) if isinstance(public, dict) else None,
            status=state.status,
            settled=not (running or state.lost or instance.inbox),
        )
        return Step(json.dumps(event), json.dumps(told), view, timers, _effects(state))

    def _act(self, at: Address, instance: _Instance, state: _State) -> None:
        instance.running &= {state.service} if state.service else set()
        if state.says is not None and self.listener is not None:
            self.listener.logged(at.version, at.uid, "info", state.says)
        if state.starts is not None:
            instance.running.add(state.starts)
            if instance.machine.finishes(state.starts):
                asyncio.get_running_loop().call_soon(self._finished, at, state.starts)

    def _finished(self, at: Address, service: str) -> None:
        instance = self._instances.get(at)
        if instance is not None and service in instance.running:
            self.finish(at, service)

    def _deliver(self, at: Address, event: Json) -> None:
        self._instances[at].inbox.append(event)
        self._announce(at)

    def _announce(self, at: Address) -> None:
        if self.listener is not None:
            self.listener.inbox(InstanceUid(at.uid))


def _effects(state: _State) -> int:
    return (state.says is not None) + (state.starts is not None)


def _reports_loss(inputs: Sequence[Input]) -> bool:
    return bool(inputs) and isinstance(inputs[0], LostInput)


def _event_of(text: str) -> Json:
    event = json.loads(text)
    return {"type": event} if isinstance(event, str) else event


def _is_reserved(event: Json) -> bool:
    return str(event["type"]).startswith(("xstate.", "done.", "error."))
