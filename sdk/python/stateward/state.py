"""The values the SDK hands out: what an instance looks like, what a reply says, what history holds.

All are immutable and know nothing of the wire. JSON from the server is parsed into plain Python values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Literal, TypeAlias

from .errors import StatewardError

Json: TypeAlias = Any
"""A parsed JSON value: None, bool, int, float, str, list or dict with string keys."""

StateValue: TypeAlias = "str | dict[str, StateValue]"
"""XState's state value: the name of the active state, or a dict of them for nested and parallel states."""

Mode: TypeAlias = Literal["latest", "every_transition"]
"""How much of the history a subscription carries."""

Comparison: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]
"""How a value in an index compares with another text, by code point."""

Language: TypeAlias = Literal["typescript", "javascript"]
"""What the text of a module is written in."""


class Status(Enum):
    """Where a machine stands in its life."""

    ACTIVE = "active"
    """It takes events."""
    DONE = "done"
    """It reached its final state."""
    FAILED = "failed"
    """It ended on an error that no state handled."""
    STOPPED = "stopped"
    """It was stopped."""
    UNKNOWN = "unknown"
    """Something that this version of the SDK does not know."""


class Cause(Enum):
    """What made a transition happen."""

    CREATED = "created"
    """The instance was created."""
    EVENT = "event"
    """A caller sent an event."""
    TIMER = "timer"
    """A timer came due."""
    SERVICE = "service"
    """A service of the machine finished, failed or sent an event."""
    LOST = "lost"
    """A running service was lost with its process."""
    MESSAGE = "message"
    """Another instance sent an event."""
    CHILD = "child"
    """An instance that this one spawned or invoked has ended."""
    UNKNOWN = "unknown"
    """Something that this version of the SDK does not know."""


@dataclass(frozen=True, slots=True)
class State:
    """What may be seen of an instance after one of its transitions."""

    revision: int
    """Counts the instance's transitions: 1 after creation, then one more with each."""
    value: StateValue = field(hash=False)
    """XState's state value."""
    states: tuple[str, ...]
    """Active states as dotted paths, parents before children."""
    tags: frozenset[str]
    """Tags of the active states."""
    public_context: dict[str, Json] | None = field(hash=False)
    """The object under `context.public`; None when there is none."""
    done: bool
    """True once the machine has reached its final state."""
    status: Status
    """Where the machine stands in its life."""
    settled: bool
    """False while a service of the machine (a promise, callback or child machine) is running."""
    update_time: datetime
    """When the transition was computed, in UTC."""

    def matches(self, state: str) -> bool:
        """Tell whether a state is active, given as a dotted path such as `"checkout.paying"`."""
        return state in self.states

    def has_tag(self, tag: str) -> bool:
        """Tell whether an active state carries a tag."""
        return tag in self.tags

    @property
    def ended(self) -> bool:
        """True when no event can change the instance any more: it is done, failed or stopped."""
        return self.status in (Status.DONE, Status.FAILED, Status.STOPPED)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a write that moved an instance."""

    state: State
    """The newest state when the reply was made; at or after `revision`."""
    revision: int
    """The revision that this event's own transition made (1 for a creation)."""
    condition_met: bool
    """Whether what the call waited for was reached; False when its time ran out first."""
    replayed: bool
    """The request id had been seen: this is the stored outcome, and nothing moved now."""


@dataclass(frozen=True, slots=True)
class Update:
    """One state that a subscription delivers."""

    state: State
    """The state."""
    resume_token: str
    """Opaque. Subscribing with it misses nothing after this state. It can bring this state's direct followers
    twice to a program that starts anew, so compare revisions there; a running subscription never repeats."""


@dataclass(frozen=True, slots=True)
class InstanceUpdate:
    """One state of one of the instances that a `Watches` carries."""

    machine: str
    """The machine's name."""
    instance: str
    """The instance's name."""
    state: State
    """The state."""
    resume_token: str
    """Opaque. Watching the instance with it misses nothing after this state; see `Update.resume_token`."""


@dataclass(frozen=True, slots=True)
class InstanceFinished:
    """An instance is not watched any more, though nobody has removed it."""

    machine: str
    """The machine's name."""
    instance: str
    """The instance's name."""
    error: StatewardError | None
    """Why: it cannot be read (any more), or is gone. None: it has ended, and all its states were told."""


WatchEvent: TypeAlias = InstanceUpdate | InstanceFinished
"""What a `Watches` delivers."""


@dataclass(frozen=True, slots=True)
class Entered:
    """An instance matches now and did not before, as far as was told."""

    instance: str
    """The instance's name."""
    state: State
    """Its state."""
    resume_token: str
    """Opaque. Watching the machine with it, and the same filter, misses nothing after this event. It can
    bring this event's direct followers twice to a program that starts anew."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An instance has changed and still matches."""

    instance: str
    """The instance's name."""
    state: State
    """Its new state."""
    resume_token: str
    """As for `Entered`."""


@dataclass(frozen=True, slots=True)
class Left:
    """An instance does not match any more, or is gone."""

    instance: str
    """The instance's name."""
    revision: int | None
    """The revision that left; None if it was deleted, or went while the connection was lost for long."""
    resume_token: str
    """As for `Entered`."""


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything that matches has been told; what follows is news."""

    resume_token: str
    """As for `Entered`."""


MachineEvent: TypeAlias = Entered | Changed | Left | Synced
"""What a `MachineWatch` delivers."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """A stream has lost its connection and will try again, or has it back."""

    attempt: int
    """How many attempts in a row this makes."""
    error: StatewardError | None
    """What went wrong; None when the stream is back. Nothing was missed then."""
    delay: float
    """Seconds until the next attempt."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One entry of an instance's history."""

    revision: int
    """The revision it made."""
    event: dict[str, Json] = field(hash=False)
    """The event; `{"type": "xstate.init"}` for the creation."""
    cause: Cause
    """What made it happen."""
    state: State
    """The state after it."""
    epoch: int
    """The server run that committed it."""


@dataclass(frozen=True, slots=True)
class MachineInfo:
    """What the server knows of a machine."""

    name: str
    """The machine's name."""
    current_version: str | None
    """Id of the version that new instances start with; None until one is uploaded."""
    create_time: datetime
    """When the machine was created, in UTC."""
    indexes: tuple[str, ...] = ()
    """Names under which its instances can be found by values of their contexts."""


@dataclass(frozen=True, slots=True)
class MachineVersion:
    """One uploaded module of a machine; it never changes."""

    machine: str
    """The machine's name."""
    id: str
    """The version's id, `ver_…`."""
    xstate_version: int
    """The major version of XState that runs the module: 4 or 5."""
    client_info: str
    """Whatever the uploader wrote there, such as a commit hash."""
    source_bytes: int
    """Size of the module's text."""
    create_time: datetime
    """When the version was uploaded, in UTC."""
    index_selectors: dict[str, str] = field(default_factory=dict, hash=False)
    """Where in the context each index of the machine finds its values, by the index's name."""


@dataclass(frozen=True, slots=True)
class InstanceInfo:
    """What the server knows of an instance, without its state."""

    machine: str
    """The machine's name."""
    name: str
    """The instance's name."""
    version: str
    """Id of the machine version it runs."""
    revision: int
    """How many transitions it has made."""
    status: Status
    """Where the machine stands in its life."""
    settled: bool
    """False while a service of the machine is running."""
    create_time: datetime
    """When the instance was created, in UTC."""
    paused: bool = False
    """Callers' events are refused, and all else waits, until it is resumed."""


@dataclass(frozen=True, slots=True)
class IndexCondition:
    """Something that must hold of a value in an index, such as `IndexCondition("owner", "=", "ann")`."""

    index: str
    """The index's name."""
    comparison: Comparison
    """How a value must compare with `value`."""
    value: str
    """What values are compared with."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An instance and a value by which an index finds it."""

    instance: InstanceInfo
    """The instance."""
    value: str
    """The value. An instance with several values has as many entries."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer of an instance that waits for its time."""

    id: str
    """Unique among the instance's timers."""
    due_time: datetime
    """When it comes due, in UTC."""
    event: dict[str, Json] = field(hash=False)
    """The event it delivers."""
    target: str
    """Who gets the event: empty for the instance itself, the id of a child of its machine, or the path of
    another instance (`machines/…/instances/…`)."""


class DeadLetterKind(Enum):
    """What could not be delivered."""

    TIMER = "timer"
    """A timer of the instance that came due."""
    MESSAGE = "message"
    """An event from the instance to another one."""
    SPAWN = "spawn"
    """The creation of an instance that this one spawned or invoked."""
    COMPLETION = "completion"
    """Word to its parent that the instance has ended."""
    SERVICE = "service"
    """An event of one of the instance's services."""
    UNKNOWN = "unknown"
    """Something that this version of the SDK does not know."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that was owed to an instance and could not be delivered."""

    machine: str
    """The machine of the instance it came from."""
    instance: str
    """The instance it came from."""
    id: int
    """Its number on this server."""
    kind: DeadLetterKind
    """What it is."""
    target: str
    """Who should have got it: `machines/…/instances/…`."""
    about: str
    """Id of the timer or of the child; empty where there is none."""
    payload: Json = field(hash=False)
    """What it carries: the event, or the initial context of a child; None where there is none."""
    reason: str
    """Why the last attempt failed: a reason of the server's, such as `MACHINE_THREW`."""
    message: str
    """The same for people."""
    attempts: int
    """How often delivery was attempted."""
    create_time: datetime
    """When it was given up, in UTC."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a server."""

    name: str
    """Its stable name, such as `context_bytes`."""
    value: int
    """Its value, in its unit."""
    unit: str
    """What is counted: `count`, `bytes`, `ms` or `characters`."""
    description: str
    """What is limited."""
    reason: str
    """The reason of the refusal beyond it; empty if nothing is refused."""
