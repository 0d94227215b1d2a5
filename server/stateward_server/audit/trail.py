"""The way of entries into the audit log: many at once, each durable before the call it is about goes on.

What became of a call follows without anyone waiting for it. So an entry without an outcome says that the call
runs, or that the server was killed before it was over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from stateward_server.model.audit import AuditEntry, AuditOutcome, AuditQuery
from stateward_server.ports.audit import AuditLog
from stateward_server.ports.store import StoreFault

log = structlog.get_logger()


class Trail:
    """Writes what has come up meanwhile in one transaction, then what has come up while it did."""

    def __init__(self, store: AuditLog) -> None:
        self._store = store
        self._entries: list[AuditEntry] = []
        self._outcomes: list[AuditOutcome] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._work = asyncio.Event()

    async def open(self, entry: AuditEntry) -> None:
        """Return when the entry is on disk. Raises StoreFault where it cannot be: the call must not go on."""
        self._entries.append(entry)
        await self._written()

    def close(self, outcome: AuditOutcome) -> None:
        """Fill in the outcome of an entry that was opened, soon."""
        self._outcomes.append(outcome)
        self._work.set()

    def note(self, entry: AuditEntry) -> None:
        """Write an entry about a call that is over, soon."""
        self._entries.append(entry)
        self._work.set()

    async def settle(self) -> None:
        """Return when everything up to now is on disk. Raises StoreFault."""
        await self._written()

    async def list(
        self, query: AuditQuery, before: tuple[int, str] | None, limit: int
    ) -> Sequence[AuditEntry]:
        """Return entries, newest first, with the outcomes of all calls that are over."""
        try:
            await self.settle()
        except StoreFault:
            # Reading still works on a full disk, and whoever asks then may well look for the cause.
            log.warning("audit_listed_unsettled", org=query.org)
        return await self._store.list_audit(query, before, limit)

    async def run(self) -> None:
        """Write, until cancelled. Nothing is on disk without it."""
        while True:
            await self._work.wait()
            self._work.clear()
            await self._write()

    async def _written(self) -> None:
        written = asyncio.get_running_loop().create_future()
        self._waiting.append(written)
        self._work.set()
        await written

    async def _write(self) -> None:
        entries, outcomes, waiting = self._entries, self._outcomes, self._waiting
        self._entries, self._outcomes, self._waiting = [], [], []
        fault: StoreFault | None = None
        try:
            if entries or outcomes:
                await self._store.write_audit(entries, outcomes)
        except StoreFault as error:
            fault = error
            log.error("audit_not_written", entries=len(entries), error=str(error))
            # With the next write: as nothing is opened till then, they are no more than there were calls.
            self._outcomes[:0] = outcomes
        for each in waiting:
            if each.done():
                continue
            if fault is None:
                each.set_result(None)
            else:
                each.set_exception(fault)
