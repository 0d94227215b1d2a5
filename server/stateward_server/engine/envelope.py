"""What waits in a mailbox: an input, where it came from, and who wants to hear of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from stateward_server.model.ledger import Cause, RequestTag
from stateward_server.model.machine import RequestRecord
from stateward_server.model.step import Input
from stateward_server.model.wait import Reply, Wait


@dataclass(slots=True)
class Envelope:
    """One input on its way to an instance. `expected_revision` 0 means any."""

    input: Input
    cause: Cause
    request: RequestTag | None = None
    expected_revision: int = 0
    wait: Wait | None = None
    reply: asyncio.Future[Reply] | None = None
    due_ms: int = 0
    """For a timer: the deadline that makes this the timer it was meant to be."""
    attempt: int = 0
    """How often the delivery has failed before."""

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
class Farewell:
    """Delete the instance once the turns before have ended."""

    done: asyncio.Future[None]
    request: RequestRecord | None


Mail = Envelope | Probe | Farewell
