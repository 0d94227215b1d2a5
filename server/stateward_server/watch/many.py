"""Many watches on one stream: each runs as it would alone, and a refusal that ends it ends only itself.

A fault of the server ends the stream, as it would end a stream of one watch. All share one bounded queue, so
a stream that is not read holds its watches back, and each then falls back on its own buffer. Called by the
API with one reader of frames and one writer of names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

from stateward_server.model.errors import AlreadyExists, ResourceExhausted, StatewardError
from stateward_server.model.frame import Draining, Frame
from stateward_server.model.ledger import InstanceKey
from stateward_server.model.limits import WatchLimits
from stateward_server.watch.watch import Watch

_QUEUE = 64


@dataclass(frozen=True, slots=True)
class Ended:
    """One watch is over; None when it was taken off."""

    error: StatewardError | None


_Item = tuple[InstanceKey, Frame | Ended] | Exception | None
"""A frame of one watch, the error that ends the stream, or its quiet end."""


class ManyWatches:
    """The watches of one stream. Use as an async context manager; leaving it ends them all."""

    def __init__(self, watch: Watch, auth_json: str, limit: int = WatchLimits().watches) -> None:
        self._watch = watch
        self._auth_json = auth_json
        self._limit = limit
        self._tasks: dict[InstanceKey, asyncio.Task[None]] = {}
        self._queue: asyncio.Queue[_Item] = asyncio.Queue(_QUEUE)
        self._drained = False

    async def __aenter__(self) -> Self:
        self._closing = asyncio.create_task(self._close_when_drained())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._tasks.values(), self._closing]
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
            await self._queue.put((key, Ended(error)))
        elif len(self._tasks) >= self._limit:
            error = ResourceExhausted(
                "TOO_MANY_WATCHES",
                f"a stream carries at most {self._limit} watches: open another",
                limit=self._limit,
            )
            await self._queue.put((key, Ended(error)))
        else:
            self._tasks[key] = asyncio.create_task(self._run(key, every=every, token=token))

    async def remove(self, key: InstanceKey) -> None:
        """Stop watching an instance; its Ended frame is the last that names it."""
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._queue.put((key, Ended(None)))

    async def fail(self, error: Exception) -> None:
        """End the whole stream with an error, after what is queued."""
        await self._queue.put(error)

    async def frames(self) -> AsyncGenerator[tuple[InstanceKey, Frame | Ended], None]:
        """Yield frames of all watches, each in its own order, until every watch has drained."""
        draining: set[InstanceKey] = set()
        while True:
            item = await self._queue.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                return
            key, frame = item
            yield key, frame
            if isinstance(frame, Draining):
                draining.add(key)
            if (draining or self._drained) and draining >= self._tasks.keys():
                return

    async def _close_when_drained(self) -> None:
        """A stream without watches has nobody else to tell it that the server stops."""
        await self._watch.drained()
        self._drained = True
        if not self._tasks:
            await self._queue.put(None)

    async def _run(self, key: InstanceKey, *, every: bool, token: str) -> None:
        try:
            async with aclosing(self._watch.stream(key, self._auth_json, every=every, token=token)) as frames:
                async for frame in frames:
                    await self._queue.put((key, frame))
        except StatewardError as refused:
            # First the frame, then the name is free: whoever adds it again must not be told this end.
            await self._queue.put((key, Ended(refused)))
            del self._tasks[key]
        except Exception as fault:  # noqa: BLE001 - whoever reads the frames gets it, whatever it is
            await self._queue.put(fault)
