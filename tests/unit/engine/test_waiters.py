"""Open waits cost nothing until what they wait for comes, however many there are."""

from __future__ import annotations

import asyncio

import pytest

from stateward_server.engine.alarms import Alarms
from stateward_server.engine.envelope import Envelope
from stateward_server.engine.waiters import Waiters
from stateward_server.model.ledger import Cause, Transition
from stateward_server.model.names import VersionId
from stateward_server.model.step import EventInput, Status, View
from stateward_server.model.wait import Until, Wait
from stateward_server.testing.clock import ManualClock, settle


def transition(revision: int, *, settled: bool = False) -> Transition:
    view = View('"a"', ("a",), (), None, Status.ACTIVE, settled)
    return Transition(revision, 1, 0, Cause.EVENT, "{}", "{}", view, VersionId("v"), None)


def waiting(waiters: Waiters, revision: int) -> Envelope:
    envelope = Envelope(EventInput("{}", None), Cause.EVENT, wait=Wait(Until.SETTLED, 60_000))
    envelope.reply = asyncio.get_running_loop().create_future()
    waiters.answer(envelope, transition(revision), transition(revision), replayed=False)
    return envelope


async def test_what_a_thousand_wait_for_is_looked_at_once(monkeypatch: pytest.MonkeyPatch):
    clock = ManualClock()
    waiters = Waiters(Alarms(clock), clock)
    envelopes = [waiting(waiters, revision) for revision in range(1, 1_001)]
    looks = 0
    met = Wait.met

    def counted(wait: Wait, view: View) -> bool:
        nonlocal looks
        looks += 1
        return met(wait, view)

    monkeypatch.setattr(Wait, "met", counted)
    waiters.offer(transition(1_001))
    assert looks == 1
    waiters.offer(transition(1_002, settled=True))
    assert not waiters
    revisions = [(await envelope.reply).latest.revision for envelope in envelopes if envelope.reply]
    assert revisions == [1_002] * 1_000


async def test_a_caller_that_goes_away_waits_no_more():
    clock = ManualClock()
    waiters = Waiters(Alarms(clock), clock)
    gone, stays = waiting(waiters, 1), waiting(waiters, 2)
    assert gone.reply is not None
    gone.reply.cancel()
    await settle()
    waiters.offer(transition(3, settled=True))
    assert stays.reply is not None
    assert (await stays.reply).own.revision == 2
    assert not waiters
