"""Whose turn it is to have a module checked: each takes a process and up to some seconds of a processor.

Every organisation has a few turns, so that one which uploads without end delays itself. Knows no modules.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from stateward_server.model.errors import ResourceExhausted
from stateward_server.model.limits import ModuleLimits
from stateward_server.model.names import OrgId


@dataclass(slots=True)
class _Queue:
    turns: asyncio.Semaphore
    length: int = 0


class Checks:
    """Hands out turns."""

    def __init__(self, limits: ModuleLimits) -> None:
        self._limits = limits
        self._queues: dict[OrgId, _Queue] = {}

    def __len__(self) -> int:
        """How many organisations have a module checked."""
        return len(self._queues)

    @asynccontextmanager
    async def turn(self, org: OrgId) -> AsyncIterator[None]:
        """Wait for a turn. Raises ResourceExhausted (RATE_LIMITED) where too many wait already."""
        most = self._limits.checks_asked
        queue = self._queues.get(org)
        if queue is None:
            queue = self._queues[org] = _Queue(asyncio.Semaphore(self._limits.checks))
        if queue.length >= most:
            raise ResourceExhausted(
                "RATE_LIMITED",
                f"{most} modules of this organisation are being checked: wait for some of them",
                retry_after=1.0,
                limit=most,
            )
        queue.length += 1
        try:
            async with queue.turns:
                yield
        finally:
            queue.length -= 1
            if not queue.length:
                del self._queues[org]
