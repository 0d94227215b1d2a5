"""The audit log, in a dictionary: the role `AuditLog` of the memory store. See `ports/audit.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stateward_server.model.audit import AuditEntry, AuditOutcome, AuditQuery


class MemoryAudit:
    """Who did what."""

    def __init__(self) -> None:
        self._entries: dict[str, AuditEntry] = {}

    async def write_audit(self, entries: Sequence[AuditEntry], outcomes: Sequence[AuditOutcome]) -> None:
        self._entries |= {entry.id: entry for entry in entries}
        for each in outcomes:
            if entry := self._entries.get(each.entry.id):
                self._entries[entry.id] = replace(
                    entry, org=each.org, resource=each.resource, outcome=each.outcome
                )

    async def list_audit(
        self, query: AuditQuery, before: tuple[int, str] | None, limit: int
    ) -> Sequence[AuditEntry]:
        found = [entry for entry in self._entries.values() if _wanted(entry, query)]
        found = [entry for entry in found if before is None or _place(entry) < before]
        return sorted(found, key=_place, reverse=True)[:limit]

    async def prune_audit(self, before_ms: int, limit: int) -> int:
        old = sorted(
            (entry for entry in self._entries.values() if entry.time_ms < before_ms), key=lambda e: e.time_ms
        )
        for entry in old[:limit]:
            del self._entries[entry.id]
        return len(old[:limit])


def _place(entry: AuditEntry) -> tuple[int, str]:
    return entry.time_ms, entry.id


def _wanted(entry: AuditEntry, query: AuditQuery) -> bool:
    return (
        entry.org == query.org
        and query.subject in ("", entry.subject)
        and query.method in ("", entry.method)
        and query.from_ms <= entry.time_ms < query.until_ms
    )
