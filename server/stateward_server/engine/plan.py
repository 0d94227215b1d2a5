"""From computed steps to one Commit: a pure function, so that a repeated turn plans the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stateward_server.engine.envelope import Envelope
from stateward_server.model.ledger import Commit, Instance, TimerRow, Transition
from stateward_server.model.step import SetTimer, Status, Step, TimerInput


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
            )
        )
        if isinstance(envelope.input, TimerInput):
            timers[envelope.input.id] = None
        for op in step.timers:
            if isinstance(op, SetTimer):
                timers[op.id] = TimerRow(instance.uid, op.id, now_ms + op.delay_ms, op.event_json, op.target)
            else:
                timers[op.id] = None
    if steps and steps[-1][1].view.status is not Status.ACTIVE:
        # A machine that has ended hears nothing any more: its timers go with it.
        timers = dict.fromkeys((*pending, *timers), None)
    return Commit(
        instance=instance,
        base_revision=base_revision,
        transitions=tuple(transitions),
        timers_set=tuple(row for row in timers.values() if row is not None),
        timers_gone=tuple(timer for timer, row in timers.items() if row is None and timer in pending),
    )
