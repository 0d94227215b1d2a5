"""Group commit: while one batch is being flushed, the next one gathers.

Every submitted commit gets its own result after the flush; what was committed is published here, before
anyone is told, because only here all commits pass in the ledger's total order. Called by actors and by
creation. A commit in flight is not cancelled with its caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from stateward_server.model.ledger import Commit, CommitResult, Committed, Instance, Transition
from stateward_server.ports.store import Ledger, StoreFault

log = structlog.get_logger()

Publish = Callable[[Instance, Sequence[Transition], int], None]
"""Tell subscribers of committed transitions and the position of the last; none at all: the instance is gone.

Returns at once and never raises."""


_CROWD = 4
_RARELY = 1024


class _Pace:
    """Whether keeping a pace of flushes is worth it: found out by trying, now and then.

    Where many callers send at once, a flush could serve many of them, but their commits trickle in one by one
    and each costs a hop to the writer, a flush and a wake-up of its own. Holding flushes back gathers them. A
    lone caller would only lose by it, and is bothered by a trial ever more rarely.
    """

    def __init__(self) -> None:
        self.enough = _CROWD
        """So many commits came lately at most: with them there is nobody left to wait for."""
        self._pays = False
        self._trying = False
        self._interval = 16
        self._until_trial = self._interval

    def holds(self) -> bool:
        """Tell whether to hold the next flush back."""
        if not self._pays:
            self._until_trial -= 1
            self._trying = self._until_trial == 0
        return self._pays or self._trying

    def learn(self, gathered: int) -> None:
        """Hear how many commits a flush had."""
        if self._trying:
            self._trying = False
            self._pays = gathered >= _CROWD
            self._interval = 16 if self._pays else min(self._interval * 2, _RARELY)
            self._until_trial = self._interval
        elif self._pays and gathered < _CROWD - 1:
            self._pays = False
            self._until_trial = self._interval
        self.enough = max(gathered + 1 if gathered >= self.enough else self.enough * 9 // 10, _CROWD)


class Committer:
    """Writes the commits of many instances in one transaction and one flush."""

    def __init__(self, ledger: Ledger, publish: Publish, pace_ms: int, batch: int = 256) -> None:
        self._ledger = ledger
        self._publish = publish
        self._pace_s = pace_ms / 1000
        self._batch = batch
        self._waiting: list[tuple[Commit, asyncio.Future[CommitResult]]] = []
        self._wanted = 1
        self._wake = asyncio.Event()
        self._pace = _Pace()
        self._flushed_s = 0.0

    def submit(self, commit: Commit) -> asyncio.Future[CommitResult]:
        """Queue a commit; the future ends after the flush, with StoreFault if nothing could be written."""
        future: asyncio.Future[CommitResult] = asyncio.get_running_loop().create_future()
        self._waiting.append((commit, future))
        if len(self._waiting) >= self._wanted:
            self._wake.set()
        return future

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            await self._gathered(1)
            if self._pace_s and self._pace.holds():
                await self._hold()
            self._pace.learn(len(self._waiting))
            self._flushed_s = asyncio.get_running_loop().time()
            await self.flush()

    async def _hold(self) -> None:
        """Wait for the pace, or until as many have come as can be expected."""
        loop = asyncio.get_running_loop()
        over = loop.call_at(self._flushed_s + self._pace_s, self._wake.set)
        await self._gathered(min(self._pace.enough, self._batch))
        over.cancel()

    async def _gathered(self, wanted: int) -> None:
        self._wanted = wanted
        if len(self._waiting) < wanted:
            self._wake.clear()
            await self._wake.wait()
        self._wanted = 1

    async def flush(self) -> None:
        """Write one batch of what is waiting."""
        taken, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
        if not taken:
            return
        try:
            results = await self._ledger.apply([commit for commit, _ in taken])
        except Exception as fault:
            # Whatever it is, the next batch may fare better; this loop is everybody's.
            if not isinstance(fault, StoreFault):
                log.exception("flush_failed")
            for _, future in taken:
                if not future.done():
                    future.set_exception(fault)
            return
        for (commit, future), result in zip(taken, results, strict=True):
            if isinstance(result, Committed) and commit.transitions:
                self._publish(commit.instance, commit.transitions, result.position)
            if not future.done():
                future.set_result(result)
