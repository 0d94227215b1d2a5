"""What the ledger keeps: instances, transitions, timers, dead letters; and the Commit that adds to them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from stateward_server.model.index import NO_ENTRIES, IndexEntries
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import InstanceName, InstanceUid, MachineName, OrgId, VersionId
from stateward_server.model.outbox import Parcel
from stateward_server.model.step import Ref, View


@dataclass(frozen=True, slots=True)
class InstanceKey:
    """The name of an instance, whole."""

    org: OrgId
    machine: MachineName
    name: InstanceName


@dataclass(frozen=True, slots=True)
class Parent:
    """The instance that spawned or invoked another one, and the id by which its machine knows it."""

    uid: InstanceUid
    machine: MachineName
    name: InstanceName
    child: str


@dataclass(frozen=True, slots=True)
class Instance:
    """The head of an instance; its state is its last transition. Times are Unix milliseconds."""

    uid: InstanceUid
    key: InstanceKey
    version: VersionId
    created_at: int
    parent: Parent | None = None
    paused: bool = False


class Cause(Enum):
    """What made a transition happen."""

    CREATED = "created"
    EVENT = "event"
    TIMER = "timer"
    SERVICE = "service"
    LOST = "lost"
    MESSAGE = "message"
    CHILD = "child"


@dataclass(frozen=True, slots=True)
class RequestTag:
    """A caller's request id, and a digest of the request's body that tells a repeat from a reuse."""

    id: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Transition:
    """One committed step of an instance. `epoch` is that of the server run that committed it."""

    revision: int
    epoch: int
    time_ms: int
    cause: Cause
    event_json: str
    snapshot_json: str
    view: View
    version: VersionId
    request: RequestTag | None
    indexes: IndexEntries = NO_ENTRIES
    """The values by which indexes find the instance in this state."""


@dataclass(frozen=True, slots=True)
class TimerRow:
    """A pending timer of an instance; `due_ms` is absolute, in Unix milliseconds."""

    uid: InstanceUid
    id: str
    due_ms: int
    event_json: str
    target: str | None
    to: Ref | None = None
    """The other instance that gets the event, as the machine names it."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A parcel in the outbox, and who sent it."""

    position: int
    uid: InstanceUid
    sender: InstanceKey
    parcel: Parcel


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that could not be delivered, kept until somebody decides about it.

    `position` is the place in the outbox that a parcel keeps. The store gives the id; before that it is 0.
    """

    id: int
    uid: InstanceUid
    owner: InstanceKey
    """The instance it came from."""
    what: Parcel | TimerRow
    position: int | None
    reason: str
    message: str
    attempts: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Extra:
    """What few commits change besides transitions and timers."""

    outbox: tuple[Parcel, ...] = ()
    letters: tuple[DeadLetter, ...] = ()
    letters_gone: tuple[int, ...] = ()
    request: RequestRecord | None = None
    """The call that asked for the change, to be put on record with it."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything a batch of consecutive steps of one instance changes, applied whole or not at all.

    `base_revision` is the revision the first transition follows; 0 creates the instance.
    """

    instance: Instance
    base_revision: int
    transitions: tuple[Transition, ...]
    timers_set: tuple[TimerRow, ...]
    timers_gone: tuple[str, ...]
    """Ids of timers to delete, before `timers_set` is written."""
    extra: Extra | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """The commit is on disk. `position` is that of its last transition in the ledger's total order."""

    position: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """Nothing was written: a request id of the commit is already in the instance's history."""

    stored: Transition


@dataclass(frozen=True, slots=True)
class Conflict:
    """Nothing was written: the instance is not at `base_revision` (or its name is taken, or it is gone)."""


CommitResult: TypeAlias = Committed | Repeated | Conflict
