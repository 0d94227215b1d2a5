"""Request ids of catalog calls: a repeat finds what the first call did, a reuse with another body is refused.

The record is written by the store in the same transaction as the change, so a crash cannot part them. A
repeat that comes while the first call still runs waits for it; a caller that goes away does not cut it short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from stateward_server.api.convert import request_tag
from stateward_server.engine.refusals import reused
from stateward_server.model.ledger import RequestTag
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import OrgId
from stateward_server.ports.clock import Clock
from stateward_server.ports.store import Requests

T = TypeVar("T")

Do = Callable[[RequestRecord | None], Awaitable[T]]
"""Make the change, and write the record with it."""
Again = Callable[[str], Awaitable[T]]
"""Return what the change has made, by the outcome on record."""


class Outcomes:
    """Sees to it that a request id takes effect once."""

    def __init__(self, requests: Requests, clock: Clock) -> None:
        self._requests = requests
        self._clock = clock
        self._running: dict[tuple[OrgId, str], asyncio.Future[Any]] = {}

    @property
    def running(self) -> int:
        """How many calls with a request id have not ended."""
        return len(self._running)

    async def once(
        self, org: OrgId, method: str, request_id: str, body: Sequence[str], *, do: Do[T], again: Again[T]
    ) -> T:
        """Call `do`, or `again` when this request was done before.

        Raises InvalidArgument (REQUEST_ID_REUSED).
        """
        tag = request_tag(request_id, method, *body)
        if tag is None:
            return await do(None)
        key = (org, tag.id)
        while (running := self._running.get(key)) is not None:
            await asyncio.wait((running,))
        call = asyncio.ensure_future(self._call(org, tag, do, again))
        self._running[key] = call
        call.add_done_callback(lambda _: self._running.pop(key))
        return await asyncio.shield(call)

    async def _call(self, org: OrgId, tag: RequestTag, do: Do[T], again: Again[T]) -> T:
        record = await self._requests.get_request(org, tag.id)
        if record is None:
            return await do(RequestRecord(org, tag.id, tag.digest, "", self._clock.now_ms()))
        if record.digest != tag.digest:
            raise reused(tag.id)
        return await again(record.outcome)


async def nothing(_outcome: str) -> None:
    """Answer the repeat of a call that returns nothing (Again)."""
