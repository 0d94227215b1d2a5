"""Request ids of catalog calls: a repeat finds what the first call did, a reuse with another body is refused.

The record is written by the store in the same transaction as the change, so a crash cannot part them.
"""

from __future__ import annotations

from dataclasses import dataclass

from stateward_server.api.convert import request_tag
from stateward_server.engine.refusals import reused
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import OrgId
from stateward_server.ports.clock import Clock
from stateward_server.ports.store import Requests


@dataclass(frozen=True, slots=True)
class Done:
    """What is known of a request: the id of what it made, or the record to write with the change."""

    stored: str | None
    fresh: RequestRecord | None


class Outcomes:
    """Looks request ids up."""

    def __init__(self, requests: Requests, clock: Clock) -> None:
        self._requests = requests
        self._clock = clock

    async def find(self, org: OrgId, method: str, request_id: str, *body: str) -> Done:
        """Raises InvalidArgument (REQUEST_ID_REUSED, INVALID_FIELD)."""
        tag = request_tag(request_id, method, *body)
        if tag is None:
            return Done(None, None)
        record = await self._requests.get_request(org, tag.id)
        if record is None:
            return Done(None, RequestRecord(org, tag.id, tag.digest, "", self._clock.now_ms()))
        if record.digest != tag.digest:
            raise reused(tag.id)
        return Done(record.outcome, None)
