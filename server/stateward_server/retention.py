"""Old history is forgotten, a little at a time, so that nobody who writes waits for it.

What every instance is now, its last transition, is never forgotten. Runs only when a server is told how long
to remember.
"""

from __future__ import annotations

import structlog

from stateward_server.ports.clock import Clock
from stateward_server.ports.store import Retention, StoreFault

log = structlog.get_logger()

DAY_MS = 86_400_000
_BATCH = 200
_PAUSE_MS = 50
_INTERVAL_MS = 3_600_000


class Pruning:
    """Deletes transitions older than so many days."""

    def __init__(self, store: Retention, clock: Clock, days: int) -> None:
        self._store = store
        self._clock = clock
        self._age_ms = days * DAY_MS

    async def run(self) -> None:
        """Go through the history once an hour, until cancelled."""
        while True:
            try:
                await self._sweep()
            except StoreFault as fault:
                log.error("pruning_failed", error=str(fault))
            await self._pause(_INTERVAL_MS)

    async def _sweep(self) -> None:
        before = self._clock.now_ms() - self._age_ms
        after = count = 0
        exhausted = False
        while not exhausted:
            done = await self._store.prune(after, before, _BATCH)
            after, count, exhausted = done.end, count + done.count, done.exhausted
            await self._pause(_PAUSE_MS)
        if count:
            log.info("history_pruned", transitions=count)

    async def _pause(self, ms: int) -> None:
        await self._clock.sleep_until(self._clock.now_ms() + ms)
