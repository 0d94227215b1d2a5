"""Who is watching what: a publisher that never waits, and a buffer for every subscriber.

The committer publishes after each flush, in the ledger's order; nothing is published before it is durable.
Signs of life are spread over the interval, so that ten thousand quiet streams do not all stir at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from itertools import count
from typing import Any, TypeVar

from stateward_server.model.ledger import Instance, InstanceKey, Transition
from stateward_server.model.limits import WatchLimits
from stateward_server.model.names import MachineName, OrgId
from stateward_server.ports.clock import Clock
from stateward_server.watch.buffer import Buffer, Logged, Subscription, price
from stateward_server.watch.waves import AtOnce, Waker

B = TypeVar("B", bound=Buffer[Any])

_LIMITS = WatchLimits()
_BEATS = 15
"""Into how many parts the interval between signs of life is divided."""


class Hub:
    """Passes what was committed to the buffers that watch its instance or its machine."""

    def __init__(
        self,
        clock: Clock,
        *,
        progress_ms: int = _LIMITS.progress_ms,
        buffer_bytes: int = _LIMITS.buffer_bytes,
        waker: Waker | None = None,
    ) -> None:
        """`waker` decides when readers hear of news; by default at once."""
        self.position = 0
        """Of the newest thing published: all before it has been published too."""
        self._clock = clock
        self._waker = waker or AtOnce()
        self._beat_ms = max(1, progress_ms // _BEATS)
        self._buffer_bytes = buffer_bytes
        self._instances: dict[Hashable, set[Subscription]] = {}
        self._machines: dict[Hashable, set[Buffer[Logged]]] = {}
        self._slots: tuple[set[Buffer[Any]], ...] = tuple(set() for _ in range(_BEATS))
        self._beats = 0
        self._spread = count()
        self._draining = asyncio.Event()

    @property
    def count(self) -> int:
        """How many subscriptions are open."""
        return sum(map(len, self._slots))

    def open(self, key: InstanceKey, *, every: bool) -> Subscription:
        """Watch whichever instance has this name, from now on."""
        return self._open(self._instances, Subscription(key, every=every, limit_bytes=self._buffer_bytes))

    def open_machine(self, org: OrgId, machine: MachineName) -> Buffer[Logged]:
        """Watch every instance of a machine from now on."""
        return self._open(self._machines, Buffer((org, machine), self._buffer_bytes))

    def close(self, subscription: Subscription) -> None:
        """Stop watching. Closing twice does nothing."""
        self._close(self._instances, subscription)

    def close_machine(self, buffer: Buffer[Logged]) -> None:
        """Stop watching. Closing twice does nothing."""
        self._close(self._machines, buffer)

    def publish(self, instance: Instance, transitions: Sequence[Transition], position: int) -> None:
        """Hand transitions, or a deletion, to all who watch. Never waits, never raises.

        `position` is that of the last transition, or of the deletion.
        """
        self.position = max(self.position, position)
        key, uid = instance.key, instance.uid
        subscriptions = self._instances.get(key)
        watching = self._machines.get((key.org, key.machine))
        if not subscriptions and not watching:
            return
        size = price(transitions)
        if subscriptions:
            for subscription in subscriptions:
                subscription.push(uid, transitions, size)
            self._waker.wake(subscriptions)
        if watching:
            first = position - len(transitions) + 1
            news = [Logged(first + n, instance, each) for n, each in enumerate(transitions)]
            for buffer in watching:
                buffer.add(news or [Logged(position, instance, None)], size)
            self._waker.wake(watching)

    async def run(self) -> None:
        """Nudge every subscription once per progress interval, until cancelled."""
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + self._beat_ms)
            self._beats += 1
            for buffer in self._slots[self._beats % _BEATS]:
                buffer.nudge()

    def drain(self) -> None:
        """Ask every reader, also those still to come, to say its last words."""
        self._draining.set()
        for slot in self._slots:
            for buffer in slot:
                buffer.nudge(draining=True)

    async def drained(self) -> None:
        """Return once the server has begun to stop."""
        await self._draining.wait()

    def _open(self, groups: dict[Hashable, set[B]], buffer: B) -> B:
        groups.setdefault(buffer.topic, set()).add(buffer)
        # The first comes up after a whole interval, the others at other beats before that.
        buffer.slot = (self._beats - next(self._spread)) % _BEATS
        self._slots[buffer.slot].add(buffer)
        if self._draining.is_set():
            buffer.nudge(draining=True)
        return buffer

    def _close(self, groups: dict[Hashable, set[B]], buffer: B) -> None:
        self._slots[buffer.slot].discard(buffer)
        remaining = groups.get(buffer.topic)
        if remaining is not None:
            remaining.discard(buffer)
            if not remaining:
                del groups[buffer.topic]
