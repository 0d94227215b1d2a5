"""The watch of a whole machine: which instances match a filter, and what enters, changes and leaves.

Registering comes first, then the position is read, then the matching instances page by page, then the log
from that position on, then live. What the pages have shown already is dropped by revision, what the log has
shown by position: nothing falls between, nothing comes twice. A state the caller may not read does not match.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

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
from stateward_server.model.names import InstanceUid, MachineName, OrgId
from stateward_server.watch.hub import Buffer, Logged
from stateward_server.watch.sources import FRAME, Sources, diverged, size_of, too_slow
from stateward_server.watch.tokens import MachinePosition, invalid, watched

_PAGE = 64
_DELETION = 250
"""Characters that a deletion takes in a frame."""
_REMEMBERED = 65_536
_BEGINNING = -1


class MachineWatch:
    """Opens streams over all instances of a machine."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def stream(
        self, org: OrgId, machine: MachineName, auth_json: str, chosen: Filter, token: str
    ) -> AsyncGenerator[MachineFrame, None]:
        """Yield frames until the caller stops or the server drains.

        Raises InvalidArgument (RESUME_TOKEN_INVALID), OutOfRange (RESUME_TOKEN_DIVERGED), ResourceExhausted
        (SUBSCRIBER_TOO_SLOW).
        """
        hub = self._sources.hub
        buffer = hub.open_machine(org, machine)
        try:
            reader = _Reader(self._sources, buffer, org, machine, auth_json=auth_json, chosen=chosen)
            if not token or not await reader.resume(token):
                async for page in reader.snapshot():
                    yield page
            async for frame in reader.follow():
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
        self._shown = _BEGINNING
        """The pages may show what was committed up to here: a token from before would repeat it."""
        self._paged: dict[InstanceUid, int] = {}
        self._members: OrderedDict[InstanceUid, bool] = OrderedDict()
        self._knows_all = True
        """What is not remembered has never been shown."""

    async def resume(self, token: str) -> bool:
        """Put the cursor where the token says; False when that is the beginning."""
        sources = self._sources
        place = sources.tokens.decode(token, MachinePosition)
        if place.store_id != sources.identity.store_id:
            raise diverged("of another store")
        if place.watched != self._name:
            raise invalid("was made for another machine or filter")
        if place.position == _BEGINNING:
            return False
        if place.position > await sources.changes.position():
            raise diverged("ahead of this history, which was restored from an older copy")
        if await sources.changes.epoch_at(place.position) > place.epoch:
            raise diverged("of a history that this store has since replaced")
        self._position = place.position
        self._knows_all = False
        return True

    async def snapshot(self) -> AsyncIterator[Page]:
        """Yield what matches now."""
        start = await self._sources.changes.position()
        after = 0
        complete = False
        while not complete:
            found = await self._sources.ledger.list_instances(self._org, self._machine, after, _PAGE)
            complete = len(found) < _PAGE
            entries: list[Entry] = []
            room = FRAME
            for loaded in found:
                after = loaded.instance.uid
                self._paged[loaded.instance.uid] = loaded.last.revision
                if not await self._visible(loaded.instance, loaded.last):
                    continue
                self._remember(loaded.instance.uid, member=True)
                size = size_of(loaded.last.view)
                if entries and size > room:
                    yield Page(self._token(), tuple(entries), complete=False)
                    entries, room = [], FRAME
                entries.append(Entry(loaded.instance, loaded.last))
                room -= size
            if complete:
                self._position, self._shown = start, await self._sources.changes.position()
            yield Page(self._token(), tuple(entries), complete)
        self._buffer.tick = False

    async def follow(self) -> AsyncIterator[MachineFrame]:
        """Yield what happened after the cursor: from the log until it ends, then as it is published."""
        async for frame in self._catch_up():
            yield frame
        if self._position < self._shown:
            self._position = self._shown
            yield Idle(self._token())
        buffer = self._buffer
        while True:
            news = buffer.take()
            if buffer.lapped:
                raise too_slow(f"position {self._position}")
            if news:
                async for frame in self._stirred(news):
                    yield frame
            elif buffer.draining:
                yield Draining(self._token())
                return
            elif buffer.tick:
                buffer.tick = False
                yield Idle(self._token())
            else:
                await buffer.wait()

    async def _catch_up(self) -> AsyncIterator[MachineFrame]:
        while True:
            # What is published from here on is in the buffer, or marks it as lapped: then read once more.
            self._buffer.lapped = False
            page = await self._sources.changes.changes_after(self._org, self._machine, self._position, _PAGE)
            news = [Logged(each.position, each.instance, each.transition) for each in page]
            async for frame in self._stirred(news):
                yield frame
            # Deletions come on top of what was asked for.
            transitions = sum(each.transition is not None for each in page)
            if transitions < _PAGE and not self._buffer.lapped:
                self._paged.clear()
                return

    async def _stirred(self, news: Sequence[Logged]) -> AsyncIterator[Stirred]:
        """Yield what these mean for the watch, in frames that a client can take."""
        changes: list[Change] = []
        room = FRAME
        for item in news:
            if item.transition is None:
                change, size = self._deleted(item.instance), _DELETION
            elif item.position <= self._position:
                continue
            else:
                change = await self._change(item.instance, item.transition)
                size = size_of(item.transition.view)
            if changes and change is not None and size > room:
                yield self._frame(changes)
                changes, room = [], FRAME
            if change is not None:
                changes.append(change)
                room -= size
            if item.transition is not None:
                self._position = item.position
        if changes:
            yield self._frame(changes)

    def _frame(self, changes: Sequence[Change]) -> Stirred:
        self._buffer.tick = False
        return Stirred(self._token(), tuple(changes))

    async def _change(self, instance: Instance, transition: Transition) -> Change | None:
        if transition.revision <= self._paged.get(instance.uid, 0):
            return None
        was = self._members.get(instance.uid)
        if was is None:
            was = not self._knows_all and await self._was_visible(instance, transition.revision - 1)
        now = await self._visible(instance, transition)
        self._remember(instance.uid, member=now)
        if now:
            entry = Entry(instance, transition)
            return Changed(entry) if was else Entered(entry)
        return Left(instance, transition.revision) if was else None

    def _deleted(self, instance: Instance) -> Change | None:
        # Of a deleted instance that is not remembered nothing can be known: better one word too many. But not
        # where everything is known: its name may have been shown already as that of a new instance.
        was = self._members.get(instance.uid, not self._knows_all)
        self._remember(instance.uid, member=False)
        return Left(instance, 0) if was else None

    async def _was_visible(self, instance: Instance, revision: int) -> bool:
        if revision < 1:
            return False
        found = await self._sources.ledger.history(instance.uid, revision - 1, 1)
        return bool(found) and await self._visible(instance, found[0])

    async def _visible(self, instance: Instance, transition: Transition) -> bool:
        return self._chosen.matches(transition.view) and await self._sources.readers.allows(
            instance, transition, self._auth_json
        )

    def _remember(self, uid: InstanceUid, *, member: bool) -> None:
        self._members[uid] = member
        self._members.move_to_end(uid)
        if len(self._members) > _REMEMBERED:
            self._members.popitem(last=False)
            self._knows_all = False

    def _token(self) -> str:
        identity = self._sources.identity
        position = self._position if self._position >= self._shown else _BEGINNING
        return self._sources.tokens.encode(
            MachinePosition(identity.store_id, self._name, position, identity.epoch)
        )
