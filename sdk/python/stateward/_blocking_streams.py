"""Streams that are more than a generator, for code that does not await: see `stateward.blocking`."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from . import _listener, _watches
from ._portal import Portal
from .state import Mode, Update, WatchEvent

if TYPE_CHECKING:
    from ._blocking_instance import Instance


class Watches:
    """Many instances on one stream, like `stateward.Watches`. Get one from `Client.watch_many`.

    Iterate it in one thread; add and remove instances in any. A context manager that closes itself.
    """

    def __init__(self, portal: Portal, watches: _watches.Watches) -> None:
        self._portal = portal
        self._watches = watches

    def add(self, *instances: Instance, mode: Mode = "latest", resume_token: str | None = None) -> None:
        """Watch these instances too. See `stateward.Watches.add`."""

        async def add() -> None:
            self._watches.add(
                *(each._instance for each in instances),  # noqa: SLF001 - handles of ours
                mode=mode,
                resume_token=resume_token,
            )

        self._portal.run(add())

    def remove(self, *instances: Instance) -> None:
        """Stop watching these instances. See `stateward.Watches.remove`."""

        async def remove() -> None:
            self._watches.remove(*(each._instance for each in instances))  # noqa: SLF001 - handles of ours

        self._portal.run(remove())

    def close(self) -> None:
        """End the stream, and the iteration in whichever thread it waits."""
        self._portal.run(self._watches.aclose())

    def __iter__(self) -> Iterator[WatchEvent]:
        return self._portal.iterate(self._watches, close=self._watches.aclose)

    def __len__(self) -> int:
        return len(self._watches)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Listener:
    """A callback at work, like `stateward.Listener`. Get one from `Instance.on_change`."""

    def __init__(self, portal: Portal, listener: _listener.Listener[Update]) -> None:
        self._portal = portal
        self._listener = listener

    @property
    def active(self) -> bool:
        """Whether more may come."""
        return self._listener.active

    def stop(self) -> None:
        """Take the callback off. A call that has begun goes on. See `stateward.Listener.stop`."""

        async def stop() -> None:
            self._listener.stop()

        self._portal.run(stop())

    def wait(self) -> None:
        """Return once it has ended. See `stateward.Listener.wait`."""
        self._portal.run(self._listener.wait())
