"""What lies in a mailbox: events of all origins, and work that must not meet a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from stateward_server.engine.refusals import no_store
from stateward_server.model.ledger import Cause, RequestTag
from stateward_server.model.step import Input
from stateward_server.model.wait import Reply, Wait
from stateward_server.ports.store import StoreFault


@dataclass(slots=True)
class Envelope:
    """One input on its way to an instance. `expected_revision` 0 means any.

    Whoever has put in a `reply` hears what became of it and may try again; without one, the actor sees to it.
    """

    input: Input
    cause: Cause
    request: RequestTag | None = None
    expected_revision: int = 0
    wait: Wait | None = None
    reply: asyncio.Future[Reply] | None = None
    due_ms: int = 0
    """For a timer: the deadline that makes this the timer it was meant to be."""

    @property
    def abandoned(self) -> bool:
        """The caller has gone, so an event that has not been taken yet need not happen."""
        return self.reply is not None and self.reply.cancelled()

    def resolve(self, reply: Reply) -> None:
        if self.reply is not None and not self.reply.done():
            self.reply.set_result(reply)

    def refuse(self, error: Exception) -> None:
        if self.reply is not None and not self.reply.done():
            self.reply.set_exception(error)


@dataclass(slots=True)
class Probe:
    """Ask the host whether services were lost, and deliver their ends: no input of its own."""


@dataclass(slots=True)
class Errand:
    """Work on the instance between two turns, such as a pause; `done` has its result, or its error."""

    work: Callable[[], Awaitable[Any]]
    done: asyncio.Future[Any]

    async def perform(self) -> None:
        try:
            result = await self.work()
        except StoreFault:
            self.refuse(no_store())
        except Exception as error:  # noqa: BLE001 - it is whoever asked for the work that must know
            self.refuse(error)
        else:
            if not self.done.done():
                self.done.set_result(result)

    def refuse(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


Mail: TypeAlias = Envelope | Probe | Errand
