"""From computed steps to one Commit: pure functions, so that a repeated turn plans the same rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from stateward_server.engine.envelope import Envelope
from stateward_server.engine.pauses import backoff
from stateward_server.model.errors import StatewardError
from stateward_server.model.ledger import Commit, DeadLetter, Extra, Instance, Owed, TimerRow, Transition
from stateward_server.model.limits import EngineLimits
from stateward_server.model.outbox import Parcel, ParcelKind
from stateward_server.model.step import (
    EventInput,
    Failed,
    Input,
    LostInput,
    Message,
    Ref,
    SendParent,
    SendTo,
    SetTimer,
    Status,
    Step,
    TimerInput,
)

_ENDS = {Status.DONE: ParcelKind.DONE, Status.ERROR: ParcelKind.FAILED}


def plan(
    instance: Instance,
    base_revision: int,
    steps: Sequence[tuple[Envelope, Step]],
    pending: Mapping[str, TimerRow],
    *,
    now_ms: int,
    epoch: int,
) -> Commit:
    """Return what the ledger must add for consecutive steps that start from `base_revision`.

    `pending` are the instance's timers before the first step; deadlines count from `now_ms`.
    """
    transitions: list[Transition] = []
    timers: dict[str, TimerRow | None] = {}
    parcels: list[Parcel] = []
    for envelope, step in steps:
        transitions.append(
            Transition(
                revision=base_revision + len(transitions) + 1,
                epoch=epoch,
                time_ms=now_ms,
                cause=envelope.cause,
                event_json=step.event_json,
                snapshot_json=step.snapshot_json,
                view=step.view,
                version=instance.version,
                request=envelope.request,
                indexes=step.indexes,
            )
        )
        if isinstance(envelope.input, TimerInput):
            timers[envelope.input.id] = None
        for op in step.timers:
            if isinstance(op, SetTimer):
                due = now_ms + op.delay_ms
                timers[op.id] = TimerRow(instance.uid, op.id, due, op.event_json, op.target, op.to)
            else:
                timers[op.id] = None
        if step.messages:
            parcels.extend(_addressed(instance, step.messages))
    if steps and steps[-1][1].view.status is not Status.ACTIVE:
        # A machine that has ended hears nothing any more: its timers go with it.
        timers = dict.fromkeys((*pending, *timers), None)
        parcels.extend(completion(instance, steps[-1][1]))
    return Commit(
        instance=instance,
        base_revision=base_revision,
        transitions=tuple(transitions),
        timers_set=tuple(row for row in timers.values() if row is not None),
        timers_gone=tuple(timer for timer, row in timers.items() if row is None and timer in pending),
        extra=Extra(outbox=tuple(parcels)) if parcels else None,
    )


def _addressed(instance: Instance, messages: Sequence[Message]) -> Iterator[Parcel]:
    parent = instance.parent
    for message in messages:
        if isinstance(message, SendTo):
            yield Parcel(ParcelKind.EVENT, message.to, payload_json=message.event_json)
        elif not isinstance(message, SendParent):
            yield Parcel(
                ParcelKind.SPAWN,
                message.to,
                child=message.child,
                version=message.version,
                payload_json=message.context_json,
            )
        elif parent is not None:
            to = Ref(parent.machine, parent.name)
            yield Parcel(ParcelKind.EVENT, to, parent.uid, parent.child, payload_json=message.event_json)


def completion(instance: Instance, step: Step) -> Iterator[Parcel]:
    """Return the word to the parent that its child has ended, if there is one to tell."""
    kind, parent = _ENDS.get(step.view.status), instance.parent
    if kind is not None and parent is not None:
        to = Ref(parent.machine, parent.name)
        yield Parcel(kind, to, parent.uid, parent.child, payload_json=step.output_json)


def unborn(spawn: Owed, error: StatewardError) -> Parcel:
    """Return the word to a machine that a child it asked for will not be."""
    to, sender = spawn.parcel.to, spawn.sender
    said = {"name": "SpawnFailed", "reason": error.reason, "message": error.message}
    text = json.dumps({"machine": to.machine, "instance": to.instance, "error": said})
    own = Ref(sender.machine, sender.name)
    return Parcel(ParcelKind.UNBORN, own, spawn.uid, spawn.parcel.child, payload_json=text)


def forward(instance: Instance, revision: int, row: TimerRow) -> Commit:
    """Return what turns a timer that is due into a message to the instance it names."""
    if row.to is None:
        raise ValueError("the timer is the instance's own")
    parcel = Parcel(ParcelKind.EVENT, row.to, payload_json=row.event_json)
    return Commit(instance, revision, (), (), (row.id,), Extra(outbox=(parcel,)))


def keep(instance: Instance, input_: Input, outcome: Failed, *, now_ms: int, limits: EngineLimits) -> Extra:
    """Return what is owed to the machine after it could not take something a service said.

    Without its content there is nothing to try again with: that is a dead letter at once.
    """
    to = Ref(instance.key.machine, instance.key.name)
    kind, child, text = ParcelKind.SERVICE, "", outcome.event_json
    if isinstance(input_, LostInput):
        kind, child = ParcelKind.LOST, input_.child
    elif isinstance(input_, EventInput):
        text = input_.event_json
    parcel = Parcel(
        kind,
        to,
        instance.uid,
        child,
        payload_json=text,
        attempt=1,
        not_before_ms=now_ms + backoff(limits, 1),
    )
    if kind is ParcelKind.LOST or text is not None:
        return Extra(outbox=(parcel,))
    letter = DeadLetter(
        0, instance.uid, instance.key, parcel, None, outcome.reason, outcome.message, 1, now_ms
    )
    return Extra(letters=(letter,))
