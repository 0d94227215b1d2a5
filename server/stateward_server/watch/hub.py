"""Who is watching what: a publisher that never waits, and a bounded buffer for every subscriber.

The engine publishes after each commit. A buffer that overflows is emptied and marked; what to do then
is the reader's business. Nothing is published before it is durable.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from stateward_server.model.ledger import Instance, InstanceKey, Transition
from stateward_server.ports.clock import Clock


class Subscription:
    """One subscriber's buffer. `every` keeps each transition, otherwise only the newest is kept."""

    def __init__(self, key: InstanceKey, *, every: bool, limit_bytes: int) -> None:
        self.key = key
        self.lapped = False
        """Transitions were dropped since this was last set to False."""
        self.gone = False
        self.draining = False
        self.tick = False
        self._every = every
        self._limit = limit_bytes
        self._bytes = 0
        self._buffer: deque[Transition] = deque()
        self._wake = asyncio.Event()

    def push(self, transitions: Sequence[Transition]) -> None:
        """Take committed transitions; an empty sequence means that the instance was deleted."""
        if not transitions:
            self.gone = True
        elif not self._every:
            self._buffer.clear()
            self._buffer.append(transitions[-1])
        else:
            self._buffer.extend(transitions)
            self._bytes += sum(len(each.snapshot_json) for each in transitions)
            if self._bytes > self._limit:
                self.lapped = True
                self.clear()
        self._wake.set()

    def nudge(self, *, draining: bool = False) -> None:
        """Wake the reader without news: a sign of life is due, or the server is stopping."""
        self.tick = True
        self.draining = self.draining or draining
        self._wake.set()

    async def wait(self) -> None:
        """Return once there is something to look at."""
        await self._wake.wait()
        self._wake.clear()

    def take(self) -> list[Transition]:
        """Return and forget what is buffered, oldest first."""
        taken = list(self._buffer)
        self.clear()
        return taken

    def clear(self) -> None:
        self._buffer.clear()
        self._bytes = 0


class Hub:
    """Passes committed transitions to the subscriptions of their instance."""

    def __init__(self, clock: Clock, *, progress_ms: int = 15_000, buffer_bytes: int = 4_000_000) -> None:
        self._clock = clock
        self._progress_ms = progress_ms
        self._buffer_bytes = buffer_bytes
        self._by_key: dict[InstanceKey, set[Subscription]] = {}
        self._draining = False

    @property
    def count(self) -> int:
        """How many subscriptions are open."""
        return sum(map(len, self._by_key.values()))

    def open(self, key: InstanceKey, *, every: bool) -> Subscription:
        subscription = Subscription(key, every=every, limit_bytes=self._buffer_bytes)
        self._by_key.setdefault(key, set()).add(subscription)
        if self._draining:
            subscription.nudge(draining=True)
        return subscription

    def close(self, subscription: Subscription) -> None:
        remaining = self._by_key.get(subscription.key)
        if remaining is not None:
            remaining.discard(subscription)
            if not remaining:
                del self._by_key[subscription.key]

    def publish(self, instance: Instance, transitions: Sequence[Transition]) -> None:
        """Hand transitions to every subscription of the instance. Never waits, never raises."""
        for subscription in self._by_key.get(instance.key, ()):
            subscription.push(transitions)

    async def run(self) -> None:
        """Nudge every subscription once per progress interval, until cancelled."""
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + self._progress_ms)
            self._nudge_all()

    def drain(self) -> None:
        """Ask every reader, also those still to come, to say its last words."""
        self._draining = True
        self._nudge_all()

    def _nudge_all(self) -> None:
        for subscriptions in tuple(self._by_key.values()):
            for subscription in tuple(subscriptions):
                subscription.nudge(draining=self._draining)
