"""The tables of the memory store, shared by its parts.

Called by the ledger and the catalog of this package; knows how things lie, not what may be done with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stateward_server.model.ledger import DeadLetter, Instance, Owed, TimerRow, Transition
from stateward_server.model.machine import Machine, Module, RequestRecord, Version
from stateward_server.model.names import InstanceUid, MachineName, OrgId, VersionId
from stateward_server.ports.store import Loaded


@dataclass(slots=True)
class Record:
    """One instance: its head, its whole history, its timers by id."""

    instance: Instance
    history: list[Transition] = field(default_factory=list)
    timers: dict[str, TimerRow] = field(default_factory=dict)

    def loaded(self) -> Loaded:
        """Return the instance with its last transition, whose version is the instance's."""
        last = self.history[-1]
        return Loaded(replace(self.instance, version=last.version), last)

    def request(self, request_id: str) -> Transition | None:
        """Return the transition that carries a request id."""
        return next((item for item in self.history if item.request and item.request.id == request_id), None)


@dataclass(slots=True)
class Tables:
    """Everything the store holds."""

    records: dict[InstanceUid, Record] = field(default_factory=dict)
    machines: dict[tuple[OrgId, MachineName], Machine] = field(default_factory=dict)
    versions: dict[VersionId, Version] = field(default_factory=dict)
    modules: dict[VersionId, Module] = field(default_factory=dict)
    requests: dict[tuple[OrgId, str], RequestRecord] = field(default_factory=dict)
    outbox: dict[int, Owed] = field(default_factory=dict)
    letters: dict[int, DeadLetter] = field(default_factory=dict)

    def instances_of(self, org: OrgId, machine: MachineName) -> list[InstanceUid]:
        """Return the uids of a machine's instances."""
        keys = ((uid, record.instance.key) for uid, record in self.records.items())
        return [uid for uid, key in keys if (key.org, key.machine) == (org, machine)]

    def versions_of(self, org: OrgId, machine: MachineName) -> list[Version]:
        """Return the versions of a machine."""
        return [found for found in self.versions.values() if (found.org, found.machine) == (org, machine)]

    def record(self, request: RequestRecord | None) -> None:
        """Record a request; of two that ran at once, the first stays on record."""
        if request:
            self.requests.setdefault((request.org, request.id), request)
