"""Writes a batch of commits, on the writer's thread: the hot path of the whole server.

Most batches hold nothing but commits that fit, so a batch is first written on the assumption that all do: few
statements, and the constraints of the schema as judges. If one objects, everything is rolled back and the
batch is written again commit by commit, each checked before it is written. So a commit that does not fit
costs its batch some time and nothing else. Called by the ledger only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from stateward_server.model.index import NO_ENTRIES, IndexEntries
from stateward_server.model.ledger import Commit, CommitResult, Committed, Conflict, Repeated, Transition
from stateward_server.model.names import InstanceUid
from stateward_server.store.sqlite import mail_rows, queries, rows
from stateward_server.store.sqlite.requests import request_row
from stateward_server.store.sqlite.writer import transaction

_INSTANCES = rows.MultiRow(queries.INSERT_INSTANCES, queries.INSTANCE)
_TRANSITIONS = rows.MultiRow(queries.INSERT_TRANSITIONS, queries.TRANSITION)
_TIMERS_GONE = rows.MultiRow(queries.DELETE_TIMERS, queries.THIS_TIMER, " OR ")
_TIMERS = rows.MultiRow(queries.SET_TIMERS, queries.TIMER)
_SETTLED = rows.MultiRow(queries.DELETE_UNSETTLED, queries.THIS_UID, " OR ")
_UNSETTLED = rows.MultiRow(queries.INSERT_UNSETTLED, queries.UID)
_ENTRIES_GONE = rows.MultiRow(queries.DELETE_ENTRIES, queries.THIS_ENTRY, " OR ")
_ENTRIES = rows.MultiRow(queries.INSERT_ENTRIES, queries.ENTRY)
_PARCELS = rows.MultiRow(queries.INSERT_PARCELS, queries.PARCEL)
_LETTERS = rows.MultiRow(queries.INSERT_LETTERS, queries.LETTER)
_LETTERS_GONE = rows.MultiRow(queries.DELETE_LETTERS, queries.THIS_LETTER, " OR ")
_REQUESTS = rows.MultiRow(queries.PUT_REQUESTS, queries.REQUEST)


class _Head(NamedTuple):
    """What a commit builds on."""

    revision: int
    settled: bool
    indexes: IndexEntries


_UNBORN = _Head(0, settled=True, indexes=NO_ENTRIES)
_Based: TypeAlias = tuple[Commit, _Head]
_Tables: TypeAlias = Sequence[tuple[rows.MultiRow, list[rows.Row]]]


class BatchWriter:
    """Applies batches. Lives on the writer's thread; one per store.

    Remembers the heads of the instances written lately, which saves a query for each. That memory holds what
    is committed and nothing else: this store alone writes, and after a failure what it may touch is
    forgotten.
    """

    def __init__(self, heads_kept: int = 65536) -> None:
        self._heads: dict[InstanceUid, _Head] = {}
        self._heads_kept = heads_kept

    def apply(self, db: sqlite3.Connection, commits: Sequence[Commit]) -> list[CommitResult]:
        """Write what fits of `commits` in one transaction; see `Ledger.apply`."""
        try:
            based = [(commit, self._head(db, commit)) for commit in commits]
            results = self._write_all(db, based) or self._write_each(db, based)
        except BaseException:
            for commit in commits:
                self.forget(commit.instance.uid)
            raise
        for (commit, head), result in zip(based, results, strict=True):
            if isinstance(result, Committed):
                self._remember(commit.instance.uid, _next_head(commit, head))
        return results

    def forget(self, uid: InstanceUid) -> None:
        """Drop what is remembered of an instance."""
        self._heads.pop(uid, None)

    def _head(self, db: sqlite3.Connection, commit: Commit) -> _Head:
        if commit.base_revision == 0:
            return _UNBORN
        head = self._heads.get(commit.instance.uid)
        if head is None:
            row = db.execute(queries.HEAD, (commit.instance.uid,)).fetchone()
            head = _Head(row[0], bool(row[1]), rows.entries(row[2])) if row else _UNBORN
        return head

    def _remember(self, uid: InstanceUid, head: _Head) -> None:
        self._heads.pop(uid, None)  # so that the first entry is the one unused for longest
        self._heads[uid] = head
        if len(self._heads) > self._heads_kept:
            del self._heads[next(iter(self._heads))]

    def _write_all(self, db: sqlite3.Connection, based: Sequence[_Based]) -> list[CommitResult] | None:
        """Write the whole batch; return None, having written nothing, if any commit of it does not fit."""
        if any(commit.base_revision != head.revision for commit, head in based):
            return None
        try:
            tables = _tables(based)
            if sum(table.statements(lines) for table, lines in tables) == 1:
                last = _write(db, tables)  # one statement is a transaction of its own
            else:
                with transaction(db):
                    last = _write(db, tables)
        except sqlite3.IntegrityError:
            if db.in_transaction:  # it was a foreign key, judged at the COMMIT
                db.rollback()
            return None
        results: list[CommitResult] = []
        for commit, _ in reversed(based):
            results.append(Committed(last if commit.transitions else 0))
            last -= len(commit.transitions)  # nobody else writes, so the positions of a batch are consecutive
        results.reverse()
        return results

    def _write_each(self, db: sqlite3.Connection, based: Sequence[_Based]) -> list[CommitResult]:
        results: list[CommitResult] = []
        with transaction(db):
            for commit, head in based:
                refused = _refusal(db, commit, head)
                results.append(refused or Committed(_write(db, _tables([(commit, head)]))))
        return results


def _tables(based: Sequence[_Based]) -> _Tables:
    """Return the rows to write and to delete by table, in the order of work; transitions are last."""
    commits = [commit for commit, _ in based]
    moves = [
        (commit, before.indexes, commit.transitions[-1].indexes)
        for commit, before in based
        if commit.transitions and commit.transitions[-1].indexes != before.indexes
    ]
    flips = [
        (commit.instance.uid, after.settled)
        for commit, before in based
        if (after := _next_head(commit, before)).settled is not before.settled
    ]
    return (
        *_extra_tables(commits),
        (_INSTANCES, [rows.instance_row(commit.instance) for commit in commits if commit.base_revision == 0]),
        (_TIMERS_GONE, [(commit.instance.uid, id_) for commit in commits for id_ in commit.timers_gone]),
        (_TIMERS, [rows.timer_values(timer) for commit in commits for timer in commit.timers_set]),
        (_SETTLED, [(uid,) for uid, settled in flips if settled]),
        (_UNSETTLED, [(uid,) for uid, settled in flips if not settled]),
        *(_entry_tables(moves) if moves else ()),
        (_TRANSITIONS, [row for commit in commits for row in rows.transition_rows(commit)]),
    )


def _entry_tables(moves: Sequence[tuple[Commit, IndexEntries, IndexEntries]]) -> _Tables:
    """Return what changes in indexes: values that instances have left behind, and those they have come to."""
    gone = [(commit.instance.uid, *entry) for commit, before, after in moves for entry in before - after]
    new = [
        (commit.instance.uid, *entry, *rows.key_values(commit.instance))
        for commit, before, after in moves
        for entry in after - before
    ]
    return (_ENTRIES_GONE, gone), (_ENTRIES, new)


def _extra_tables(commits: Sequence[Commit]) -> _Tables:
    """Return what few commits have besides; most batches have none."""
    extras = [(commit.instance, commit.extra) for commit in commits if commit.extra is not None]
    if not extras:
        return ()
    return (
        (_PARCELS, [mail_rows.parcel_row(head, parcel) for head, extra in extras for parcel in extra.outbox]),
        (_LETTERS, [mail_rows.letter_row(letter) for _, extra in extras for letter in extra.letters]),
        (_LETTERS_GONE, [(letter,) for _, extra in extras for letter in extra.letters_gone]),
        (_REQUESTS, [request_row(extra.request) for _, extra in extras if extra.request]),
    )


def _write(db: sqlite3.Connection, tables: _Tables) -> int:
    """Write all rows and return the position of the last transition (0 if there is none)."""
    last = 0
    for table, lines in tables:
        last = table.write(db, lines)
    return last


def _next_head(commit: Commit, head: _Head) -> _Head:
    if not commit.transitions:
        return head
    last = commit.transitions[-1]
    return _Head(last.revision, last.view.settled, last.indexes)


def _refusal(db: sqlite3.Connection, commit: Commit, head: _Head) -> CommitResult | None:
    """Return why the commit must not be written, or None."""
    if commit.base_revision == 0:
        return _creation_refusal(db, commit)
    for transition in commit.transitions:
        if transition.request is not None:
            stored = _stored_request(db, commit.instance.uid, transition.request.id)
            if stored is not None:
                return Repeated(stored)
    return None if head.revision == commit.base_revision else Conflict()


def _creation_refusal(db: sqlite3.Connection, commit: Commit) -> CommitResult | None:
    key, request = commit.instance.key, commit.transitions[0].request
    taken = db.execute(queries.UID_OF, (key.org, key.machine, key.name)).fetchone()
    if taken is not None:
        stored = None if request is None else _stored_request(db, taken[0], request.id)
        return Conflict() if stored is None or stored.revision != 1 else Repeated(stored)
    machine = db.execute(queries.HAS_MACHINE, (key.org, key.machine)).fetchone()
    used = db.execute(queries.HAS_UID, (commit.instance.uid,)).fetchone()
    return Conflict() if machine is None or used is not None else None


def _stored_request(db: sqlite3.Connection, uid: InstanceUid, request_id: str) -> Transition | None:
    row = db.execute(queries.FIND_REQUEST, (uid, request_id)).fetchone()
    return rows.transition(row) if row else None
