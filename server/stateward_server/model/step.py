"""What one hop to a machine host takes and gives: inputs in, outcomes out, all of it data.

JSON travels as text the host wrote; nothing here is parsed on the way to the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from stateward_server.model.index import NO_ENTRIES, IndexEntries


class Status(Enum):
    """Where a machine stands in its own life, in XState's words."""

    ACTIVE = "active"
    DONE = "done"
    ERROR = "error"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class View:
    """What may be shown of a state: everything but the private part of the context."""

    value_json: str
    """XState's state value: a string or a nested object."""
    states: tuple[str, ...]
    """Active state nodes as dotted paths below the root, parents before children."""
    tags: tuple[str, ...]
    public_json: str | None
    """The object under `context.public`, if there is one."""
    status: Status
    settled: bool
    """No ephemeral service is running."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Another instance of the same organisation, as machines name it. Checked where it is used."""

    machine: str
    instance: str


@dataclass(frozen=True, slots=True)
class SendTo:
    """Send an event to another instance once this step is durable."""

    to: Ref
    event_json: str


@dataclass(frozen=True, slots=True)
class SendParent:
    """Send an event to the instance that spawned or invoked this one; nothing happens without one."""

    event_json: str


@dataclass(frozen=True, slots=True)
class Spawn:
    """Create another instance as a child that this machine knows as `child`; one that exists is adopted."""

    child: str
    to: Ref
    version: str | None
    context_json: str | None


Message: TypeAlias = SendTo | SendParent | Spawn


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Deliver an event after `delay_ms`; a timer of the same id is replaced."""

    id: str
    delay_ms: int
    event_json: str
    target: str | None
    """The child that gets the event, `#_parent` for the parent; None for the machine itself."""
    to: Ref | None = None
    """The other instance that gets the event, instead of this one."""


@dataclass(frozen=True, slots=True)
class CancelTimer:
    id: str


TimerOp: TypeAlias = SetTimer | CancelTimer


@dataclass(frozen=True, slots=True)
class EventInput:
    """An event from a caller; `auth_json` is what the authoriser sees, None for the system itself."""

    event_json: str
    auth_json: str | None


@dataclass(frozen=True, slots=True)
class TimerInput:
    """A timer that came due."""

    id: str
    event_json: str
    target: str | None


@dataclass(frozen=True, slots=True)
class InboxInput:
    """The oldest event that a child sent to the machine, still held by the host."""


@dataclass(frozen=True, slots=True)
class LostInput:
    """A child that was running when its host went away."""

    child: str


@dataclass(frozen=True, slots=True)
class EndInput:
    """Word of the end of a child that is another instance; skipped when the machine has no such child now."""

    child: str
    by: Ref
    failed: bool
    payload_json: str | None
    """The output, or the error it ended on, if there is one."""


Input: TypeAlias = EventInput | TimerInput | InboxInput | LostInput | EndInput


@dataclass(frozen=True, slots=True)
class Resume:
    """All a host needs to wake an instance: sent when the host may not hold it."""

    instance_name: str
    snapshot_json: str


@dataclass(frozen=True, slots=True)
class Step:
    """A transition that was computed and recorded but not run: nothing of it has left the host."""

    event_json: str
    """The event as it goes into history, always an object with a `type`."""
    snapshot_json: str
    view: View
    timers: tuple[TimerOp, ...]
    effects: int
    """How many recorded effects wait for `commit`."""
    messages: tuple[Message, ...] = ()
    """What goes to other instances, in order."""
    output_json: str | None = None
    """The output of a machine that has just reached its end, or the error it ended on."""
    indexes: IndexEntries = NO_ENTRIES
    """What the selectors of the version's module find in the new context."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The machine's authoriser said no, or threw; nothing changed."""

    detail: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The transition could not be computed: it threw, looped, or left a context that cannot be kept.

    `reason` is an error reason (see `errors`); nothing changed.
    """

    reason: str
    message: str
    event_json: str | None = None
    """The event, where the host held it: it has let go of it, so whoever hears of this must keep it."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """The input no longer applies (an empty inbox, a child that is gone); nothing changed."""


@dataclass(frozen=True, slots=True)
class ReadQuestion:
    """May this be read?"""

    instance_name: str
    snapshot_json: str


@dataclass(frozen=True, slots=True)
class EventQuestion:
    """May this event be sent to an instance in this state?"""

    instance_name: str
    snapshot_json: str
    event_json: str


@dataclass(frozen=True, slots=True)
class CreationQuestion:
    """May an instance be created so?"""

    instance_name: str
    context_json: str | None


Question: TypeAlias = ReadQuestion | EventQuestion | CreationQuestion
"""What a machine's authorisers are asked."""

Outcome: TypeAlias = Step | Denied | Failed | Skipped


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One outcome per input taken, in order; the host stops after a step that has effects."""

    items: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class NeedSnapshot:
    """The host does not hold the instance at that revision: ask again with a Resume."""


@dataclass(frozen=True, slots=True)
class LostChildren:
    """The instance woke up without these services; a LostInput for each goes before anything else."""

    children: tuple[str, ...]


StepReply: TypeAlias = Outcomes | NeedSnapshot | LostChildren
