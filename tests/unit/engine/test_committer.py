"""Group commit: who shares a flush, what is published when, and that a lone caller is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest

from stateward_server.engine.committer import Committer, _Pace
from stateward_server.model.ledger import Commit, CommitResult, Committed, Instance, Transition
from stateward_server.ports.store import Ledger, StoreFault
from stateward_server.testing.store_samples import sample_commit


class Flushes:
    """A ledger that accepts everything, notes each batch, and fails when told to."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.broken = False
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self._position = 0

    async def apply(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        self.batches.append(len(commits))
        self.called.set()
        await self.gate.wait()
        if self.broken:
            raise StoreFault("disk full")
        results = []
        for commit in commits:
            self._position += len(commit.transitions)
            results.append(Committed(self._position))
        return results


@asynccontextmanager
async def committing(ledger: Flushes, said: list[tuple[int, int]]) -> AsyncIterator[Committer]:
    def publish(instance: Instance, _transitions: Sequence[Transition], position: int) -> None:
        said.append((instance.uid, position))

    committer = Committer(cast(Ledger, ledger), publish, 0)
    running = asyncio.ensure_future(committer.run())
    yield committer
    running.cancel()


async def test_commits_that_come_during_a_flush_share_the_next_one():
    ledger, said = Flushes(), list[tuple[int, int]]()
    async with committing(ledger, said) as committer:
        ledger.gate.clear()
        first = committer.submit(sample_commit(1))
        await ledger.called.wait()
        others = [committer.submit(sample_commit(uid)) for uid in range(2, 7)]
        ledger.gate.set()
        await asyncio.gather(first, *others)
    assert ledger.batches == [1, 5]
    assert said == [(uid, uid) for uid in range(1, 7)]


async def test_a_failed_flush_fails_all_of_its_commits_and_publishes_none():
    ledger, said = Flushes(), list[tuple[int, int]]()
    async with committing(ledger, said) as committer:
        ledger.broken = True
        lost = [committer.submit(sample_commit(uid)) for uid in (1, 2)]
        results = await asyncio.gather(*lost, return_exceptions=True)
        assert [type(result) for result in results] == [StoreFault, StoreFault]
        ledger.broken = False
        assert await committer.submit(sample_commit(3)) == Committed(1)
    assert said == [(3, 1)]


def test_a_lone_caller_is_held_back_ever_more_rarely():
    pace = _Pace()
    held = [number for number in range(1, 5001) if _flush(pace, 1)]
    assert held[:4] == [16, 48, 112, 240]
    assert len(held) <= 12


def test_a_crowd_is_gathered_until_it_has_gone():
    pace = _Pace()
    while not _flush(pace, 8):
        pass
    assert all(_flush(pace, 8) for _ in range(100))
    _flush(pace, 1)
    assert not _flush(pace, 1)


@pytest.mark.parametrize("callers", [4, 6, 64])
def test_a_crowd_that_is_complete_is_not_waited_for(callers: int):
    pace = _Pace()
    for _ in range(50):
        _flush(pace, callers)
    assert callers * 0.8 <= pace.enough <= callers + 1


def _flush(pace: _Pace, gathered: int) -> bool:
    held = pace.holds()
    pace.learn(gathered)
    return held


async def test_a_batch_that_no_ledger_takes_does_not_end_the_loop():
    class Nonsense(Flushes):
        async def apply(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
            if not self.batches:
                self.batches.append(0)
                raise ValueError("due at no representable time")
            return await super().apply(commits)

    ledger, said = Nonsense(), list[tuple[int, int]]()
    async with committing(ledger, said) as committer:
        with pytest.raises(ValueError, match="representable"):
            await committer.submit(sample_commit(1))
        assert isinstance(await committer.submit(sample_commit(2)), Committed)
