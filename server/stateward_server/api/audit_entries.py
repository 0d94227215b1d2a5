"""AuditService: who did what to an organisation."""

from __future__ import annotations

from functools import partial

from google.protobuf.timestamp_pb2 import Timestamp

from stateward.v1 import audit_pb2
from stateward.v1 import audit_service_pb2 as pb
from stateward.v1 import audit_service_pb2_grpc as rpc
from stateward_server.api.caller import Context, caller
from stateward_server.api.convert import timestamp
from stateward_server.api.paging import PageTokens
from stateward_server.api.paths import parse_id
from stateward_server.api.records import METHODS
from stateward_server.audit.trail import Trail
from stateward_server.model.audit import AuditEntry, AuditQuery
from stateward_server.model.errors import InvalidArgument

_LAST_MS = 1 << 62


class AuditServicer(rpc.AuditServiceServicer):
    """Converts, calls one room, converts back."""

    def __init__(self, trail: Trail, pages: PageTokens) -> None:
        self._trail = trail
        self._pages = pages

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, _context: Context
    ) -> pb.ListAuditEntriesResponse:
        query = _query(request)
        listing = (
            *(query.org, "audit-entries", query.subject, query.method),
            *(str(query.from_ms), str(query.until_ms)),
        )
        page, token = await self._pages.page(
            request,
            listing,
            partial(self._trail.list, query),
            start=None,
            place=lambda each: (each.time_ms, each.id),
            show=_entry,
        )
        return pb.ListAuditEntriesResponse(audit_entries=page, next_page_token=token)


def _query(request: pb.ListAuditEntriesRequest) -> AuditQuery:
    subject = ""
    if request.subject:
        collection = "keys" if request.subject.startswith("keys/") else "users"
        subject = parse_id(request.subject, "subject", collection)
    if request.method and request.method not in METHODS:
        raise InvalidArgument(
            "INVALID_FIELD",
            f"there is no RPC {request.method[:80]!r}: name one such as 'KeyService.CreateKey'",
            field="method",
        )
    return AuditQuery(
        caller.get().org,
        subject,
        request.method,
        _milliseconds(request.start_time) if request.HasField("start_time") else 0,
        _milliseconds(request.end_time) if request.HasField("end_time") else _LAST_MS,
    )


def _milliseconds(time: Timestamp) -> int:
    return min(max(time.seconds * 1000 + time.nanos // 1_000_000, 0), _LAST_MS)


def _entry(entry: AuditEntry) -> audit_pb2.AuditEntry:
    return audit_pb2.AuditEntry(
        name=f"auditEntries/{entry.id}",
        create_time=timestamp(entry.time_ms),
        subject=_subject(entry.subject),
        method=entry.method,
        resource=entry.resource,
        acting=entry.acting,
        sub=entry.sub,
        sid=entry.sid,
        peer=entry.peer,
        outcome=entry.outcome,
    )


def _subject(id_: str) -> str:
    if not id_:
        return ""
    return f"keys/{id_}" if id_.startswith("sbk_") else f"users/{id_}"
