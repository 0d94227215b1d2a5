"""Instances, their history, their indexes and their timers, in dictionaries.

The roles `Ledger`, `Indexes` and `Timers` of the memory store. Checks everything before it changes anything.
Contracts are in `ports/store.py`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from stateward_server.model.index import IndexQuery
from stateward_server.model.ledger import (
    Commit,
    CommitResult,
    Committed,
    Conflict,
    InstanceKey,
    Parent,
    Repeated,
    TimerRow,
    Transition,
)
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import InstanceUid, MachineName, OrgId
from stateward_server.ports.store import ChangePage, Found, Loaded, LoggedChange, Pruned
from stateward_server.store.memory.mail import MemoryMail
from stateward_server.store.memory.tables import Record, Tables
from stateward_server.store.shape import check_batch


class MemoryLedger(MemoryMail):
    """The ledger's half of the memory store."""

    def __init__(self, tables: Tables) -> None:
        MemoryMail.__init__(self, tables)
        self._tables = tables
        self._records = tables.records
        self._uids = count(1)
        self._log: list[LoggedChange] = []
        self._position = 0
        self._pruned = 0
        self._epochs: dict[int, int] = {}

    async def apply(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        check_batch(commits)
        return [self._refusal(commit) or self._write(commit) for commit in commits]

    async def load(self, key: InstanceKey) -> Loaded | None:
        record = self._by_key(key)
        return record.loaded() if record else None

    async def load_uid(self, uid: InstanceUid) -> Loaded | None:
        record = self._records.get(uid)
        return record.loaded() if record else None

    async def find_request(self, uid: InstanceUid, request_id: str) -> Transition | None:
        record = self._records.get(uid)
        return record.request(request_id) if record else None

    async def allocate_uid(self) -> InstanceUid:
        return InstanceUid(next(self._uids))

    async def history(self, uid: InstanceUid, after: int, limit: int) -> Sequence[Transition]:
        record = self._records.get(uid)
        return [item for item in record.history if item.revision > after][:limit] if record else []

    async def oldest_revision(self, uid: InstanceUid) -> int:
        record = self._records.get(uid)
        return record.history[0].revision if record else 0

    async def list_instances(
        self, org: OrgId, machine: MachineName, after: int, limit: int
    ) -> Sequence[Loaded]:
        uids = sorted(uid for uid in self._tables.instances_of(org, machine) if uid > after)
        return [self._records[uid].loaded() for uid in uids[:limit]]

    async def query_index(
        self, org: OrgId, machine: MachineName, query: IndexQuery, after: tuple[str, str] | None, limit: int
    ) -> Sequence[Found]:
        records = [self._records[uid] for uid in self._tables.instances_of(org, machine)]
        found = [
            Found(value, record.loaded())
            for record in records
            for index, value in record.history[-1].indexes
            if index == query.index and query.wants(value)
        ]
        found.sort(key=_place_in_index, reverse=query.descending)
        if after is not None:
            beyond = operator.lt if query.descending else operator.gt
            found = [each for each in found if beyond(_place_in_index(each), after)]
        return found[:limit]

    async def unsettled(self, after: InstanceUid, limit: int) -> Sequence[InstanceUid]:
        open_ = (uid for uid, record in self._records.items() if not record.history[-1].view.settled)
        return sorted(uid for uid in open_ if uid > after)[:limit]

    async def delete_instance(self, uid: InstanceUid, request: RequestRecord | None) -> int:
        record = self._records.pop(uid, None)
        if record:
            self._position += 1
            self._log = [
                change for change in self._log if change.instance.uid != uid or not change.transition
            ]
            self._log.append(LoggedChange(self._position, record.loaded().instance, None))
        for letter in list(self._tables.letters.values()):
            if letter.uid == uid:
                del self._tables.letters[letter.id]
        self._tables.record(request)
        return self._position if record else 0

    async def set_paused(self, uid: InstanceUid, request: RequestRecord | None, *, paused: bool) -> None:
        if record := self._records.get(uid):
            record.instance = replace(record.instance, paused=paused)
        self._tables.record(request)

    async def set_parent(self, uid: InstanceUid, parent: Parent) -> None:
        if record := self._records.get(uid):
            record.instance = replace(record.instance, parent=parent)

    async def position(self) -> int:
        return self._position

    async def epoch_at(self, position: int) -> int:
        written = [at for at in self._epochs if at <= position]
        return self._epochs[max(written)] if written else 0

    async def pruned(self) -> int:
        return self._pruned

    async def changes_after(self, org: OrgId, machine: MachineName, position: int, limit: int) -> ChangePage:
        ours = [item for item in self._log if _of(item.instance.key, org, machine)]
        after = [item for item in ours if item.transition and item.position > position][:limit]
        end = after[-1].position if len(after) == limit else self._position
        changes = [item for item in ours if position < item.position <= end]
        return ChangePage(changes, end, complete=end == self._position)

    async def prune(self, after: int, before_ms: int, limit: int) -> Pruned:
        page = [item for item in self._log if item.transition and item.position > after][:limit]
        old = [item for item in page if item.transition and item.transition.time_ms < before_ms]
        if not old:
            return Pruned(page[-1].position if page else after, 0, exhausted=True)
        gone = [item for item in old if self._forget_first(item)]
        for item in gone:
            self._pruned = item.position
        self._log = [
            item
            for item in self._log
            if item not in gone and (item.transition or item.position > self._pruned)
        ]
        return Pruned(old[-1].position, len(gone), exhausted=len(page) < limit)

    def _forget_first(self, item: LoggedChange) -> bool:
        """Take a transition off the beginning of its instance's history, unless it is not there, or alone."""
        history = self._records[item.instance.uid].history
        if len(history) < 2 or history[0] is not item.transition:
            return False
        del history[0]
        return True

    async def due_after(self, after: tuple[int, InstanceUid, str], limit: int) -> Sequence[TimerRow]:
        timers = [timer for record in self._records.values() for timer in record.timers.values()]
        return sorted((timer for timer in timers if _place(timer) > after), key=_place)[:limit]

    async def timers_of(self, uid: InstanceUid) -> Sequence[TimerRow]:
        record = self._records.get(uid)
        return sorted(record.timers.values(), key=lambda timer: timer.id) if record else []

    def _by_key(self, key: InstanceKey) -> Record | None:
        return next((record for record in self._records.values() if record.instance.key == key), None)

    def _refusal(self, commit: Commit) -> CommitResult | None:
        if commit.base_revision == 0:
            return self._creation_refusal(commit)
        record = self._records.get(commit.instance.uid)
        if record is None:
            return Conflict()
        for item in commit.transitions:
            stored = record.request(item.request.id) if item.request else None
            if stored:
                return Repeated(stored)
        return None if record.history[-1].revision == commit.base_revision else Conflict()

    def _creation_refusal(self, commit: Commit) -> CommitResult | None:
        instance, request = commit.instance, commit.transitions[0].request
        taken = self._by_key(instance.key)
        if taken:
            stored = taken.history[0]
            return (
                Repeated(stored)
                if request and stored.request and stored.request.id == request.id
                else Conflict()
            )
        machine = (instance.key.org, instance.key.machine)
        return Conflict() if instance.uid in self._records or machine not in self._tables.machines else None

    def _write(self, commit: Commit) -> Committed:
        uid = commit.instance.uid
        record = self._records.setdefault(uid, Record(commit.instance))
        record.history.extend(commit.transitions)
        for id_ in commit.timers_gone:
            record.timers.pop(id_, None)
        for timer in commit.timers_set:
            record.timers[timer.id] = timer
        if commit.extra is not None:
            self._write_extra(commit.instance, commit.extra)
        for transition in commit.transitions:
            self._position += 1
            self._log.append(LoggedChange(self._position, commit.instance, transition))
            self._epochs[self._position] = transition.epoch
        return Committed(self._position if commit.transitions else 0)


def _place_in_index(found: Found) -> tuple[str, str]:
    return (found.value, found.loaded.instance.key.name)


def _place(timer: TimerRow) -> tuple[int, InstanceUid, str]:
    return (timer.due_ms, timer.uid, timer.id)


def _of(key: InstanceKey, org: OrgId, machine: MachineName) -> bool:
    return (key.org, key.machine) == (org, machine)
