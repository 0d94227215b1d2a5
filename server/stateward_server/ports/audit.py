"""The audit log as the rooms above see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stateward_server.model.audit import AuditEntry, AuditOutcome, AuditQuery


class AuditLog(Protocol):
    """Entries of all organisations, by time."""

    async def write_audit(self, entries: Sequence[AuditEntry], outcomes: Sequence[AuditOutcome]) -> None:
        """Write both, in this order and in one transaction; durable when it returns.

        An outcome whose entry is gone is dropped. Raises StoreFault, and then nothing was written.
        """
        ...

    async def list_audit(
        self, query: AuditQuery, before: tuple[int, str] | None, limit: int
    ) -> Sequence[AuditEntry]:
        """Return up to `limit` entries below the (time_ms, id) `before`, newest first."""
        ...

    async def prune_audit(self, before_ms: int, limit: int) -> int:
        """Delete up to `limit` entries older than `before_ms`, oldest first, and return how many it were."""
        ...
