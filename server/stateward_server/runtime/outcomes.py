"""From the model's inputs to frames, and from frames to its outcomes. Raises FrameFault on nonsense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.index import NO_ENTRIES
from stateward_server.model.names import instance_name, machine_name
from stateward_server.model.step import (
    CancelTimer,
    CreationQuestion,
    Denied,
    EndInput,
    EventInput,
    EventQuestion,
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
    ReadQuestion,
    Ref,
    Resume,
    SendParent,
    SendTo,
    SetTimer,
    Skipped,
    Spawn,
    Status,
    Step,
    StepReply,
    TimerInput,
    TimerOp,
    View,
)
from stateward_server.runtime.frames import FrameFault

Wire: TypeAlias = Any
"""A decoded frame's part: checked by taking it apart, since user code may have had a hand in it."""

_STATUS = {status.value: status for status in Status}
_SKIPPED = Skipped()
_NEED = NeedSnapshot()


def input_frame(one: Input) -> list[object]:
    match one:
        case EventInput(event_json, auth_json):
            return [0, event_json, auth_json]
        case TimerInput(id, event_json, target):
            return [1, id, event_json, target]
        case InboxInput():
            return [2]
        case LostInput(child):
            return [3, child]
        case EndInput(child, by, failed, payload_json):
            return [4, child, by.machine, by.instance, failed, payload_json]


def resume_frame(resume: Resume | None) -> list[str] | None:
    return None if resume is None else [resume.instance_name, resume.snapshot_json]


def question_frame(question: Question) -> list[str | None]:
    match question:
        case ReadQuestion(name, snapshot_json):
            return ["read", name, snapshot_json]
        case EventQuestion(name, snapshot_json, event_json):
            return ["event", name, snapshot_json, event_json]
        case CreationQuestion(name, context_json):
            return ["creation", name, context_json]


def judgement(wire: Wire) -> Denied | Failed | None:
    if wire is None:
        return None
    reply = start_reply(wire)
    if isinstance(reply, Denied | Failed):
        return reply
    raise FrameFault("not a judgement")


def step_reply(wire: Wire, inputs: Sequence[Input]) -> StepReply:
    try:
        kind = wire[0]
        if kind == 0:
            # The host takes the inputs in order and may take fewer.
            return Outcomes(tuple([outcome(one, given) for one, given in zip(wire[1], inputs, strict=False)]))
        if kind == 1:
            return _NEED
        return LostChildren(tuple(map(str, wire[1])))
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise FrameFault("not a step reply") from error


def start_reply(wire: Wire) -> Outcome:
    try:
        return outcome(wire, None)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise FrameFault("not an outcome") from error


def outcome(wire: Wire, given: Input | None) -> Outcome:
    kind = wire[0]
    if kind == 0:
        _, event, snapshot, value, states, tags, public, status, settled, *rest = wire
        timers, effects, output, mail, found = rest
        if event is None:
            event = _given_text(given)
        view = View(value, tuple(states), tuple(tags), public, _STATUS[status], settled)
        ops = tuple(map(_timer, timers)) if timers else ()
        entries = frozenset((str(index), str(value)) for index, value in found) if found else NO_ENTRIES
        messages = tuple(map(_message, mail)) if mail else ()
        return Step(event, snapshot, view, ops, effects, messages, output, entries)
    if kind == 1:
        return Denied(wire[1])
    if kind == 2:
        return Failed(*wire[1:])
    return _SKIPPED


def _given_text(given: Input | None) -> str:
    if isinstance(given, EventInput | TimerInput):
        return given.event_json
    raise FrameFault("a step without its event")


def _timer(wire: Wire) -> TimerOp:
    if len(wire) == 1:
        return CancelTimer(wire[0])
    id_, delay, event, target, *to = wire
    return SetTimer(id_, int(delay), event, target, _ref(*to) if to else None)


def _message(wire: Wire) -> Message:
    kind, *parts = wire
    if kind == "send":
        machine, instance, event = parts
        return SendTo(_ref(machine, instance), _text(event))
    if kind == "parent":
        (event,) = parts
        return SendParent(_text(event))
    if kind != "spawn":
        raise FrameFault("not a message")
    child, machine, instance, version, context = parts
    return Spawn(
        _text(child),
        _ref(machine, instance),
        None if version is None else _text(version),
        None if context is None else _text(context),
    )


def _ref(machine: Wire, instance: Wire) -> Ref:
    try:
        return Ref(machine_name(_text(machine)), instance_name(_text(instance)))
    except InvalidArgument as error:
        raise FrameFault("not the name of an instance") from error


def _text(wire: Wire) -> str:
    """What goes into the outbox as it is must be what its column holds."""
    if not isinstance(wire, str):
        raise FrameFault("not a text")
    return wire
