"""How the ledger's model lies in rows: columns, and the way there and back.

Called by the ledger, the batch and the timers of this package. JSON that the host wrote passes as text,
unparsed. Does no I/O except `MultiRow`, which is the one way rows of the hot path get written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson

from stateward_server.model.index import NO_ENTRIES, IndexEntries
from stateward_server.model.ledger import (
    Cause,
    Commit,
    Instance,
    InstanceKey,
    Parent,
    RequestTag,
    TimerRow,
    Transition,
)
from stateward_server.model.names import InstanceUid
from stateward_server.model.step import Ref, Status, View
from stateward_server.ports.store import Loaded, LoggedChange

Row = tuple[Any, ...]

_STATUS = {status.value: status for status in Status}
_CAUSE = {cause.value: cause for cause in Cause}


class MultiRow:
    """A statement about many rows at once, prepared for as many as there are.

    One statement per row would do the same work, but the interpreter's lock is given up around each, and
    beside a busy event loop every taking back costs up to a switch interval: 64 rows took 25 times as long.
    """

    def __init__(self, head: str, row: str, joint: str = ", ") -> None:
        """`row` is repeated after `head` for each row, with `joint` between."""
        self._head = head
        self._row = row
        self._joint = joint
        self._texts: dict[int, str] = {}

    def statements(self, rows: Sequence[Row]) -> int:
        """Return how many statements it takes to write `rows`."""
        return sum(1 for _ in _parts(rows))

    def write(self, db: sqlite3.Connection, rows: Sequence[Row]) -> int:
        """Write `rows` and return the rowid of the last one, where the statement inserts."""
        last = 0
        for part in _parts(rows):
            values = [value for row in part for value in row]
            last = db.execute(self._text(len(part)), values).lastrowid or 0
        return last

    def _text(self, count: int) -> str:
        text = self._texts.get(count)
        if text is None:
            text = self._texts[count] = f"{self._head} {self._joint.join([self._row] * count)}"
        return text


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    # Up to 16 rows, or 32, 48 … 128: few statements to keep prepared, and few steps for any number of rows.
    start = 0
    while start < len(rows):
        left = len(rows) - start
        count = left if left <= 16 else min(left, 128) // 16 * 16
        yield rows[start : start + count]
        start += count


def instance_row(instance: Instance) -> Row:
    key, parent = instance.key, instance.parent
    head = (instance.uid, key.org, key.machine, key.name, instance.created_at, instance.paused)
    if parent is None:
        return (*head, None, None, None, None)
    return (*head, parent.uid, parent.machine, parent.name, parent.child)


def key_values(instance: Instance) -> Row:
    key = instance.key
    return (key.org, key.machine, key.name)


def transition_rows(commit: Commit) -> Iterator[Row]:
    uid = commit.instance.uid
    for item in commit.transitions:
        view, request = item.view, item.request
        yield (
            uid,
            item.revision,
            item.epoch,
            item.time_ms,
            item.cause.value,
            item.version,
            view.status.value,
            view.settled,
            view.value_json,
            _array_text(view.states),
            _array_text(view.tags),
            view.public_json,
            item.event_json,
            request.id if request else None,
            request.digest if request else None,
            _entries_text(item.indexes) if item.indexes else None,
            item.snapshot_json,
        )


def transition(row: Row) -> Transition:
    """Read a row of TRANSITION_COLUMNS."""
    (
        revision, epoch, time_ms, cause, version, status, settled, value, states, tags, public, event,
        request_id, digest, indexes, snapshot,
    ) = row  # fmt: skip
    view = View(value, _array(states), _array(tags), public, _STATUS[status], bool(settled))
    request = None if request_id is None else RequestTag(request_id, digest)
    return Transition(
        revision, epoch, time_ms, _CAUSE[cause], event, snapshot, view, version, request, entries(indexes)
    )


def loaded(row: Row) -> Loaded:
    """Read a row of one of the LOAD queries: an instance's columns, then those of its last transition."""
    uid, org, machine, name, created_at, paused, parent_uid, parent_machine, parent_name, child, *rest = row
    last = transition(tuple(rest))
    parent = None if parent_uid is None else Parent(parent_uid, parent_machine, parent_name, child)
    key = InstanceKey(org, machine, name)
    return Loaded(Instance(uid, key, last.version, created_at, parent, bool(paused)), last)


def logged(row: Row) -> LoggedChange:
    """Read a row of CHANGES_AFTER: a position, then what the LOAD queries return."""
    found = loaded(row[1:])
    return LoggedChange(row[0], found.instance, found.last)


def timer_values(timer: TimerRow) -> Row:
    to = timer.to
    machine, instance = (None, None) if to is None else (to.machine, to.instance)
    return (timer.uid, timer.id, timer.due_ms, timer.target, timer.event_json, machine, instance)


def timer(row: Row) -> TimerRow:
    """Read a row of TIMER_COLUMNS."""
    uid, id_, due_ms, target, event, machine, instance = row
    to = None if machine is None else Ref(machine, instance)
    return TimerRow(InstanceUid(uid), id_, due_ms, event, target, to)


def entries(text: str | None) -> IndexEntries:
    """Read a transition's column `indexes`."""
    return NO_ENTRIES if text is None else frozenset(map(tuple, orjson.loads(text)))


def _entries_text(items: IndexEntries) -> str:
    return orjson.dumps(sorted(items)).decode()


# A machine has few distinct sets of states and tags, and they come by again and again. Large ones are not
# kept: a machine could make up new ones for ever.
_KEPT = 2_000


def _array_text(items: tuple[str, ...]) -> str:
    small = sum(map(len, items)) + len(items) <= _KEPT
    return _small_array_text(items) if small else orjson.dumps(items).decode()


@lru_cache(maxsize=4096)
def _small_array_text(items: tuple[str, ...]) -> str:
    return orjson.dumps(items).decode()


def _array(text: str) -> tuple[str, ...]:
    return _small_array(text) if len(text) <= _KEPT else tuple(orjson.loads(text))


@lru_cache(maxsize=4096)
def _small_array(text: str) -> tuple[str, ...]:
    return tuple(orjson.loads(text))
