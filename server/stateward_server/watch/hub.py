"""Who is watching what: a publisher that never waits, and a bounded buffer for every subscriber.

The committer publishes after each flush, in the ledger's order. A buffer that overflows is emptied and
marked; what to do then is the reader's business. Nothing is published before it is durable.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from stateward_server.model.ledger import Instance, InstanceKey, Transition
from stateward_server.model.limits import WatchLimits
from stateward_server.model.names import InstanceUid, MachineName, OrgId
from stateward_server.ports.clock import Clock

T = TypeVar("T")

_LIMITS = WatchLimits()
_OBJECT = 500
"""What a buffered transition costs beside its texts, in bytes, roughly."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A committed transition in the ledger's order; None says that the instance was deleted."""

    position: int
    instance: Instance
    transition: Transition | None


class Buffer(Generic[T]):
    """What one subscriber has yet to read."""

    def __init__(self, topic: Hashable, limit_bytes: int) -> None:
        self.topic = topic
        self.lapped = False
        """Something was dropped since this was last set to False."""
        self.draining = False
        self.tick = False
        self._limit = limit_bytes
        self._bytes = 0
        self._items: deque[T] = deque()
        self._wake = asyncio.Event()

    def nudge(self, *, draining: bool = False) -> None:
        """Wake the reader without news: a sign of life is due, or the server is stopping."""
        self.tick = True
        self.draining = self.draining or draining
        self._wake.set()

    async def wait(self) -> None:
        """Return once there is something to look at."""
        await self._wake.wait()
        self._wake.clear()

    def take(self) -> list[T]:
        """Return and forget what is buffered, oldest first."""
        taken = list(self._items)
        self.clear()
        return taken

    def clear(self) -> None:
        self._items.clear()
        self._bytes = 0

    def add(self, items: Sequence[T], size: int) -> None:
        """Keep `items`, or, beyond the limit, nothing at all; a reader that keeps up is never over it."""
        backlog = bool(self._items)
        self._items.extend(items)
        self._bytes += size
        if backlog and self._bytes > self._limit:
            self.lapped = True
            self.clear()
        self._wake.set()


class Subscription(Buffer[Transition]):
    """The buffer of one instance's watch: each transition with `every`, otherwise the newest.

    A name can pass from a deleted instance to a new one, so what is buffered is always of one uid.
    """

    def __init__(self, key: InstanceKey, *, every: bool, limit_bytes: int) -> None:
        super().__init__(key, limit_bytes)
        self._every = every
        self._uid: InstanceUid | None = None
        self._following = False
        self._deleted: set[InstanceUid] = set()

    @property
    def gone(self) -> bool:
        """The instance was deleted."""
        return self._uid in self._deleted

    def follow(self, uid: InstanceUid) -> None:
        """Keep news of this instance only from now on; until then the newest of the name is kept."""
        self._turn_to(uid)
        self._following = True

    def push(self, uid: InstanceUid, transitions: Sequence[Transition], size: int) -> None:
        """Take committed transitions; an empty sequence means that the instance was deleted."""
        if uid != self._uid:
            if self._following:
                return
            self._turn_to(uid)
        if not transitions:
            self._deleted.add(uid)
        elif not self._every:
            self.clear()
        self.add(transitions if self._every else transitions[-1:], size if self._every else 0)

    def _turn_to(self, uid: InstanceUid) -> None:
        if uid != self._uid:
            self.clear()
            self.lapped = False
            self._uid = uid


class Hub:
    """Passes what was committed to the buffers that watch its instance or its machine."""

    def __init__(
        self,
        clock: Clock,
        *,
        progress_ms: int = _LIMITS.progress_ms,
        buffer_bytes: int = _LIMITS.buffer_bytes,
    ) -> None:
        self._clock = clock
        self._progress_ms = progress_ms
        self._buffer_bytes = buffer_bytes
        self._instances: dict[Hashable, set[Subscription]] = {}
        self._machines: dict[Hashable, set[Buffer[Logged]]] = {}
        self._draining = asyncio.Event()

    @property
    def count(self) -> int:
        """How many subscriptions are open."""
        return sum(map(len, self._instances.values())) + sum(map(len, self._machines.values()))

    def open(self, key: InstanceKey, *, every: bool) -> Subscription:
        """Watch one instance from now on."""
        subscription = Subscription(key, every=every, limit_bytes=self._buffer_bytes)
        self._instances.setdefault(key, set()).add(subscription)
        return self._opened(subscription)

    def open_machine(self, org: OrgId, machine: MachineName) -> Buffer[Logged]:
        """Watch every instance of a machine from now on."""
        buffer: Buffer[Logged] = Buffer((org, machine), self._buffer_bytes)
        self._machines.setdefault(buffer.topic, set()).add(buffer)
        return self._opened(buffer)

    def close(self, subscription: Subscription) -> None:
        _discard(self._instances, subscription)

    def close_machine(self, buffer: Buffer[Logged]) -> None:
        _discard(self._machines, buffer)

    def publish(self, instance: Instance, transitions: Sequence[Transition], position: int) -> None:
        """Hand transitions, the last of them at `position`, to all who watch. Never waits, never raises."""
        key = instance.key
        watching = self._machines.get((key.org, key.machine))
        if key not in self._instances and not watching:
            return
        size = sum(len(each.snapshot_json) + len(each.event_json) + _OBJECT for each in transitions)
        for subscription in self._instances.get(key, ()):
            subscription.push(instance.uid, transitions, size)
        if watching:
            first = position - len(transitions) + 1
            news = [Logged(first + n, instance, each) for n, each in enumerate(transitions)]
            for buffer in watching:
                buffer.add(news or [Logged(position, instance, None)], size)

    async def run(self) -> None:
        """Nudge every subscription once per progress interval, until cancelled."""
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + self._progress_ms)
            self._nudge_all()

    def drain(self) -> None:
        """Ask every reader, also those still to come, to say its last words."""
        self._draining.set()
        self._nudge_all()

    async def drained(self) -> None:
        """Return once the server has begun to stop."""
        await self._draining.wait()

    def _opened(self, buffer: B) -> B:
        if self._draining.is_set():
            buffer.nudge(draining=True)
        return buffer

    def _nudge_all(self) -> None:
        for subscriptions in tuple(self._instances.values()):
            for subscription in tuple(subscriptions):
                subscription.nudge(draining=self._draining.is_set())
        for buffers in tuple(self._machines.values()):
            for buffer in tuple(buffers):
                buffer.nudge(draining=self._draining.is_set())


B = TypeVar("B", Subscription, Buffer[Logged])


def _discard(groups: dict[Hashable, set[B]], buffer: B) -> None:
    remaining = groups.get(buffer.topic)
    if remaining is not None:
        remaining.discard(buffer)
        if not remaining:
            del groups[buffer.topic]
