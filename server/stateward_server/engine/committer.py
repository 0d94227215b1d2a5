"""Group commit: while one batch is being flushed, the next one gathers.

Every submitted commit gets its own result after the flush; what was committed is published here, before
anyone is told, because only here all commits pass in the ledger's total order. Called by actors and by
creation. A commit in flight is not cancelled with its caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from stateward_server.model.ledger import Commit, CommitResult, Committed, Instance, Transition
from stateward_server.ports.store import Ledger, StoreFault

Publish = Callable[[Instance, Sequence[Transition], int], None]
"""Tell subscribers of committed transitions and the position of the last; none at all: the instance is gone.

Returns at once and never raises."""


class Committer:
    """Writes the commits of many instances in one transaction and one flush."""

    def __init__(self, ledger: Ledger, publish: Publish, batch: int = 256) -> None:
        self._ledger = ledger
        self._publish = publish
        self._batch = batch
        self._waiting: list[tuple[Commit, asyncio.Future[CommitResult]]] = []
        self._wake = asyncio.Event()

    def submit(self, commit: Commit) -> asyncio.Future[CommitResult]:
        """Queue a commit; the future ends after the flush, with StoreFault if nothing could be written."""
        future: asyncio.Future[CommitResult] = asyncio.get_running_loop().create_future()
        self._waiting.append((commit, future))
        self._wake.set()
        return future

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            await self.flush()

    async def flush(self) -> None:
        """Write one batch of what is waiting."""
        taken, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
        if not taken:
            return
        try:
            results = await self._ledger.apply([commit for commit, _ in taken])
        except StoreFault as fault:
            for _, future in taken:
                if not future.done():
                    future.set_exception(fault)
            return
        for (commit, future), result in zip(taken, results, strict=True):
            if isinstance(result, Committed) and commit.transitions:
                self._publish(commit.instance, commit.transitions, result.position)
            if not future.done():
                future.set_result(result)
