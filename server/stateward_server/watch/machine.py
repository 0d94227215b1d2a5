"""The watch of a whole machine: which instances match a filter, and what enters, changes and leaves.

Registering comes first, then the position is read, then the matching instances page by page, then the log
from that position on, then live. What the pages have shown already is dropped by revision, what the log has
shown by position: nothing falls between, nothing comes twice. A state the caller may not read does not match.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from stateward_server.model.frame import (
    Change,
    Changed,
    Draining,
    Entered,
    Entry,
    Filter,
    Idle,
    Left,
    MachineFrame,
    Page,
    Stirred,
)
from stateward_server.model.ledger import Instance, Transition
from stateward_server.model.names import MachineName, OrgId
from stateward_server.watch.buffer import Buffer, Logged
from stateward_server.watch.frames import FIRST_PAGE, FRAME_BYTES, LAST_PAGE, next_page, weight
from stateward_server.watch.members import Members
from stateward_server.watch.sources import Sources, diverged, expired, too_slow
from stateward_server.watch.tokens import MachinePosition, invalid, watched

_BEGINNING = -1


class MachineWatch:
    """Opens streams over all instances of a machine."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def stream(
        self, org: OrgId, machine: MachineName, auth_json: str, chosen: Filter, token: str
    ) -> AsyncGenerator[MachineFrame, None]:
        """Yield frames until the caller stops or the server drains.

        Raises InvalidArgument (RESUME_TOKEN_INVALID), OutOfRange (RESUME_TOKEN_EXPIRED,
        RESUME_TOKEN_DIVERGED), ResourceExhausted (SUBSCRIBER_TOO_SLOW).
        """
        hub = self._sources.hub
        buffer = hub.open_machine(org, machine)
        try:
            reader = _Reader(self._sources, buffer, org, machine, auth_json=auth_json, chosen=chosen)
            await reader.begin(token)
            while frames := await reader.more():
                for frame in frames:
                    yield frame
        finally:
            hub.close_machine(buffer)


class _Reader:
    """The cursor of one stream, and what it remembers of the instances it has shown."""

    def __init__(
        self,
        sources: Sources,
        buffer: Buffer[Logged],
        org: OrgId,
        machine: MachineName,
        *,
        auth_json: str,
        chosen: Filter,
    ) -> None:
        self._sources = sources
        self._buffer = buffer
        self._org = org
        self._machine = machine
        self._auth_json = auth_json
        self._chosen = chosen
        self._name = watched(org, machine, chosen)
        self._position = _BEGINNING
        self._members = Members(sources.ledger, self._visible)
        self._next: Callable[[], Awaitable[Sequence[MachineFrame]]] = self._list
        self._page = FIRST_PAGE
        self._start = 0
        self._shown = _BEGINNING
        """The pages may show what was committed up to here: a token from before would repeat it."""
        self._listed = 0
        self._over = False

    async def begin(self, token: str) -> None:
        """Put the cursor at the beginning, or where the token says."""
        sources = self._sources
        changes = sources.changes
        place = sources.tokens.decode(token, MachinePosition) if token else None
        self._start = await changes.position()
        if place is None:
            return
        if place.store_id != sources.identity.store_id:
            raise diverged("of another store")
        if place.watched != self._name:
            raise invalid("was made for another machine or filter")
        if place.position == _BEGINNING:
            return
        if place.position > self._start:
            raise diverged("ahead of this history, which was restored from an older copy")
        if await changes.epoch_at(place.position) > place.epoch:
            raise diverged("of a history that this store has since replaced")
        self._position = place.position
        self._members.forget_all()
        self._next = self._catch_up
        await self._refuse_expired()

    async def more(self) -> Sequence[MachineFrame]:
        """Return the next frames, waiting for them; none when the stream is over."""
        frames: Sequence[MachineFrame] = ()
        while not frames and not self._over:
            frames = await self._next()
        if frames:
            self._buffer.tick = False
        return frames

    # ------------------------------------------------------------------ what matches now

    async def _list(self) -> Sequence[MachineFrame]:
        if self._buffer.draining:
            return self._drain()
        found = await self._sources.ledger.list_instances(self._org, self._machine, self._listed, self._page)
        complete = len(found) < self._page
        self._page = next_page(self._page, [each.last for each in found])
        await self._ask([(each.instance, each.last) for each in found])
        pages: list[list[Entry]] = [[]]
        size = 0
        for loaded in found:
            self._listed = loaded.instance.uid
            visible = await self._visible(loaded.instance, loaded.last)
            self._members.note_listed(loaded, visible=visible)
            if not visible:
                continue
            size += weight(loaded.last)
            if size > FRAME_BYTES and pages[-1]:
                pages.append([])
                size = weight(loaded.last)
            pages[-1].append(Entry(loaded.instance, loaded.last))
        unfinished = self._token()
        if complete:
            self._position, self._shown = self._start, await self._sources.changes.position()
            self._next = self._catch_up
            self._page = LAST_PAGE
        token = self._token()
        *others, last = pages
        return [
            *(Page(unfinished, tuple(page), complete=False) for page in others),
            *([Page(token, tuple(last), complete)] if complete or last or self._buffer.tick else []),
        ]

    # ------------------------------------------------------------------ what happened since

    async def _catch_up(self) -> Sequence[MachineFrame]:
        buffer = self._buffer
        if buffer.draining:
            return self._drain()
        # What is published from here on is in the buffer, or marks it as lapped: then read once more.
        buffer.lapped = False
        page = await self._sources.changes.changes_after(self._org, self._machine, self._position, self._page)
        await self._refuse_expired()
        news = [Logged(each.position, each.instance, each.transition) for each in page.changes]
        self._page = next_page(self._page, [each.transition for each in news if each.transition])
        frames = await self._stirred(news)
        self._position = max(self._position, page.end)
        if page.complete and not buffer.lapped:
            self._members.end_of_list()
            self._next = self._live
        return frames or ([Idle(self._token())] if buffer.tick else [])

    async def _live(self) -> Sequence[MachineFrame]:
        buffer, published = self._buffer, self._sources.hub.position
        news = buffer.take()
        if buffer.lapped:
            raise too_slow("position", self._position, self._token())
        frames = await self._stirred(news)
        # Others' changes count too, or the token of a quiet machine would grow old.
        self._position = max(self._position, published)
        if frames:
            return frames
        if buffer.draining and not news:
            return self._drain()
        if buffer.tick:
            return [Idle(self._token())]
        if not news:
            await buffer.wait()
        return ()

    def _drain(self) -> Sequence[MachineFrame]:
        self._over = True
        return [Draining(self._token())]

    async def _stirred(self, news: Sequence[Logged]) -> Sequence[MachineFrame]:
        """Return the frames about what happened, each with the token of its own last change."""
        frames: list[MachineFrame] = []
        changes: list[Change] = []
        size = 0
        await self._ask([(each.instance, each.transition) for each in news if each.transition])
        for item in news:
            change = await self._change(item)
            if change is not None:
                size += _size(change)
                if size > FRAME_BYTES and changes:
                    frames.append(Stirred(self._token(), tuple(changes)))
                    changes, size = [], _size(change)
                changes.append(change)
            self._position = max(self._position, item.position)
        if changes:
            frames.append(Stirred(self._token(), tuple(changes)))
        return frames

    async def _change(self, item: Logged) -> Change | None:
        """Return what an item means for this watch; None if nothing, or if it was told before."""
        instance, transition = item.instance, item.transition
        known = item.position <= self._position
        if transition is None:
            # A deletion that is published late is told late, but never lost.
            return Left(instance, 0) if self._members.delete(instance.uid, certain=known) else None
        if known or self._members.listed(instance.uid) >= transition.revision:
            return None
        was = await self._members.was(instance, transition.revision)
        now = await self._visible(instance, transition)
        self._members.set(instance.uid, member=now)
        if now:
            entry = Entry(instance, transition)
            return Changed(entry) if was else Entered(entry)
        # Where nobody knows any more whether it was shown, one word too many is better than one too few.
        return Left(instance, transition.revision) if was is not False else None

    async def _ask(self, states: Sequence[tuple[Instance, Transition]]) -> None:
        """Learn at once what `_visible` will want to know one by one."""
        if len(states) > 1:
            matching = [each for each in states if self._chosen.matches(each[1])]
            await self._sources.readers.ask(matching, self._auth_json)

    async def _visible(self, instance: Instance, transition: Transition) -> bool:
        return self._chosen.matches(transition) and await self._sources.readers.allows(
            instance, transition, self._auth_json
        )

    async def _refuse_expired(self) -> None:
        pruned = await self._sources.changes.pruned()
        if self._position < pruned:
            raise expired("position", pruned)

    def _token(self) -> str:
        identity = self._sources.identity
        position = self._position if self._position >= self._shown else _BEGINNING
        return self._sources.tokens.encode(
            MachinePosition(identity.store_id, self._name, position, identity.epoch)
        )


def _size(change: Change) -> int:
    match change:
        case Entered(entry) | Changed(entry):
            return weight(entry.transition)
        case Left():
            return 200
