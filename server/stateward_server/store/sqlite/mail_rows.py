"""How parcels and dead letters lie in rows: columns, and the way there and back."""

from __future__ import annotations

from stateward_server.model.ledger import DeadLetter, Instance, InstanceKey, Owed, TimerRow
from stateward_server.model.outbox import Parcel, ParcelKind
from stateward_server.model.step import Ref
from stateward_server.store.sqlite.rows import Row

_KIND = {kind.value: kind for kind in ParcelKind}
_TIMER = "timer"


def parcel_row(sender: Instance, parcel: Parcel) -> Row:
    return (*_sender(sender.uid, sender.key), *_parcel(parcel))


def owed(row: Row) -> Owed:
    """Read a row of OWED_AFTER."""
    position, uid, org, machine, name, *rest = row
    kind, to_machine, to_name, to_uid, child, version, payload, attempt, not_before = rest
    to = Ref(to_machine, to_name)
    parcel = Parcel(_KIND[kind], to, to_uid, child, version, payload, attempt, not_before)
    return Owed(position, uid, InstanceKey(org, machine, name), parcel)


def word_row(letter: DeadLetter, word: Parcel) -> Row:
    """The row by which the sender of a letter is told of it."""
    return (*_sender(letter.uid, letter.owner), *_parcel(word))


def returned_row(letter: DeadLetter, parcel: Parcel) -> Row:
    """The row by which a letter's parcel is owed again, at its old place."""
    return (letter.position, *_sender(letter.uid, letter.owner), *_parcel(parcel))


def letter_row(letter: DeadLetter) -> Row:
    what = letter.what
    if isinstance(what, Parcel):
        middle: Row = (
            what.kind.value,
            what.child,
            None,
            None,
            what.to.machine,
            what.to.instance,
            what.to_uid,
        )
        middle = (*middle, what.version, what.payload_json)
    else:
        to = (None, None) if what.to is None else (what.to.machine, what.to.instance)
        middle = (_TIMER, what.id, what.due_ms, what.target, *to, None, None, what.event_json)
    end = (letter.reason, letter.message, letter.attempts, letter.time_ms)
    return (*_sender(letter.uid, letter.owner), letter.position, *middle, *end)


def letter(row: Row) -> DeadLetter:
    """Read a row of one of the LETTER queries."""
    (
        id_, uid, org, machine, name, position, kind, child, due_ms, target, to_machine, to_name, to_uid,
        version, payload, reason, message, attempts, time_ms,
    ) = row  # fmt: skip
    what: Parcel | TimerRow
    if kind == _TIMER:
        to = None if to_machine is None else Ref(to_machine, to_name)
        what = TimerRow(uid, child, due_ms, payload, target, to)
    else:
        what = Parcel(_KIND[kind], Ref(to_machine, to_name), to_uid, child, version, payload)
    owner = InstanceKey(org, machine, name)
    return DeadLetter(id_, uid, owner, what, position, reason, message, attempts, time_ms)


def _sender(uid: int, key: InstanceKey) -> Row:
    return (uid, key.org, key.machine, key.name)


def _parcel(parcel: Parcel) -> Row:
    to = parcel.to
    return (
        parcel.kind.value,
        to.machine,
        to.instance,
        parcel.to_uid,
        parcel.child,
        parcel.version,
        parcel.payload_json,
        parcel.attempt,
        parcel.not_before_ms,
    )
