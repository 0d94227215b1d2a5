"""Whose turn it is to have a module checked: each takes a process and up to some seconds of a processor.

Every organisation has a few turns, so that one which uploads without end delays itself. Knows no modules.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from stateward_server.model.errors import ResourceExhausted
from stateward_server.model.names import OrgId

AT_ONCE = 2
"""Modules of one organisation that are checked at once."""
WAITING = 16
"""Modules of one organisation, with those that wait: each is held in memory."""


@dataclass(slots=True)
class _Queue:
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    length: int = 0


class Checks:
    """Hands out turns."""

    def __init__(self) -> None:
        self._queues: dict[OrgId, _Queue] = {}

    def __len__(self) -> int:
        """How many organisations have a module checked."""
        return len(self._queues)

    @asynccontextmanager
    async def turn(self, org: OrgId) -> AsyncIterator[None]:
        """Wait for a turn. Raises ResourceExhausted (RATE_LIMITED) where too many wait already."""
        queue = self._queues.setdefault(org, _Queue())
        if queue.length >= WAITING:
            raise ResourceExhausted(
                "RATE_LIMITED",
                f"{WAITING} modules of this organisation are being checked: wait for some of them",
                retry_after=1.0,
                limit=WAITING,
            )
        queue.length += 1
        try:
            async with queue.turns:
                yield
        finally:
            queue.length -= 1
            if not queue.length:
                del self._queues[org]
