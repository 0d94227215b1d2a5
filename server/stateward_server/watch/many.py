"""Many watches on one stream: each runs as it would alone, and a refusal that ends it ends only itself.

A fault of the server ends the stream, as it would end a stream of one watch. All share one bounded channel,
so a stream that is not read holds its watches back, and each then falls back on its own buffer. Called by the
API with one reader of frames and one writer of names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

from stateward_server.model.errors import AlreadyExists, ResourceExhausted, StatewardError
from stateward_server.model.frame import Changes, Draining, Frame, Snapshot
from stateward_server.model.ledger import InstanceKey
from stateward_server.model.limits import WatchLimits
from stateward_server.watch.channel import Channel
from stateward_server.watch.frames import weight
from stateward_server.watch.watch import Watch

_UNREAD_BYTES = 1_000_000
_PRICE = 200


@dataclass(frozen=True, slots=True)
class Ended:
    """One watch is over; None when it was taken off, or when its instance has ended."""

    error: StatewardError | None


class _Done:
    """The client asks for nothing more, or the server stops: end as soon as nothing is being watched."""


_Item = tuple[InstanceKey, Frame | Ended] | Exception | _Done
"""A frame of one watch, or the error that ends the stream, or a reason to look whether it is over."""


class ManyWatches:
    """The watches of one stream. Use as an async context manager; leaving it ends them all."""

    def __init__(self, watch: Watch, auth_json: str, limit: int = WatchLimits().watches) -> None:
        self._watch = watch
        self._auth_json = auth_json
        self._limit = limit
        self._tasks: dict[InstanceKey, asyncio.Task[None]] = {}
        self._drained: set[InstanceKey] = set()
        self._closing = False
        self._channel: Channel[_Item] = Channel(_UNREAD_BYTES)

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen_for_drain())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._tasks.values(), self._listening]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def add(self, key: InstanceKey, *, every: bool, token: str) -> None:
        """Begin to watch an instance; a refusal arrives as its Ended frame."""
        if key in self._tasks:
            name = f"machines/{key.machine}/instances/{key.name}"
            error: StatewardError = AlreadyExists(
                "WATCH_EXISTS", f"{name} is being watched already", name=name
            )
            await self._channel.put((key, Ended(error)), _PRICE)
        elif len(self._tasks) >= self._limit:
            error = ResourceExhausted(
                "TOO_MANY_WATCHES",
                f"a stream carries at most {self._limit} watches: open another",
                limit=self._limit,
            )
            await self._channel.put((key, Ended(error)), _PRICE)
        else:
            self._tasks[key] = asyncio.create_task(self._run(key, every=every, token=token))

    async def remove(self, key: InstanceKey) -> None:
        """Stop watching an instance; its Ended frame is the last that names it."""
        task = self._tasks.get(key)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            # It may have come to its own end, and said so, before it was cancelled.
            if self._tasks.get(key) is task:
                self._forget(key)
                await self._channel.put((key, Ended(None)), _PRICE)

    async def no_more(self) -> None:
        """The client will not ask for anything more: end the stream with its last watch."""
        self._closing = True
        await self._channel.put(_Done(), _PRICE)

    async def fail(self, error: Exception) -> None:
        """End the whole stream with an error, after what is queued."""
        await self._channel.put(error, _PRICE)

    async def frames(self) -> AsyncGenerator[tuple[InstanceKey, Frame | Ended], None]:
        """Yield frames of all watches, each in its own order, until no more can come."""
        while True:
            item = await self._channel.get()
            if isinstance(item, Exception):
                raise item
            if isinstance(item, tuple):
                yield item
                if isinstance(item[1], Draining):
                    self._drained.add(item[0])
            if self._closing and self._tasks.keys() <= self._drained and self._channel.empty:
                return

    async def _listen_for_drain(self) -> None:
        await self._watch.drained()
        # Each watch says its own last words; this is for a stream that has none, or loses its last one now.
        await self.no_more()

    async def _run(self, key: InstanceKey, *, every: bool, token: str) -> None:
        ended = Ended(None)
        try:
            async with aclosing(self._watch.stream(key, self._auth_json, every=every, token=token)) as frames:
                async for frame in frames:
                    await self._channel.put((key, frame), _size(frame))
                    if isinstance(frame, Draining):
                        return
        except StatewardError as refused:
            ended = Ended(refused)
        except Exception as fault:  # noqa: BLE001 - whoever reads the frames gets it, whatever it is
            self._channel.push(fault, _PRICE)
            return
        # In one step, so that nobody sees one without the other.
        self._forget(key)
        self._channel.push((key, ended), _PRICE)

    def _forget(self, key: InstanceKey) -> None:
        self._tasks.pop(key, None)
        self._drained.discard(key)


def _size(frame: Frame) -> int:
    match frame:
        case Snapshot():
            return _PRICE + weight(frame.transition)
        case Changes():
            return _PRICE + sum(map(weight, frame.transitions))
        case _:
            return _PRICE
