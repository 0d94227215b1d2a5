"""The watch of a machine: which instances match, and what enters, changes and leaves.

Promises, across lost connections too: nothing is told twice, nothing is left out, and an instance that was
told to have entered is told to have left. Where the server cannot go on from where it was, a fresh snapshot
is compared with what was told, and the difference is told.
"""

from __future__ import annotations

from ._feed import Feed, OnReconnect
from ._frames import MachineFrame, MachineNews
from ._transport import Caller
from ._watch_calls import Stream, Watch
from .errors import ResumeTokenExpired, StatewardError, Unavailable
from .state import Changed, Entered, Left, MachineEvent, State, Synced


class MachineWatch(Feed[MachineFrame, MachineEvent]):
    """An async iterator of `Entered`, `Changed`, `Left` and `Synced`; a context manager that closes itself.

    It has no end of its own. It survives a cancelled `anext`. After it raised an error, it is over.
    """

    def __init__(
        self,
        caller: Caller,
        watch: Watch[MachineFrame],
        *,
        resume_token: str | None,
        on_reconnect: OnReconnect | None,
    ) -> None:
        super().__init__(caller, on_reconnect=on_reconnect)
        self._watch = watch
        self._resume_token = resume_token or ""
        self._members: dict[str, int] = {}
        self._listed: set[str] | None = None
        # A program that brings a token knows members that this object has never seen.
        self._knows_all = not resume_token

    async def _open(self) -> Stream[MachineFrame]:
        self._listed = None
        return await self._caller.transport.watch(
            self._watch, resume_token=self._resume_token, auth_context=self._caller.auth_context
        )

    def _accept(self, frame: MachineFrame) -> None:
        """Queue what is new. Until its last event, a frame can only be resumed from the frame before it."""
        events: list[MachineEvent] = []
        before, after = self._resume_token, frame.resume_token
        for news in frame.news:
            events += self._listing(news, before) if frame.listing else self._change(news, before)
        if frame.complete:
            events += self._end_of_list(before, after)
        elif events and not frame.listing:
            events[-1] = _with_token(events[-1], after)
        self._resume_token = after
        self._ready.extend(events)
        if frame.draining:
            raise Unavailable(f"{self._caller.transport.target} is shutting down", reason="DRAINING")

    def _curable(self, error: StatewardError) -> bool:
        if isinstance(error, ResumeTokenExpired) and self._knows_all:
            self._resume_token = ""
            return True
        return False

    def _listing(self, news: MachineNews, token: str) -> list[MachineEvent]:
        """A fresh snapshot has an instance: compare it with what was told."""
        if self._listed is None:
            self._listed = set()
        state = news.state
        if state is None:
            return []
        self._listed.add(news.instance)
        known = self._members.get(news.instance, 0)
        if known == state.revision:
            return []
        if known > state.revision:
            # It is another instance of that name.
            return [self._left(news.instance, None, token), self._entered(news.instance, state, token)]
        return [self._shown(news.instance, state, token)]

    def _end_of_list(self, before: str, after: str) -> list[MachineEvent]:
        """Whoever the snapshot has not is gone."""
        listed, self._listed = self._listed or set(), None
        gone = [name for name in self._members if name not in listed]
        self._knows_all = True
        return [*(self._left(name, None, before) for name in gone), Synced(after)]

    def _change(self, news: MachineNews, token: str) -> list[MachineEvent]:
        known = self._members.get(news.instance)
        if news.state is not None:
            if known is not None and news.state.revision <= known:
                return []
            if news.entered and known is None:
                return [self._entered(news.instance, news.state, token)]
            return [self._changed(news.instance, news.state, token)]
        if known is None and self._knows_all:
            return []
        if known is not None and news.left and news.left <= known:
            return []
        return [self._left(news.instance, news.left or None, token)]

    def _shown(self, name: str, state: State, token: str) -> MachineEvent:
        new = name not in self._members
        return self._entered(name, state, token) if new else self._changed(name, state, token)

    def _entered(self, name: str, state: State, token: str) -> Entered:
        self._members[name] = state.revision
        return Entered(name, state, token)

    def _changed(self, name: str, state: State, token: str) -> Changed:
        self._members[name] = state.revision
        return Changed(name, state, token)

    def _left(self, name: str, revision: int | None, token: str) -> Left:
        self._members.pop(name, None)
        return Left(name, revision, token)


def _with_token(event: MachineEvent, token: str) -> MachineEvent:
    match event:
        case Entered(instance, state):
            return Entered(instance, state, token)
        case Changed(instance, state):
            return Changed(instance, state, token)
        case Left(instance, revision):
            return Left(instance, revision, token)
        case Synced():
            return Synced(token)
