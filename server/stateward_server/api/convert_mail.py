"""The border between our words and the generated ones, for timers and dead letters."""

from __future__ import annotations

from stateward.v1 import dead_letter_pb2, instance_pb2
from stateward_server.api.convert import timestamp
from stateward_server.api.paths import instance_path, letter_path, timer_path
from stateward_server.model.ledger import DeadLetter, InstanceKey, TimerRow
from stateward_server.model.outbox import Parcel, ParcelKind
from stateward_server.model.step import Ref

_KIND = {
    ParcelKind.EVENT: dead_letter_pb2.DEAD_LETTER_KIND_MESSAGE,
    ParcelKind.SPAWN: dead_letter_pb2.DEAD_LETTER_KIND_SPAWN,
    ParcelKind.DONE: dead_letter_pb2.DEAD_LETTER_KIND_COMPLETION,
    ParcelKind.FAILED: dead_letter_pb2.DEAD_LETTER_KIND_COMPLETION,
    ParcelKind.UNBORN: dead_letter_pb2.DEAD_LETTER_KIND_COMPLETION,
    ParcelKind.SERVICE: dead_letter_pb2.DEAD_LETTER_KIND_SERVICE,
    ParcelKind.LOST: dead_letter_pb2.DEAD_LETTER_KIND_SERVICE,
}


def timer(owner: InstanceKey, row: TimerRow) -> instance_pb2.Timer:
    return instance_pb2.Timer(
        name=timer_path(owner, row.id),
        due_time=timestamp(row.due_ms),
        event_json=row.event_json,
        target=_path(row.to) if row.to is not None else row.target or "",
    )


def letter(entry: DeadLetter) -> dead_letter_pb2.DeadLetter:
    what, owner = entry.what, entry.owner
    message = dead_letter_pb2.DeadLetter(
        name=letter_path(owner, entry.id),
        reason=entry.reason,
        message=entry.message,
        attempts=entry.attempts,
        create_time=timestamp(entry.time_ms),
    )
    if isinstance(what, Parcel):
        message.kind = _KIND[what.kind]
        message.target = _path(what.to)
        message.id = what.child
        message.payload_json = what.payload_json or ""
    else:
        message.kind = dead_letter_pb2.DEAD_LETTER_KIND_TIMER
        message.target = instance_path(owner.machine, owner.name)
        message.id = what.id
        message.payload_json = what.event_json
    return message


def _path(ref: Ref) -> str:
    # A machine's own words, which need not be valid names: shown as they are.
    return f"machines/{ref.machine}/instances/{ref.instance}"
