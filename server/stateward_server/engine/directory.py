"""Which instances are awake: one actor per instance, woken by one load, put to sleep when idle and many.

An actor lost from here loses nothing: memory is a cache of the ledger.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator

from stateward_server.engine.actor import Actor
from stateward_server.engine.room import Room
from stateward_server.model.ledger import Instance, InstanceKey
from stateward_server.model.names import InstanceUid
from stateward_server.ports.store import Loaded

_At = InstanceKey | InstanceUid
"""Where to find an instance: callers know its name, timers and the outbox its uid."""


class Directory:
    """The awake actors, least recently used first."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._by_key: OrderedDict[InstanceKey, Actor] = OrderedDict()
        self._by_uid: dict[InstanceUid, Actor] = {}
        self._waking: dict[_At, asyncio.Future[Actor | None]] = {}
        self._wanted: Counter[_At] = Counter()
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
        return self.find(key) or await self._woken(key, lambda: self._room.ledger.load(key))

    async def wake_uid(self, uid: InstanceUid) -> Actor | None:
        """The same by uid."""
        return self._by_uid.get(uid) or await self._woken(uid, lambda: self._room.ledger.load_uid(uid))

    def admit(self, actor: Actor) -> None:
        """Take in an actor that was just created."""
        self._by_key[actor.instance.key] = actor
        self._by_uid[actor.instance.uid] = actor
        if len(self._by_key) > self._room.limits.awake:
            self._put_to_sleep()

    def remove(self, actor: Actor) -> None:
        if self._by_uid.pop(actor.instance.uid, None) is not None:
            self._by_key.pop(actor.instance.key, None)
        for at in (actor.instance.uid, actor.instance.key):
            self._waking.pop(at, None)

    async def _woken(self, at: _At, load: Callable[[], Awaitable[Loaded | None]]) -> Actor | None:
        """Load an instance once for all who want it at the same time."""
        pending = self._waking.get(at)
        if pending is None:
            pending = asyncio.ensure_future(self._load(at, load))
            self._waking[at] = pending
            pending.add_done_callback(lambda done: self._woke(at, done))
        self._wanted[at] += 1
        try:
            return await asyncio.shield(pending)
        finally:
            self._wanted[at] -= 1
            if not self._wanted[at]:
                del self._wanted[at]

    def _woke(self, at: _At, done: asyncio.Future[Actor | None]) -> None:
        if self._waking.get(at) is done:
            del self._waking[at]

    async def _load(self, at: _At, load: Callable[[], Awaitable[Loaded | None]]) -> Actor | None:
        loaded = await load()
        if loaded is None:
            return None
        timers = await self._room.timers.timers_of(loaded.instance.uid)
        actor = self._by_uid.get(loaded.instance.uid)  # created, or woken by another way, while this waited
        wanted = self._waking.get(at) is asyncio.current_task()  # or it was deleted while this waited
        if actor is None and wanted:
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
            if actor.idle and not self._is_wanted(actor.instance):
                self.remove(actor)
                self._room.host.evict(actor.at)
            else:
                self._by_key.move_to_end(actor.instance.key)

    def _is_wanted(self, instance: Instance) -> bool:
        return instance.key in self._wanted or instance.uid in self._wanted
