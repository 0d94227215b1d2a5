"""From the model's inputs to frames, and from frames to its outcomes. Raises FrameFault on nonsense.

User code shares a process with what writes these frames, and can change every word of them. What gets past
here is of the types and within the bounds that the model says, so that all of its server may rely on them.
"""

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

REASONS = frozenset(
    {
        "CONTEXT_NOT_JSON",
        "CONTEXT_TOO_LARGE",
        "EVENT_RESERVED",
        "EVENT_UNSERIALIZABLE",
        "INDEX_TOO_LARGE",
        "MACHINE_LOOPED",
        "MACHINE_THREW",
        "MESSAGE_INVALID",
        "UNKNOWN_EFFECT",
    }
)
"""Why a step fails, as far as a process may say."""

_STATUS = {status.value: status for status in Status}
_SKIPPED = Skipped()
_NEED = NeedSnapshot()
_LONGEST_DELAY = (1 << 53) - 1
_NAMES = 250_000
"""Characters of all active states, and of all tags."""
_CHILDREN = 10_000
"""More services than the heap of a process has room for."""
_TEXT = 4_000_000
"""Characters of a snapshot, or of anything else: ten times what a context has, for all that is beside it."""
_MESSAGE = 2_001
"""Characters, the mark of a cut included: what the host itself cuts its messages to."""


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
            # The host takes the inputs in order and may take fewer, but not none.
            items = tuple([outcome(one, given) for one, given in zip(wire[1], inputs, strict=False)])
            if inputs and not items:
                raise FrameFault("no outcome")
            return Outcomes(items)
        if kind == 1:
            return _NEED
        if kind == 2:
            return LostChildren(_lost(wire, inputs))
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise FrameFault("not a step reply") from error
    raise FrameFault("not a step reply")


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
        if not (
            type(event) is type(snapshot) is type(value) is str
            and type(settled) is bool
            and type(effects) is int
            and (public is None or type(public) is str)
            and (output is None or type(output) is str)
        ):
            raise FrameFault("not a step")
        # What is shown is part of the snapshot, which stays in memory while the instance is awake.
        most = len(snapshot)
        if max(most, len(event), len(output or "")) > _TEXT or max(len(value), len(public or "")) > most:
            raise FrameFault("not the texts of a step")
        view = View(value, _names(states), _names(tags), public, _STATUS[status], settled)
        ops = tuple(map(_timer, timers)) if timers else ()
        entries = frozenset((_text(index), _text(value)) for index, value in found) if found else NO_ENTRIES
        messages = tuple(map(_message, mail)) if mail else ()
        return Step(event, snapshot, view, ops, effects, messages, output, entries)
    if kind == 1:
        return Denied(_text(wire[1])[:_MESSAGE])
    if kind == 2:
        _, reason, message, *held = wire
        if reason not in REASONS:
            raise FrameFault("not a reason")
        return Failed(reason, _text(message)[:_MESSAGE], *map(_text, held))
    if kind == 3:
        return _SKIPPED
    raise FrameFault("not an outcome")


def _lost(wire: Wire, inputs: Sequence[Input]) -> tuple[str, ...]:
    """What was lost comes before anything else, once: whoever has just been told cannot be told again."""
    _, children = wire
    told = bool(inputs) and isinstance(inputs[0], LostInput)
    if told or type(children) is not list or not 0 < len(children) <= _CHILDREN:
        raise FrameFault("not the children that were lost")
    return tuple(map(_text, children))


def _names(wire: Wire) -> tuple[str, ...]:
    # Joining is the fastest look at the type of each.
    if type(wire) is not list or len("".join(wire)) + len(wire) > _NAMES:
        raise FrameFault("not the names of states or tags")
    return tuple(wire)


def _given_text(given: Input | None) -> str:
    if isinstance(given, EventInput | TimerInput):
        return given.event_json
    raise FrameFault("a step without its event")


def _timer(wire: Wire) -> TimerOp:
    if len(wire) == 1:
        return CancelTimer(_text(wire[0]))
    id_, delay, event, target, *to = wire
    if type(delay) is not int or not 0 <= delay <= _LONGEST_DELAY:
        raise FrameFault("not a delay")
    child = None if target is None else _text(target)
    return SetTimer(_text(id_), delay, _text(event), child, _ref(*to) if to else None)


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
    """What is stored as it is must be what its column holds."""
    if type(wire) is not str or len(wire) > _TEXT:
        raise FrameFault("not a text")
    return wire
