"""Which instances are awake: one actor per instance, woken by one load, put to sleep when idle and many.

An actor lost from here loses nothing: memory is a cache of the ledger.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterator

from stateward_server.engine.actor import Actor
from stateward_server.engine.room import Room
from stateward_server.model.ledger import InstanceKey
from stateward_server.model.names import InstanceUid


class Directory:
    """The awake actors, least recently used first."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._by_key: OrderedDict[InstanceKey, Actor] = OrderedDict()
        self._by_uid: dict[InstanceUid, Actor] = {}
        self._waking: dict[InstanceKey, asyncio.Future[Actor | None]] = {}
        self._wanted: Counter[InstanceKey] = Counter()
        """How many wait to use an instance: until they have, others that wake must not put it to sleep."""

    def __iter__(self) -> Iterator[Actor]:
        return iter(tuple(self._by_uid.values()))

    def find(self, key: InstanceKey) -> Actor | None:
        """Return the actor if it is awake."""
        actor = self._by_key.get(key)
        if actor is not None:
            if actor.gone:  # it has found that the ledger does not have it
                self.remove(actor)
                return None
            self._by_key.move_to_end(key)
        return actor

    def find_uid(self, uid: InstanceUid) -> Actor | None:
        return self._by_uid.get(uid)

    async def wake(self, key: InstanceKey) -> Actor | None:
        """Return the instance's actor, loading it if need be; None when there is no such instance."""
        actor = self.find(key)
        if actor is not None:
            return actor
        pending = self._waking.get(key)
        if pending is None:
            pending = asyncio.ensure_future(self._load(key))
            self._waking[key] = pending
            pending.add_done_callback(lambda _: self._waking.pop(key, None))
        self._wanted[key] += 1
        try:
            return await asyncio.shield(pending)
        finally:
            self._wanted[key] -= 1
            if not self._wanted[key]:
                del self._wanted[key]

    async def wake_uid(self, uid: InstanceUid) -> Actor | None:
        """The same by uid."""
        actor = self._by_uid.get(uid)
        if actor is not None:
            return actor
        loaded = await self._room.ledger.load_uid(uid)
        return None if loaded is None else await self.wake(loaded.instance.key)

    def admit(self, actor: Actor) -> None:
        """Take in an actor that was just created."""
        self._by_key[actor.instance.key] = actor
        self._by_uid[actor.instance.uid] = actor
        if len(self._by_key) > self._room.limits.awake:
            self._put_to_sleep()

    def remove(self, actor: Actor) -> None:
        if self._by_uid.pop(actor.instance.uid, None) is not None:
            self._by_key.pop(actor.instance.key, None)

    async def _load(self, key: InstanceKey) -> Actor | None:
        loaded = await self._room.ledger.load(key)
        if loaded is None:
            return None
        timers = await self._room.timers.timers_of(loaded.instance.uid)
        actor = self._by_key.get(key)  # created, or woken by another way, while this waited
        if actor is None:
            actor = Actor(self._room, loaded, timers)
            self.admit(actor)
            if not loaded.last.view.settled:
                actor.watch_settling()
        return actor

    def _put_to_sleep(self) -> None:
        """Evict idle actors from the front, looking at a few only: this is on the path of an event."""
        for actor in [actor for _, actor in zip(range(16), self._by_key.values(), strict=False)]:
            if len(self._by_key) <= self._room.limits.awake:
                return
            if actor.idle and actor.instance.key not in self._wanted:
                self.remove(actor)
                self._room.host.evict(actor.at)
            else:
                self._by_key.move_to_end(actor.instance.key)
