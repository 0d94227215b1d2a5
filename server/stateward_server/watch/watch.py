"""One subscriber's stream: register, take a snapshot or catch up from the log, then follow live.

Registering comes before reading, so nothing falls between; what is at or below the cursor is dropped,
so nothing comes twice. Every state is authorised against the machine's `allowRead` before it is sent.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from stateward_server.model.errors import OutOfRange, PermissionDenied, no_instance
from stateward_server.model.frame import Changes, Draining, Frame, Progress, Snapshot
from stateward_server.model.ledger import Instance, InstanceKey, Transition
from stateward_server.watch.hub import Subscription
from stateward_server.watch.sources import FRAME, Sources, diverged, size_of, too_slow
from stateward_server.watch.tokens import Position, invalid

_PAGE = 64


class Watch:
    """Opens streams. Built once; each stream is a generator of its own."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def drained(self) -> None:
        """Return once the server has begun to stop."""
        await self._sources.hub.drained()

    async def stream(
        self, key: InstanceKey, auth_json: str, *, every: bool, token: str
    ) -> AsyncGenerator[Frame, None]:
        """Yield frames until the caller stops, access ends, or the server drains.

        Raises NotFound, PermissionDenied, InvalidArgument (RESUME_TOKEN_INVALID), OutOfRange
        (RESUME_TOKEN_EXPIRED, RESUME_TOKEN_DIVERGED), ResourceExhausted (SUBSCRIBER_TOO_SLOW).
        """
        sources = self._sources
        subscription = sources.hub.open(key, every=every)
        try:
            loaded = await sources.read(key, auth_json)
            subscription.follow(loaded.instance.uid)
            reader = _Reader(sources, subscription, loaded.instance, auth_json, every=every)
            if token:
                await reader.resume(sources.tokens.decode(token, Position), loaded.last)
            else:
                yield reader.snapshot(loaded.last)
            async for frame in reader.follow(loaded.last):
                yield frame
        finally:
            sources.hub.close(subscription)


class _Reader:
    """The cursor of one stream."""

    def __init__(
        self, sources: Sources, subscription: Subscription, instance: Instance, auth_json: str, *, every: bool
    ) -> None:
        self._sources = sources
        self._subscription = subscription
        self._instance = instance
        self._auth_json = auth_json
        self._every = every
        self._revision = 0
        self._epoch = 0

    def snapshot(self, last: Transition) -> Snapshot:
        self._move_to(last)
        return Snapshot(self._token(), last)

    async def resume(self, position: Position, last: Transition) -> None:
        """Put the cursor where the token says, if this history still holds that place."""
        sources = self._sources
        if position.store_id != sources.identity.store_id:
            raise diverged("of another store")
        if position.uid != self._instance.uid or position.every != self._every:
            raise invalid("was made for another instance or mode")
        if position.revision > last.revision:
            raise diverged("ahead of this history, which was restored from an older copy")
        oldest = await sources.ledger.oldest_revision(self._instance.uid)
        if position.revision < oldest - 1:
            raise OutOfRange(
                "RESUME_TOKEN_EXPIRED",
                f"history before revision {oldest} is gone: subscribe without a token",
                oldest_revision=oldest,
            )
        there = await sources.ledger.history(self._instance.uid, position.revision - 1, 1)
        if there and there[0].revision == position.revision and there[0].epoch != position.epoch:
            raise diverged("of a history that this store has since replaced")
        self._revision, self._epoch = position.revision, position.epoch

    async def follow(self, last: Transition) -> AsyncIterator[Frame]:
        """Yield everything after the cursor: first what was missed, then what is published."""
        missed = [last] if last.revision > self._revision else []
        async for frame in self._catch_up() if self._every else self._changes(missed):
            yield frame
        subscription = self._subscription
        while True:
            news = [each for each in subscription.take() if each.revision > self._revision]
            if subscription.lapped:
                raise too_slow(f"revision {self._revision}")
            if news:
                async for frame in self._changes(news):
                    yield frame
            elif subscription.gone:
                raise no_instance(self._instance.key.machine, self._instance.key.name)
            elif subscription.draining:
                yield Draining(self._token())
                return
            elif subscription.tick:
                subscription.tick = False
                yield Progress(self._token(), self._revision)
            else:
                await subscription.wait()

    async def _catch_up(self) -> AsyncIterator[Frame]:
        """Yield what the log has."""
        while True:
            # What is published from here on is in the buffer, or marks it as lapped: then read once more.
            self._subscription.lapped = False
            page = await self._sources.ledger.history(self._instance.uid, self._revision, _PAGE)
            async for frame in self._changes(page):
                yield frame
            if len(page) < _PAGE and not self._subscription.lapped:
                return

    async def _changes(self, transitions: Sequence[Transition]) -> AsyncIterator[Changes]:
        """Yield frames that a client can take, up to the first state that this caller may not see."""
        ready: list[Transition] = []
        room = FRAME
        for transition in transitions:
            allowed = await self._sources.readers.allows(self._instance, transition, self._auth_json)
            size = size_of(transition.view)
            if ready and (size > room or not allowed):
                yield self._frame(ready)
                ready, room = [], FRAME
            if not allowed:
                raise PermissionDenied(
                    "REJECTED_BY_MACHINE_AUTHORIZER",
                    f"machine {self._instance.key.machine!r} no longer lets this caller read the instance",
                    machine=self._instance.key.machine,
                    instance=self._instance.key.name,
                )
            ready.append(transition)
            room -= size
        if ready:
            yield self._frame(ready)

    def _frame(self, transitions: Sequence[Transition]) -> Changes:
        self._move_to(transitions[-1])
        return Changes(self._token(), tuple(transitions))

    def _move_to(self, transition: Transition) -> None:
        self._subscription.tick = False
        self._revision, self._epoch = transition.revision, transition.epoch

    def _token(self) -> str:
        position = Position(
            self._sources.identity.store_id, self._instance.uid, self._revision, self._epoch, self._every
        )
        return self._sources.tokens.encode(position)
