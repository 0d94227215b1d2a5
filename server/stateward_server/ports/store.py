"""The ledger and the catalog as the rooms above see them. A store knows no statecharts.

`apply` is atomic per commit and durable when it returns. All other calls read, or write catalog rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stateward_server.model.index import IndexQuery
from stateward_server.model.ledger import (
    Commit,
    CommitResult,
    DeadLetter,
    Instance,
    InstanceKey,
    Owed,
    Parent,
    TimerRow,
    Transition,
)
from stateward_server.model.machine import Machine, Module, RequestRecord, Version
from stateward_server.model.names import InstanceName, InstanceUid, MachineName, OrgId, VersionId
from stateward_server.model.outbox import Parcel
from stateward_server.ports.access import Access
from stateward_server.ports.audit import AuditLog


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """Which store this is, and which run of the server it serves.

    `epoch` is greater than that of every earlier run, also after a restore from a backup.
    """

    store_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """An instance as the ledger has it."""

    instance: Instance
    last: Transition


class Ledger(Protocol):
    """Instances and their history."""

    async def apply(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """Write many commits in one transaction and flush; each succeeds or fails by itself.

        A commit without transitions changes timers and its extra only, under the same check.

        Raises StoreFault when nothing at all could be written.
        """
        ...

    async def load(self, key: InstanceKey) -> Loaded | None: ...

    async def load_uid(self, uid: InstanceUid) -> Loaded | None: ...

    async def find_request(self, uid: InstanceUid, request_id: str) -> Transition | None: ...

    async def allocate_uid(self) -> InstanceUid:
        """Return a uid no instance has or had."""
        ...

    async def history(self, uid: InstanceUid, after: int, limit: int) -> Sequence[Transition]:
        """Return up to `limit` transitions with a revision above `after`, oldest first."""
        ...

    async def oldest_revision(self, uid: InstanceUid) -> int:
        """Return the oldest revision still in history (0 for an unknown instance)."""
        ...

    async def list_instances(
        self, org: OrgId, machine: MachineName, after: int, limit: int
    ) -> Sequence[Loaded]:
        """Return up to `limit` instances with a uid above `after`, in the order of creation."""
        ...

    async def unsettled(self, after: InstanceUid, limit: int) -> Sequence[InstanceUid]:
        """Return up to `limit` uids above `after` of instances whose last transition is not settled."""
        ...

    async def delete_instance(self, uid: InstanceUid, request: RequestRecord | None) -> int:
        """Delete an instance, its history, timers and dead letters, and record the request that asked for it.

        What it has sent stays in the outbox. Returns the deletion's place in the total order; 0 if there was
        no such instance.
        """
        ...

    async def set_paused(self, uid: InstanceUid, request: RequestRecord | None, *, paused: bool) -> None: ...

    async def set_parent(self, uid: InstanceUid, parent: Parent) -> None: ...


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A transition, or a deletion (None), at its place in the ledger's total order."""

    position: int
    instance: Instance
    transition: Transition | None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A stretch of the total order, as far as it is about one machine."""

    changes: Sequence[LoggedChange]
    end: int
    """Nothing up to this position is missing."""
    complete: bool
    """It goes up to the newest change there was when it was asked for."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one step of pruning has done."""

    end: int
    """All up to this position has been looked at."""
    count: int
    exhausted: bool
    """There is nothing old enough beyond it."""


class ChangeLog(Protocol):
    """The ledger's total order of transitions and deletions. Positions grow and are never used again."""

    async def position(self) -> int:
        """Return the highest position given out so far; 0 in an empty store."""
        ...

    async def epoch_at(self, position: int) -> int:
        """Return the epoch of the run that wrote `position`, whether or not it still holds anything."""
        ...

    async def changes_after(self, org: OrgId, machine: MachineName, position: int, limit: int) -> ChangePage:
        """Return up to `limit` transitions of a machine's instances after `position`, with deletions.

        It may return less, down to nothing, and yet not be complete: go on from its end.
        """
        ...

    async def pruned(self) -> int:
        """Return the highest position that was pruned: up to there the order may have holes."""
        ...


class Retention(Protocol):
    """Forgetting old history."""

    async def prune(self, after: int, before_ms: int, limit: int) -> Pruned:
        """Look at up to `limit` transitions after position `after`; delete those made before `before_ms`.

        The last of an instance is always kept, and so is what follows a transition that is kept: history
        begins later, but has no holes.
        """
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of an index: an instance, and one of the values of its last transition."""

    value: str
    loaded: Loaded


class Indexes(Protocol):
    """Instances by the values of their last transitions. Every commit keeps them up to date."""

    async def query_index(
        self, org: OrgId, machine: MachineName, query: IndexQuery, after: tuple[str, str] | None, limit: int
    ) -> Sequence[Found]:
        """Return up to `limit` entries that the query wants, by (value, instance name).

        Beyond the place `after`, which is before it where the query is descending. Text is ordered by code
        point.
        """
        ...


class Timers(Protocol):
    """Pending timers of all instances, by due time."""

    async def due_after(self, after: tuple[int, InstanceUid, str], limit: int) -> Sequence[TimerRow]:
        """Return up to `limit` timers whose (due_ms, uid, id) is above `after`, in that order."""
        ...

    async def timers_of(self, uid: InstanceUid) -> Sequence[TimerRow]: ...


class Outbox(Protocol):
    """What instances owe to each other, in the order it was committed."""

    async def owed_after(self, position: int, limit: int) -> Sequence[Owed]:
        """Return up to `limit` parcels with a position above `position`, in order."""
        ...

    async def acknowledge(self, positions: Sequence[int]) -> None:
        """Delete parcels that have been dealt with."""
        ...

    async def postpone(self, position: int, attempt: int, not_before_ms: int) -> None:
        """Write down that an attempt has failed, and when the next one may be made."""
        ...

    async def bury(self, letter: DeadLetter, word: Parcel | None = None) -> None:
        """Turn the parcel at the letter's position into that dead letter; nothing happens if it is gone.

        With it the sender comes to owe `word`, if there is one.
        """
        ...


class DeadLetters(Protocol):
    """What could not be delivered."""

    async def list_letters(
        self, org: OrgId, machine: MachineName, name: InstanceName | None, after: int, limit: int
    ) -> Sequence[DeadLetter]:
        """Return up to `limit` letters with an id above `after`, in order; of one instance if it is named."""
        ...

    async def get_letter(self, owner: InstanceKey, letter: int) -> DeadLetter | None: ...

    async def put_back(self, letter: DeadLetter, request: RequestRecord | None) -> bool:
        """Return a parcel to its old place in the outbox, as if never tried; False if the letter is gone."""
        ...

    async def discard_letter(self, letter: int, request: RequestRecord | None) -> bool:
        """Delete a letter; False if it is gone."""
        ...


class Catalog(Protocol):
    """Machines and versions. A `request` that is given is recorded in the transaction of the change."""

    async def create_machine(self, machine: Machine, request: RequestRecord | None) -> bool:
        """Return False, having written nothing, when the name is taken."""
        ...

    async def get_machine(self, org: OrgId, name: MachineName) -> Machine | None: ...

    async def list_machines(self, org: OrgId, after: str, limit: int) -> Sequence[Machine]:
        """Return up to `limit` machines whose name is above `after`, by name."""
        ...

    async def delete_machine(self, org: OrgId, name: MachineName, request: RequestRecord | None) -> bool:
        """Delete a machine and its versions; return False, changing nothing, while it has instances."""
        ...

    async def create_version(
        self, version: Version, module: Module, request: RequestRecord | None, *, make_current: bool
    ) -> bool:
        """Return False, having written nothing, when the machine is gone."""
        ...

    async def set_current_version(
        self, org: OrgId, machine: MachineName, version: VersionId, request: RequestRecord | None
    ) -> bool:
        """Return False, having written nothing, when the machine or the version is gone."""
        ...

    async def get_version(self, org: OrgId, machine: MachineName, version: VersionId) -> Version | None: ...

    async def list_versions(
        self, org: OrgId, machine: MachineName, after: tuple[int, str], limit: int
    ) -> Sequence[Version]:
        """Return up to `limit` versions whose (created_at, id) is above `after`, in that order."""
        ...

    async def get_module(self, version: VersionId) -> Module | None: ...


class Requests(Protocol):
    """Stored outcomes of catalog calls, by request id."""

    async def get_request(self, org: OrgId, request_id: str) -> RequestRecord | None: ...


class StoreFault(Exception):
    """The store could not do its work (disk full, I/O error); nothing was written."""


class Store(
    Ledger,
    ChangeLog,
    Retention,
    Indexes,
    Timers,
    Outbox,
    DeadLetters,
    Catalog,
    Requests,
    Access,
    AuditLog,
    Protocol,
):
    """One store in all its roles."""

    @property
    def identity(self) -> StoreIdentity: ...

    async def close(self) -> None: ...
