"""What is owed and what could not be delivered, in dictionaries.

The roles `Outbox` and `DeadLetters` of the memory store. Contracts are in `ports/store.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from stateward_server.model.ledger import DeadLetter, Extra, Instance, InstanceKey, Owed
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import InstanceName, MachineName, OrgId
from stateward_server.model.outbox import Parcel
from stateward_server.store.memory.tables import Tables


class MemoryMail:
    """The memory store's outbox, and the letters that came back."""

    def __init__(self, tables: Tables) -> None:
        self._mail = tables
        self._positions = count(1)
        self._letter_ids = count(1)

    async def owed_after(self, position: int, limit: int) -> Sequence[Owed]:
        later = sorted(at for at in self._mail.outbox if at > position)
        return [self._mail.outbox[at] for at in later[:limit]]

    async def acknowledge(self, positions: Sequence[int]) -> None:
        for position in positions:
            self._mail.outbox.pop(position, None)

    async def postpone(self, position: int, attempt: int, not_before_ms: int) -> None:
        row = self._mail.outbox.get(position)
        if row:
            parcel = replace(row.parcel, attempt=attempt, not_before_ms=not_before_ms)
            self._mail.outbox[position] = replace(row, parcel=parcel)

    async def bury(self, letter: DeadLetter, word: Parcel | None = None) -> None:
        if letter.position in self._mail.outbox:
            del self._mail.outbox[letter.position]
            self._write_letter(letter)
            if word is not None:
                at = next(self._positions)
                self._mail.outbox[at] = Owed(at, letter.uid, letter.owner, word)

    async def list_letters(
        self, org: OrgId, machine: MachineName, name: InstanceName | None, after: int, limit: int
    ) -> Sequence[DeadLetter]:
        def wanted(letter: DeadLetter) -> bool:
            owner = letter.owner
            return (owner.org, owner.machine) == (org, machine) and name in (None, owner.name)

        return [item for item in self._mail.letters.values() if item.id > after and wanted(item)][:limit]

    async def get_letter(self, owner: InstanceKey, letter: int) -> DeadLetter | None:
        found = self._mail.letters.get(letter)
        return found if found and found.owner == owner else None

    async def put_back(self, letter: DeadLetter, request: RequestRecord | None) -> bool:
        if not isinstance(letter.what, Parcel):
            raise TypeError("timers are put back by a commit of their instance")
        if self._mail.letters.pop(letter.id, None) is None:
            return False
        at = next(self._positions) if letter.position is None else letter.position
        parcel = replace(letter.what, attempt=0, not_before_ms=0)
        self._mail.outbox.setdefault(at, Owed(at, letter.uid, letter.owner, parcel))
        self._mail.record(request)
        return True

    async def discard_letter(self, letter: int, request: RequestRecord | None) -> bool:
        if self._mail.letters.pop(letter, None) is None:
            return False
        self._mail.record(request)
        return True

    def _write_extra(self, instance: Instance, extra: Extra) -> None:
        for parcel in extra.outbox:
            at = next(self._positions)
            self._mail.outbox[at] = Owed(at, instance.uid, instance.key, parcel)
        for letter in extra.letters:
            self._write_letter(letter)
        for letter_id in extra.letters_gone:
            self._mail.letters.pop(letter_id, None)
        self._mail.record(extra.request)

    def _write_letter(self, letter: DeadLetter) -> None:
        numbered = replace(letter, id=next(self._letter_ids))
        if isinstance(numbered.what, Parcel):
            # What is kept of a parcel is what it was, not how often it was tried.
            numbered = replace(numbered, what=replace(numbered.what, attempt=0, not_before_ms=0))
        self._mail.letters[numbered.id] = numbered
