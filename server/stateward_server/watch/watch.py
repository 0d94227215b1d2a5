"""One subscriber's stream: register, take a snapshot or find the token's place, catch up, then follow live.

Registering comes before reading, so nothing falls between; what is at or below the cursor is dropped,
so nothing comes twice. Every state is authorised against the machine's `allowRead` before it is sent.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from stateward_server.model.errors import PermissionDenied, no_instance
from stateward_server.model.frame import Changes, Draining, Frame, Progress, Snapshot
from stateward_server.model.ledger import InstanceKey, Transition
from stateward_server.model.step import Status
from stateward_server.ports.store import Loaded
from stateward_server.watch.buffer import Subscription
from stateward_server.watch.frames import FIRST_PAGE, chunks, next_page
from stateward_server.watch.sources import Sources, diverged, expired, too_slow
from stateward_server.watch.tokens import Position, invalid


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
        """Yield frames until the caller stops, the instance or access ends, or the server drains.

        After `Draining` the stream can be resumed elsewhere; an end without it, and without an error, means
        that the instance has ended and all of it was sent.

        Raises NotFound, PermissionDenied, InvalidArgument (RESUME_TOKEN_INVALID), OutOfRange
        (RESUME_TOKEN_EXPIRED, RESUME_TOKEN_DIVERGED), ResourceExhausted (SUBSCRIBER_TOO_SLOW).
        """
        sources = self._sources
        subscription = sources.hub.open(key, every=every)
        try:
            loaded = await sources.read(key, auth_json)
            subscription.follow(loaded.instance.uid)
            # What was read may be the engine's memory, which lags a moment behind what was published.
            newest = await sources.ledger.load_uid(loaded.instance.uid)
            if newest is None:
                raise no_instance(key.machine, key.name)
            reader = _Reader(sources, subscription, newest, auth_json, every=every)
            if token:
                await reader.resume(sources.tokens.decode(token, Position))
            else:
                yield reader.snapshot(loaded.last)
            while frames := await reader.more():
                for frame in frames:
                    yield frame
        finally:
            sources.hub.close(subscription)


class _Reader:
    """The cursor of one stream."""

    __slots__ = (
        "_auth_json",
        "_behind",
        "_epoch",
        "_every",
        "_instance",
        "_newest",
        "_over",
        "_page",
        "_refusal",
        "_revision",
        "_sources",
        "_subscription",
    )

    def __init__(
        self, sources: Sources, subscription: Subscription, newest: Loaded, auth_json: str, *, every: bool
    ) -> None:
        self._sources = sources
        self._subscription = subscription
        self._instance = newest.instance
        self._newest: Transition | None = newest.last
        self._auth_json = auth_json
        self._every = every
        self._revision = 0
        self._epoch = 0
        self._behind = True
        self._page = FIRST_PAGE
        self._over = False
        self._refusal: PermissionDenied | None = None

    def snapshot(self, last: Transition) -> Snapshot:
        self._move_to(last)
        return Snapshot(self._token(), last)

    async def resume(self, position: Position) -> None:
        """Put the cursor where the token says, if this history still holds that place."""
        sources, newest = self._sources, self._newest
        if position.store_id != sources.identity.store_id:
            raise diverged("of another store")
        if position.uid != self._instance.uid or position.every != self._every:
            raise invalid("was made for another instance or mode")
        if newest is None or position.revision > newest.revision:
            raise diverged("ahead of this history, which was restored from an older copy")
        await self._refuse_expired(position.revision)
        there = await sources.ledger.history(self._instance.uid, position.revision - 1, 1)
        if there and there[0].revision == position.revision and there[0].epoch != position.epoch:
            raise diverged("of a history that this store has since replaced")
        self._revision, self._epoch = position.revision, position.epoch
        self._over = position.revision == newest.revision and _has_ended(newest)

    async def more(self) -> Sequence[Frame]:
        """Return the next frames, waiting for them; none when the stream is over."""
        if self._refusal is not None:
            raise self._refusal
        frames: Sequence[Frame] = ()
        while not frames and not self._over:
            frames = await (self._catch_up() if self._behind else self._live())
        if frames:
            self._subscription.tick = False
        return frames

    async def _catch_up(self) -> Sequence[Frame]:
        newest, self._newest = self._newest, None
        if self._subscription.draining:
            return self._drain()
        if not self._every:
            # What follows the newest state is in the buffer already.
            self._behind = False
            skipped = newest is not None and newest.revision > self._revision
            return await self._changes([newest] if newest and skipped else [])
        # What is published from here on is in the buffer, or marks it as lapped: then read once more.
        self._subscription.lapped = False
        page = await self._sources.ledger.history(self._instance.uid, self._revision, self._page)
        self._behind = len(page) == self._page or self._subscription.lapped
        if page and page[0].revision != self._revision + 1:
            await self._refuse_expired(self._revision)
        self._page = next_page(self._page, page)
        return await self._changes(page)

    async def _live(self) -> Sequence[Frame]:
        subscription = self._subscription
        news = [each for each in subscription.take() if each.revision > self._revision]
        if subscription.lapped or (news and self._every and news[0].revision != self._revision + 1):
            raise too_slow("revision", self._revision, self._token())
        if news:
            return await self._changes(news)
        if subscription.gone:
            raise no_instance(self._instance.key.machine, self._instance.key.name)
        if subscription.draining:
            return self._drain()
        if subscription.tick:
            return [Progress(self._token(), self._revision)]
        await subscription.wait()
        return ()

    def _drain(self) -> Sequence[Frame]:
        self._over = True
        return [Draining(self._token())]

    async def _changes(self, transitions: Sequence[Transition]) -> Sequence[Frame]:
        """Return the frames of these transitions, up to the first that must not be seen."""
        allowed = await self._sources.readers.allowed(self._instance, transitions, self._auth_json)
        if len(allowed) < len(transitions):
            self._refusal = self._denied()
            if not allowed:
                raise self._refusal
        return [self._change(chunk) for chunk in chunks(allowed)]

    def _change(self, transitions: Sequence[Transition]) -> Changes:
        self._move_to(transitions[-1])
        return Changes(self._token(), tuple(transitions))

    def _move_to(self, transition: Transition) -> None:
        self._revision, self._epoch = transition.revision, transition.epoch
        self._over = _has_ended(transition)

    async def _refuse_expired(self, revision: int) -> None:
        oldest = await self._sources.ledger.oldest_revision(self._instance.uid)
        if revision < oldest - 1:
            raise expired("revision", oldest)

    def _denied(self) -> PermissionDenied:
        key = self._instance.key
        return PermissionDenied(
            "REJECTED_BY_MACHINE_AUTHORIZER",
            f"machine {key.machine!r} no longer lets this caller read the instance",
            machine=key.machine,
            instance=key.name,
        )

    def _token(self) -> str:
        identity = self._sources.identity
        return self._sources.tokens.encode(
            Position(identity.store_id, self._instance.uid, self._revision, self._epoch, self._every)
        )


def _has_ended(transition: Transition) -> bool:
    """Tell whether nothing can follow."""
    return transition.view.status is not Status.ACTIVE
