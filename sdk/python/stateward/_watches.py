"""Many instances on one stream, added and removed while it runs; across lost connections, like one.

Promises for each instance what a subscription promises for one. What ends one watch is told as an event and
ends nothing else; what can be cured is cured in silence.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ._feed import Feed, OnReconnect
from ._frames import ManyFrame
from ._instance import Instance
from ._retry import repeatable
from ._transport import Caller
from ._watch_calls import ManyWatch, Stream, WatchCommand
from .errors import ResumeTokenExpired, StatewardError, SubscriberTooSlow
from .state import InstanceFinished, InstanceUpdate, Mode, WatchEvent

Key = tuple[str, str]


@dataclass(slots=True)
class _Watched:
    """One instance that is being watched, and how far it has been told."""

    instance: Instance
    mode: Mode
    resume_token: str
    revision: int = 0
    failures: int = 0
    told: bool = False
    """The server was asked to watch it, and owes its end."""


class Watches(Feed[ManyFrame, WatchEvent]):
    """An async iterator of `InstanceUpdate` and `InstanceFinished`; a context manager that closes itself.

    Instances are added and removed at any time, also while another task iterates. It has no end of its own.
    """

    def __init__(self, caller: Caller, watch: ManyWatch, *, on_reconnect: OnReconnect | None) -> None:
        super().__init__(caller, on_reconnect=on_reconnect)
        self._watch = watch
        self._watched: dict[Key, _Watched] = {}
        self._commands: asyncio.Queue[WatchCommand] | None = None
        self._leaving: dict[Key, int] = {}
        """How many more ends the server owes for watches that were taken off."""
        self._timers: set[asyncio.TimerHandle] = set()

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, *instances: Instance, mode: Mode = "latest", resume_token: str | None = None) -> None:
        """Watch these instances too: the current state of each comes first, then what follows.

        Args:
            instances: Handles, made from the same client as this, on whose behalf this acts.
            mode: As for `Instance.subscribe`.
            resume_token: Go on right after the update that carried it; for a single instance.

        Raises:
            ValueError: One is watched already, acts for somebody else, or there is no such mode.
        """
        if resume_token and len(instances) != 1:
            raise ValueError("a resume token belongs to one instance")
        for instance in instances:
            if instance._caller != self._caller:  # noqa: SLF001 - a handle of ours
                raise ValueError(f"{instance!r} is of another client, or acts for somebody else")
            if _key(instance) in self._watched:
                raise ValueError(f"{instance!r} is being watched already")
            watched = _Watched(instance, mode, resume_token or "")
            command = _adding(watched)
            self._watched[_key(instance)] = watched
            self._begin(watched, command)

    def remove(self, *instances: Instance) -> None:
        """Stop watching these instances; nothing more is told of them. One that is not watched is ignored."""
        for instance in instances:
            key = _key(instance)
            watched = self._watched.pop(key, None)
            if watched is not None and watched.told and self._commands is not None:
                self._leaving[key] = self._leaving.get(key, 0) + 1
                self._commands.put_nowait(WatchCommand(*key))

    def _patience(self) -> float | None:
        # Without a watch there is nothing that could give a sign of life.
        return super()._patience() if self._watched else None

    async def _open(self) -> Stream[ManyFrame]:
        # Opening can take its time, as for a new token: what is added or removed meanwhile joins the queue.
        self._commands = commands = asyncio.Queue[WatchCommand]()
        self._leaving.clear()
        for watched in self._watched.values():
            self._begin(watched, _adding(watched))
        return await self._caller.transport.watch_many(
            self._watch, commands=commands.get, auth_context=self._caller.auth_context
        )

    def _accept(self, frame: ManyFrame) -> None:
        key = (frame.machine, frame.instance)
        if self._leaving.get(key):
            if frame.ended:
                self._leaving[key] -= 1
            return
        watched = self._watched.get(key)
        if watched is None:
            return
        if frame.ended:
            self._end(key, watched, frame.error)
            return
        watched.failures = 0
        before, watched.resume_token = watched.resume_token, frame.resume_token
        for state in frame.states:
            if state.revision > watched.revision:
                watched.revision = state.revision
                token = frame.resume_token if state is frame.states[-1] else before
                self._ready.append(InstanceUpdate(*key, state, token))

    def _end(self, key: Key, watched: _Watched, error: StatewardError | None) -> None:
        """One watch is over: begin it again if that helps, and tell if not."""
        watched.told = False
        if isinstance(error, ResumeTokenExpired) and watched.mode == "latest":
            watched.resume_token = ""
        elif error is None or not (repeatable(error) or isinstance(error, SubscriberTooSlow)):
            del self._watched[key]
            self._ready.append(InstanceFinished(*key, error))
            return
        watched.failures += 1
        delay = self._caller.transport.retry.delay(watched.failures, error.retry_after)
        self._later(delay, key, watched)

    def _later(self, delay: float, key: Key, watched: _Watched) -> None:
        def again() -> None:
            self._timers.discard(timer)
            if self._watched.get(key) is watched:
                self._begin(watched, _adding(watched))

        timer = asyncio.get_running_loop().call_later(delay, again)
        self._timers.add(timer)

    def _begin(self, watched: _Watched, command: WatchCommand) -> None:
        if self._commands is not None:
            self._commands.put_nowait(command)
            watched.told = True

    def _disconnect(self) -> None:
        # Whoever waits to be added again is added with all others by the next connection.
        self._commands = None
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        super()._disconnect()


def _key(instance: Instance) -> Key:
    return (instance.machine, instance.name)


def _adding(watched: _Watched) -> WatchCommand:
    return WatchCommand(*_key(watched.instance), watched.mode, watched.resume_token)
