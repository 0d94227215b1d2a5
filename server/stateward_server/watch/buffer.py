"""What one subscriber has yet to read, bounded in bytes: filled by the hub, emptied by the stream's reader.

A buffer that overflows is emptied and marked as lapped; what to do then is the reader's business. A single
publication always fits, so only who does not read is lapped. Filling never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from stateward_server.model.ledger import Instance, InstanceKey, Transition
from stateward_server.model.names import InstanceUid

T = TypeVar("T")

_PRICE = 500
"""What an item costs besides its texts, in bytes."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A committed transition in the ledger's order; None says that the instance was deleted."""

    position: int
    instance: Instance
    transition: Transition | None


class Buffer(Generic[T]):
    """Items in the order they were published, and whatever else the reader should know."""

    __slots__ = (
        "_awake",
        "_bytes",
        "_items",
        "_limit",
        "_waiter",
        "draining",
        "lapped",
        "slot",
        "tick",
        "topic",
    )

    def __init__(self, topic: Hashable, limit_bytes: int) -> None:
        self.topic = topic
        self.slot = 0
        """At which of the hub's beats a sign of life is due."""
        self.lapped = False
        """Something was dropped since this was last set to False."""
        self.draining = False
        self.tick = False
        """A sign of life is due, unless there is news."""
        self._limit = limit_bytes
        self._bytes = 0
        self._items: list[T] = []
        self._awake = False
        self._waiter: asyncio.Future[None] | None = None

    def nudge(self, *, draining: bool = False) -> None:
        """Wake the reader without news: a sign of life is due, or the server is stopping."""
        self.tick = True
        self.draining = self.draining or draining
        self.wake()

    async def wait(self) -> None:
        """Return once something has happened since the last wait. For one reader."""
        if not self._awake:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._awake = False

    def take(self) -> list[T]:
        """Return and forget what is buffered, oldest first."""
        taken = self._items
        self.clear()
        return taken

    def clear(self) -> None:
        """Forget what is buffered."""
        self._items = []
        self._bytes = 0

    def add(self, items: Sequence[T], size: int) -> None:
        """Keep `items`, or, if they are too much for what is unread, nothing at all; see `wake`."""
        if self._items and self._bytes + size > self._limit:
            self.lapped = True
            self.clear()
        else:
            self._items.extend(items)
            self._bytes += size

    def wake(self) -> None:
        """Let the reader look."""
        self._awake = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Subscription(Buffer[Transition]):
    """The buffer of one instance's watch: each transition with `every`, otherwise the newest.

    It is opened by name, before it is known which instance has that name now. Until `follow` says so, it
    holds what was published last under the name; a name can change hands.
    """

    __slots__ = ("_deleted", "_every", "_following", "_uid", "gone")

    def __init__(self, key: InstanceKey, *, every: bool, limit_bytes: int) -> None:
        super().__init__(key, limit_bytes)
        self.gone = False
        """The instance that is followed was deleted."""
        self._every = every
        self._uid: InstanceUid | None = None
        self._following = False
        self._deleted: tuple[InstanceUid, ...] = ()

    def follow(self, uid: InstanceUid) -> None:
        """Listen to this instance only."""
        self._switch(uid)
        self._following = True
        self.gone = uid in self._deleted
        self._deleted = ()

    def push(self, uid: InstanceUid, transitions: Sequence[Transition], size: int) -> None:
        """Take what was committed; no transitions mean that the instance was deleted."""
        if uid != self._uid:
            if self._following:
                return
            self._switch(uid)
        if not transitions:
            self.gone = self._following
            if not self._following:
                self._deleted = (*self._deleted, uid)
        elif not self._every:
            self.clear()
            transitions = transitions[-1:]
        self.add(transitions, size)

    def _switch(self, uid: InstanceUid) -> None:
        if uid != self._uid:
            self.clear()
            self.lapped = False
            self._uid = uid


def price(transitions: Sequence[Transition]) -> int:
    """Return about how many bytes it takes to keep these."""
    return sum(_PRICE + len(each.snapshot_json) + len(each.event_json) for each in transitions)
