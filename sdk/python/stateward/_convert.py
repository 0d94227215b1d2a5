"""Messages of the contract to and from the SDK's own values.

With `_calls`, the only border to generated code: nothing generated leaves here. Enum values that this version
does not know become `UNKNOWN`, so that a newer server does not break an older client.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote

from google.protobuf.duration_pb2 import Duration

from ._json import decode
from ._names import parts
from ._wait import HasTag, InState, Point, Wait
from .state import (
    Cause,
    Comparison,
    DeadLetter,
    DeadLetterKind,
    IndexCondition,
    IndexEntry,
    InstanceInfo,
    Language,
    Limit,
    MachineInfo,
    MachineVersion,
    Mode,
    Reply,
    State,
    Status,
    Timer,
    Transition,
)
from .v1 import (
    dead_letter_pb2,
    instance_pb2,
    instance_service_pb2,
    limits_service_pb2,
    machine_pb2,
    subscription_service_pb2,
)

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

_STATUS = {
    instance_pb2.MACHINE_STATUS_ACTIVE: Status.ACTIVE,
    instance_pb2.MACHINE_STATUS_DONE: Status.DONE,
    instance_pb2.MACHINE_STATUS_FAILED: Status.FAILED,
    instance_pb2.MACHINE_STATUS_STOPPED: Status.STOPPED,
}
_CAUSE = {
    instance_pb2.TRANSITION_CAUSE_CREATED: Cause.CREATED,
    instance_pb2.TRANSITION_CAUSE_EVENT: Cause.EVENT,
    instance_pb2.TRANSITION_CAUSE_TIMER: Cause.TIMER,
    instance_pb2.TRANSITION_CAUSE_SERVICE: Cause.SERVICE,
    instance_pb2.TRANSITION_CAUSE_LOST: Cause.LOST,
    instance_pb2.TRANSITION_CAUSE_MESSAGE: Cause.MESSAGE,
    instance_pb2.TRANSITION_CAUSE_CHILD: Cause.CHILD,
}
_LETTER_KIND = {
    dead_letter_pb2.DEAD_LETTER_KIND_TIMER: DeadLetterKind.TIMER,
    dead_letter_pb2.DEAD_LETTER_KIND_MESSAGE: DeadLetterKind.MESSAGE,
    dead_letter_pb2.DEAD_LETTER_KIND_SPAWN: DeadLetterKind.SPAWN,
    dead_letter_pb2.DEAD_LETTER_KIND_COMPLETION: DeadLetterKind.COMPLETION,
    dead_letter_pb2.DEAD_LETTER_KIND_SERVICE: DeadLetterKind.SERVICE,
}
_UNIT = {
    limits_service_pb2.LIMIT_UNIT_COUNT: "count",
    limits_service_pb2.LIMIT_UNIT_BYTES: "bytes",
    limits_service_pb2.LIMIT_UNIT_MILLISECONDS: "ms",
    limits_service_pb2.LIMIT_UNIT_CHARACTERS: "characters",
}
_POINT = {
    Point.COMMITTED: instance_service_pb2.WAIT_POINT_COMMITTED,
    Point.SETTLED: instance_service_pb2.WAIT_POINT_SETTLED,
    Point.DONE: instance_service_pb2.WAIT_POINT_DONE,
}
_MODE: dict[str, subscription_service_pb2.WatchMode.ValueType] = {
    "latest": subscription_service_pb2.WATCH_MODE_LATEST,
    "every_transition": subscription_service_pb2.WATCH_MODE_EVERY_TRANSITION,
}
_COMPARISON: dict[str, instance_pb2.Comparison.ValueType] = {
    "=": instance_pb2.COMPARISON_EQUAL,
    "!=": instance_pb2.COMPARISON_NOT_EQUAL,
    "<": instance_pb2.COMPARISON_LESS,
    "<=": instance_pb2.COMPARISON_LESS_OR_EQUAL,
    ">": instance_pb2.COMPARISON_GREATER,
    ">=": instance_pb2.COMPARISON_GREATER_OR_EQUAL,
}
_LANGUAGE: dict[str, machine_pb2.ModuleLanguage.ValueType] = {
    "javascript": machine_pb2.MODULE_LANGUAGE_JAVASCRIPT,
    "typescript": machine_pb2.MODULE_LANGUAGE_TYPESCRIPT,
}


def wait_message(wait: Wait) -> instance_service_pb2.Wait:
    if not isinstance(wait, Wait):
        raise TypeError(f"wait must be a Wait, such as Wait.SETTLED, not {type(wait).__name__}")
    timeout = None
    if wait.timeout is not None:
        timeout = Duration()
        timeout.FromTimedelta(timedelta(seconds=wait.timeout))
    match wait.until:
        case Point() as point:
            return instance_service_pb2.Wait(point=_POINT[point], timeout=timeout)
        case InState(path):
            return instance_service_pb2.Wait(state=path, timeout=timeout)
        case HasTag(tag):
            return instance_service_pb2.Wait(tag=tag, timeout=timeout)


def mode_number(mode: Mode) -> subscription_service_pb2.WatchMode.ValueType:
    """Raises ValueError for a mode that the type checker did not see."""
    if mode not in _MODE:
        raise ValueError(f"a subscription's mode is one of {', '.join(_MODE)}, got {mode!r}")
    return _MODE[mode]


def language_number(language: Language) -> machine_pb2.ModuleLanguage.ValueType:
    """Raises ValueError for a language that the type checker did not see."""
    if language not in _LANGUAGE:
        raise ValueError(f"a module's language is one of {', '.join(_LANGUAGE)}, got {language!r}")
    return _LANGUAGE[language]


def comparison_number(comparison: Comparison) -> instance_pb2.Comparison.ValueType:
    """Raises ValueError for a comparison that the type checker did not see."""
    if comparison not in _COMPARISON:
        raise ValueError(
            f"values in an index are compared by one of {' '.join(_COMPARISON)}, got {comparison!r}"
        )
    return _COMPARISON[comparison]


def condition_message(condition: IndexCondition) -> instance_pb2.IndexCondition:
    """Raises ValueError for a comparison that the type checker did not see."""
    return instance_pb2.IndexCondition(
        index=condition.index, comparison=comparison_number(condition.comparison), value=condition.value
    )


def state(message: instance_pb2.State) -> State:
    context = message.public_context_json if message.HasField("public_context_json") else None
    return State(
        revision=message.revision,
        value=decode(message.value_json),
        states=tuple(message.states),
        tags=frozenset(message.tags),
        public_context=None if context is None else decode(context),
        done=message.done,
        status=_STATUS.get(message.status, Status.UNKNOWN),
        settled=message.settled,
        update_time=time(message.update_time),
    )


def machine(message: machine_pb2.Machine) -> MachineInfo:
    return MachineInfo(
        name=parts(message.name)[0],
        current_version=parts(message.current_version)[1] if message.current_version else None,
        create_time=time(message.create_time),
        indexes=tuple(message.indexes),
    )


def machine_version(message: machine_pb2.MachineVersion) -> MachineVersion:
    machine_name, version_id = parts(message.name)
    return MachineVersion(
        machine=machine_name,
        id=version_id,
        xstate_version=message.xstate_version,
        client_info=message.client_info,
        source_bytes=message.source_bytes,
        create_time=time(message.create_time),
        index_selectors=dict(message.index_selectors),
    )


def instance_info(message: instance_pb2.Instance) -> InstanceInfo:
    machine_name, instance_name = parts(message.name)
    return InstanceInfo(
        machine=machine_name,
        name=instance_name,
        version=parts(message.version)[1],
        revision=message.state.revision,
        status=_STATUS.get(message.state.status, Status.UNKNOWN),
        settled=message.state.settled,
        create_time=time(message.create_time),
        paused=message.paused,
    )


def index_entry(message: instance_pb2.IndexEntry) -> IndexEntry:
    return IndexEntry(instance=instance_info(message.instance), value=message.value)


def timer(message: instance_pb2.Timer) -> Timer:
    return Timer(
        id=unquote(parts(message.name)[2]),
        due_time=time(message.due_time),
        event=decode(message.event_json),
        target=message.target,
    )


def letter(message: dead_letter_pb2.DeadLetter) -> DeadLetter:
    machine_name, instance_name, number = parts(message.name)
    return DeadLetter(
        machine=machine_name,
        instance=instance_name,
        id=int(number),
        kind=_LETTER_KIND.get(message.kind, DeadLetterKind.UNKNOWN),
        target=message.target,
        about=message.id,
        payload=decode(message.payload_json) if message.payload_json else None,
        reason=message.reason,
        message=message.message,
        attempts=message.attempts,
        create_time=time(message.create_time),
    )


def limit(message: limits_service_pb2.Limit) -> Limit:
    return Limit(
        name=message.name,
        value=message.value,
        unit=_UNIT.get(message.unit, "unknown"),
        description=message.description,
        reason=message.reason,
    )


def transition(message: instance_pb2.Transition) -> Transition:
    return Transition(
        revision=message.state.revision,
        event=decode(message.event_json),
        cause=_CAUSE.get(message.cause, Cause.UNKNOWN),
        state=state(message.state),
        epoch=message.epoch,
    )


def created(message: instance_service_pb2.CreateInstanceResponse) -> Reply:
    return Reply(
        state=state(message.instance.state),
        revision=1,
        condition_met=message.condition_met,
        replayed=message.replayed,
    )


def sent(message: instance_service_pb2.SendEventResponse) -> Reply:
    return Reply(
        state=state(message.state),
        revision=message.revision,
        condition_met=message.condition_met,
        replayed=message.replayed,
    )


def time(message: Timestamp) -> datetime:
    return message.ToDatetime(tzinfo=UTC)
