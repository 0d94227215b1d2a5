"""What of a mailbox may reach the machine: questions about an envelope and what is known of its instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stateward_server.engine.envelope import Envelope
from stateward_server.engine.refusals import ended, paused, stale
from stateward_server.model.errors import StatewardError
from stateward_server.model.ledger import Instance, TimerRow, Transition
from stateward_server.model.step import Status, TimerInput


def obstacle(envelope: Envelope, instance: Instance, last: Transition) -> StatewardError | None:
    """Return what keeps an envelope from the machine as it is now."""
    if last.view.status is not Status.ACTIVE:
        return ended(last.view.status)
    if instance.paused:
        return paused(instance.key)
    if envelope.expected_revision and envelope.expected_revision != last.revision:
        return stale(envelope.expected_revision, last.revision)
    return None


def outdated(envelope: Envelope, timers: Mapping[str, TimerRow]) -> bool:
    """Tell whether an envelope comes from a timer that is gone, or was replaced."""
    timer = envelope.input
    if not isinstance(timer, TimerInput):
        return False
    row = timers.get(timer.id)
    return row is None or row.due_ms != envelope.due_ms or row.event_json != timer.event_json


def addressed(batch: Sequence[Envelope], timers: Mapping[str, TimerRow]) -> TimerRow | None:
    """Return the timer whose event goes to another instance, if the batch is one."""
    if not batch or not isinstance(batch[0].input, TimerInput):
        return None
    row = timers.get(batch[0].input.id)
    return row if row is not None and row.to is not None else None
