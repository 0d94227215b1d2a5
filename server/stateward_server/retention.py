"""What is old is forgotten, a little at a time, so that nobody who writes waits for it.

What every instance is now, its last transition, is never forgotten. Runs only when a server is told how long
to remember.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from stateward_server.ports.audit import AuditLog
from stateward_server.ports.clock import Clock
from stateward_server.ports.store import Retention, StoreFault

log = structlog.get_logger()

DAY_MS = 86_400_000
_BATCH = 200
_PAUSE_MS = 50
_INTERVAL_MS = 3_600_000


class Pruning:
    """Deletes transitions, and entries of the audit log, that are older than so many days; 0 is for ever."""

    def __init__(
        self, history: Retention, audit: AuditLog, clock: Clock, *, history_days: int, audit_days: int
    ) -> None:
        self._history = history
        self._audit = audit
        self._clock = clock
        self._sweeps: list[tuple[int, Callable[[int], Awaitable[None]]]] = []
        if history_days:
            self._sweeps.append((history_days * DAY_MS, self._sweep_history))
        if audit_days:
            self._sweeps.append((audit_days * DAY_MS, self._sweep_audit))

    async def run(self) -> None:
        """Go through all of it once an hour, until cancelled."""
        while self._sweeps:
            for age_ms, sweep in self._sweeps:
                try:
                    await sweep(self._clock.now_ms() - age_ms)
                except StoreFault as fault:
                    log.error("pruning_failed", error=str(fault))
            await self._pause(_INTERVAL_MS)

    async def _sweep_history(self, before_ms: int) -> None:
        after = count = 0
        exhausted = False
        while not exhausted:
            done = await self._history.prune(after, before_ms, _BATCH)
            after, count, exhausted = done.end, count + done.count, done.exhausted
            await self._pause(_PAUSE_MS)
        if count:
            log.info("history_pruned", transitions=count)

    async def _sweep_audit(self, before_ms: int) -> None:
        count = 0
        while done := await self._audit.prune_audit(before_ms, _BATCH):
            count += done
            await self._pause(_PAUSE_MS)
        if count:
            log.info("audit_pruned", entries=count)

    async def _pause(self, ms: int) -> None:
        await self._clock.sleep_until(self._clock.now_ms() + ms)
