"""The part of the store suite about the audit log."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stateward_server.model.audit import AuditEntry, AuditOutcome, AuditQuery
from stateward_server.model.names import OrgId
from stateward_server.ports.store import Store
from stateward_server.testing.store_samples import BORN, ORG, OTHER_ORG

ALL = AuditQuery(ORG)


class AuditSuite:
    """Who did what, and what became of it."""

    async def test_what_was_written_is_listed_newest_first(self, store: Store) -> None:
        written = [sample_entry(n) for n in range(1, 4)]
        await store.write_audit(written, [])
        assert await store.list_audit(ALL, None, 10) == written[::-1]

    async def test_entries_of_one_moment_are_in_the_order_of_their_ids(self, store: Store) -> None:
        written = [replace(sample_entry(n), time_ms=BORN) for n in (2, 3, 1)]
        await store.write_audit(written, [])
        assert await _ids(store, ALL) == [_id(3), _id(2), _id(1)]
        assert await store.list_audit(ALL, (BORN, _id(3)), 1) == [written[0]]

    async def test_a_list_goes_on_from_a_place(self, store: Store) -> None:
        await store.write_audit([sample_entry(n) for n in range(1, 6)], [])
        assert await _ids(store, ALL, limit=2) == [_id(5), _id(4)]
        assert await _ids(store, ALL, before=(BORN + 4, _id(4)), limit=2) == [_id(3), _id(2)]
        assert await _ids(store, ALL, before=(BORN + 1, _id(1))) == []

    async def test_each_condition_counts(self, store: Store) -> None:
        other = replace(sample_entry(2), subject="usr_2", method="OrgService.UpdateOrg")
        both = replace(other, id=_id(3), time_ms=BORN + 3, subject=sample_entry(1).subject)
        await store.write_audit([sample_entry(1), other, both], [])
        assert await _ids(store, replace(ALL, subject="usr_2")) == [_id(2)]
        assert await _ids(store, replace(ALL, method="OrgService.UpdateOrg")) == [_id(3), _id(2)]
        wanted = replace(ALL, method="OrgService.UpdateOrg", subject=both.subject)
        assert await _ids(store, wanted) == [_id(3)]
        assert await _ids(store, replace(ALL, from_ms=BORN + 2)) == [_id(3), _id(2)]
        assert await _ids(store, replace(ALL, until_ms=BORN + 2)) == [_id(1)]
        assert await _ids(store, replace(ALL, until_ms=BORN + 3), before=(BORN + 9, "")) == [_id(2), _id(1)]

    async def test_no_organisation_sees_what_another_did(self, store: Store) -> None:
        await store.write_audit([sample_entry(1), replace(sample_entry(2), org=OTHER_ORG)], [])
        assert await _ids(store, ALL) == [_id(1)]
        assert await _ids(store, AuditQuery(OTHER_ORG)) == [_id(2)]

    async def test_an_outcome_is_filled_in(self, store: Store) -> None:
        await store.write_audit([sample_entry(1, outcome=""), sample_entry(2, outcome="")], [])
        outcome = AuditOutcome(sample_entry(1, outcome=""), ORG, "keys/made", "KEY_NOT_FOUND")
        await store.write_audit([], [outcome])
        filled = replace(sample_entry(1), resource="keys/made", outcome="KEY_NOT_FOUND")
        assert await store.list_audit(ALL, None, 10) == [sample_entry(2, outcome=""), filled]

    async def test_an_entry_moves_to_the_organisation_it_turns_out_to_be_about(self, store: Store) -> None:
        lost = replace(sample_entry(1, outcome=""), org=OTHER_ORG)
        await store.write_audit([lost], [AuditOutcome(lost, ORG, "", "OK")])
        assert await store.list_audit(ALL, None, 10) == [replace(lost, org=ORG, resource="", outcome="OK")]
        assert await _ids(store, AuditQuery(OTHER_ORG)) == []

    async def test_the_outcome_of_an_entry_that_is_gone_is_dropped(self, store: Store) -> None:
        await store.write_audit([], [AuditOutcome(sample_entry(1), ORG, "", "OK")])
        assert await _ids(store, ALL) == []

    async def test_the_oldest_are_forgotten_first(self, store: Store) -> None:
        await store.write_audit([replace(sample_entry(n), org=_org(n)) for n in range(1, 6)], [])
        assert await store.prune_audit(BORN + 5, 3) == 3
        assert await _ids(store, ALL) == [_id(5)]
        assert await store.prune_audit(BORN + 5, 3) == 1
        assert await store.prune_audit(BORN + 5, 3) == 0
        assert await _ids(store, AuditQuery(OTHER_ORG)) == []
        assert await _ids(store, ALL) == [_id(5)]


def sample_entry(number: int, *, outcome: str = "OK") -> AuditEntry:
    """Return an entry, so many milliseconds after the samples were born."""
    who = ("sbk_1", "KeyService.DeleteKey", f"keys/{number}")
    return AuditEntry(
        _id(number), ORG, BORN + number, *who, number % 2 == 0, "ann", "tab-7", "10.0.0.7", outcome
    )


def _id(number: int) -> str:
    return f"aud_{number}"


def _org(number: int) -> OrgId:
    return ORG if number % 2 else OTHER_ORG


async def _ids(
    store: Store, query: AuditQuery, before: tuple[int, str] | None = None, limit: int = 10
) -> Sequence[str]:
    return [entry.id for entry in await store.list_audit(query, before, limit)]
