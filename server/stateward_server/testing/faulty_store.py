"""A store that fails or waits when told: what the ledger may do to its callers, on demand.

Called by tests of everything above a store. Wraps any store; what it is not told about passes through
untouched. A fault before a call has changed nothing. A fault after it has changed everything and the caller
does not know, which is what a lost reply looks like, though no store of ours does that by itself.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, cast

from stateward_server.ports.store import Store, StoreFault


class Point(Enum):
    """Where in a call the store fails or waits."""

    BEFORE = "before"
    AFTER = "after"


class FaultyStore:
    """Wraps a store; `store` is what to hand to the code under test."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self._plans: defaultdict[tuple[str, Point], deque[asyncio.Event | BaseException]] = defaultdict(deque)
        self.calls: list[str] = []
        """The methods called so far, in order."""

    @property
    def store(self) -> Store:
        """The wrapper, as the store it stands for."""
        return cast("Store", self)

    def fail(self, method: str, point: Point = Point.BEFORE, *, error: BaseException | None = None) -> None:
        """Let the next call of `method` fail, by default with StoreFault. Plans for one point queue up."""
        self._plan(method, point, error or StoreFault(f"planned fault {point.value} {method}"))

    def hold(self, method: str, point: Point = Point.BEFORE) -> asyncio.Event:
        """Let the next call of `method` wait until the returned event is set."""
        released = asyncio.Event()
        self._plan(method, point, released)
        return released

    def mend(self) -> None:
        """Drop the plans that have not come true."""
        self._plans.clear()

    def _plan(self, method: str, point: Point, plan: asyncio.Event | BaseException) -> None:
        getattr(self._inner, method)  # a typing error in a test must not make it pass
        self._plans[method, point].append(plan)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._wrapped(name, found) if asyncio.iscoroutinefunction(found) else found

    def _wrapped(self, name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            await self._meet(name, Point.BEFORE)
            result = await method(*args, **options)
            await self._meet(name, Point.AFTER)
            return result

        return call

    async def _meet(self, name: str, point: Point) -> None:
        plans = self._plans[name, point]
        if not plans:
            return
        match plans.popleft():
            case asyncio.Event() as released:
                await released.wait()
            case BaseException() as error:
                raise error
