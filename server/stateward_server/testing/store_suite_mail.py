"""The part of the store suite about what instances owe each other, dead letters, pauses and parents."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

from dataclasses import replace

import pytest

from stateward_server.model.ledger import Committed, Conflict, DeadLetter, Extra, Owed, Parent, TimerRow
from stateward_server.model.names import InstanceName, InstanceUid, MachineName
from stateward_server.model.outbox import Parcel, ParcelKind
from stateward_server.model.step import Ref
from stateward_server.ports.store import Store
from stateward_server.testing.store_samples import (
    BORN,
    MACHINE,
    ORG,
    OTHER_ORG,
    UID,
    apply_one,
    sample_commit,
    sample_instance,
    sample_request,
    sample_timer,
    with_machine,
)

WHOLE = Parcel(
    ParcelKind.SPAWN, Ref("shipments", "s-1"), InstanceUid(9), "ship", "ver_x", '{"a":"ä"}', 2, BORN + 9
)
BARE = Parcel(ParcelKind.EVENT, Ref("others", "o"), payload_json='{"type":"GO"}')
TIMER = TimerRow(UID, "late", BORN + 7, '{"type":"late"}', "child", Ref("others", "o"))


def sample_letter(
    uid: int = 1, what: Parcel | TimerRow | None = None, position: int | None = None
) -> DeadLetter:
    """Return a dead letter as the engine hands it in, by default a timer's."""
    what = what or replace(TIMER, uid=InstanceUid(uid))
    owner = sample_instance(uid).key
    return DeadLetter(0, InstanceUid(uid), owner, what, position, "MACHINE_THREW", "it threw", 5, BORN + 8)


class OutboxSuite:
    """Parcels."""

    async def test_parcels_come_with_their_commit_and_in_its_order(self, store: Store) -> None:
        await with_machine(store)
        first = replace(sample_commit(1), extra=Extra(outbox=(WHOLE, BARE)))
        second = replace(sample_commit(2), extra=Extra(outbox=(BARE,)))
        assert list(await store.apply([first, sample_commit(3, steps=2), second])) == [
            Committed(1),
            Committed(3),
            Committed(4),
        ]
        rows = await store.owed_after(0, 10)
        assert [row.parcel for row in rows] == [WHOLE, BARE, BARE]
        assert rows[0] == Owed(rows[0].position, UID, sample_instance().key, WHOLE)
        assert [row.sender.name for row in rows] == ["order-1", "order-1", "order-2"]
        assert list(await store.owed_after(0, 1)) == [rows[0]]
        assert list(await store.owed_after(rows[0].position, 1)) == [rows[1]]

    async def test_a_commit_that_does_not_fit_owes_nothing(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit())
        stale = replace(sample_commit(base=3), extra=Extra((BARE,), (sample_letter(),), (), sample_request()))
        assert await apply_one(store, stale) == Conflict()
        assert list(await store.owed_after(0, 10)) == []
        assert list(await store.list_letters(ORG, MACHINE, None, 0, 10)) == []
        assert await store.get_request(ORG, sample_request().id) is None

    async def test_a_commit_without_transitions_can_owe(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(timers=[TIMER]))
        request = sample_request()
        forward = replace(
            sample_commit(base=1, steps=0, gone=["late"]), extra=Extra(outbox=(BARE,), request=request)
        )
        results = await store.apply([forward, sample_commit(2)])
        assert list(results) == [Committed(0), Committed(2)]
        assert [row.parcel for row in await store.owed_after(0, 10)] == [BARE]
        assert list(await store.timers_of(UID)) == []
        assert await store.get_request(ORG, request.id) == request
        assert await apply_one(store, sample_commit(base=1)) == Committed(3)

    async def test_acknowledged_parcels_are_gone_and_positions_never_return(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, replace(sample_commit(), extra=Extra((WHOLE, BARE))))
        positions = [row.position for row in await store.owed_after(0, 10)]
        await store.acknowledge([*positions, 77])
        assert list(await store.owed_after(0, 10)) == []
        await apply_one(store, replace(sample_commit(base=1), extra=Extra((BARE,))))
        (fresh,) = await store.owed_after(0, 10)
        assert fresh.position > max(positions)

    async def test_postponed_parcel_knows_its_attempts(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, replace(sample_commit(), extra=Extra((BARE,))))
        (row,) = await store.owed_after(0, 10)
        await store.postpone(row.position, 3, BORN + 99)
        (later,) = await store.owed_after(0, 10)
        assert later == replace(row, parcel=replace(BARE, attempt=3, not_before_ms=BORN + 99))

    async def test_deletion_of_the_sender_keeps_what_it_has_sent(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, replace(sample_commit(), extra=Extra((BARE,))))
        await store.delete_instance(UID, None)
        assert [row.sender.name for row in await store.owed_after(0, 10)] == ["order-1"]

    async def test_a_timer_for_another_instance_keeps_its_address(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(timers=[TIMER, sample_timer(id_="own")]))
        assert list(await store.timers_of(UID)) == [TIMER, sample_timer(id_="own")]
        assert list(await store.due_after((0, InstanceUid(0), ""), 1)) == [TIMER]


class LetterSuite:
    """Dead letters."""

    async def test_buried_parcel_becomes_a_letter_once(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, replace(sample_commit(), extra=Extra((replace(WHOLE, attempt=4),))))
        (row,) = await store.owed_after(0, 10)
        letter = sample_letter(1, replace(WHOLE, attempt=0, not_before_ms=0), row.position)
        await store.bury(replace(letter, what=row.parcel))
        await store.bury(letter)
        assert list(await store.owed_after(0, 10)) == []
        (kept,) = await store.list_letters(ORG, MACHINE, None, 0, 10)
        assert kept.id > 0
        assert kept == replace(letter, id=kept.id)
        assert await store.get_letter(kept.owner, kept.id) == kept

    async def test_burying_can_leave_a_word_to_the_sender(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, replace(sample_commit(), extra=Extra((WHOLE, BARE))))
        first, second = await store.owed_after(0, 10)
        letter = sample_letter(1, first.parcel, first.position)
        word = Parcel(ParcelKind.UNBORN, Ref("orders", "o"), UID, "ship", payload_json='{"error":1}')
        await store.bury(letter, word)
        await store.bury(letter, word)
        left, told = await store.owed_after(0, 10)
        assert left == second
        assert told == Owed(told.position, UID, first.sender, word)
        assert told.position > second.position

    async def test_put_back_parcel_takes_its_old_place(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, replace(sample_commit(), extra=Extra((replace(WHOLE, attempt=4), BARE))))
        first, second = await store.owed_after(0, 10)
        await store.bury(sample_letter(1, first.parcel, first.position))
        (letter,) = await store.list_letters(ORG, MACHINE, None, 0, 10)
        request = sample_request()
        assert await store.put_back(letter, request)
        assert not await store.put_back(letter, None)
        back = replace(first, parcel=replace(WHOLE, attempt=0, not_before_ms=0))
        assert list(await store.owed_after(0, 10)) == [back, second]
        assert await store.get_request(ORG, request.id) == request
        assert list(await store.list_letters(ORG, MACHINE, None, 0, 10)) == []

    async def test_letter_without_a_place_gets_a_new_one(self, store: Store) -> None:
        await with_machine(store)
        plain = replace(WHOLE, attempt=0, not_before_ms=0)
        letters = Extra(outbox=(BARE,), letters=(sample_letter(1, plain),))
        await apply_one(store, replace(sample_commit(), extra=letters))
        (letter,) = await store.list_letters(ORG, MACHINE, None, 0, 10)
        assert await store.put_back(letter, None)
        rows = await store.owed_after(0, 10)
        assert [row.parcel for row in rows] == [BARE, plain]

    async def test_timer_and_letter_change_places_in_one_commit(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit(timers=[TIMER]))
        buried = replace(
            sample_commit(base=1, steps=0, gone=["late"]), extra=Extra(letters=(sample_letter(),))
        )
        assert await apply_one(store, buried) == Committed(0)
        assert list(await store.timers_of(UID)) == []
        (letter,) = await store.list_letters(ORG, MACHINE, None, 0, 10)
        assert letter.what == TIMER
        back = replace(
            sample_commit(base=1, steps=0, timers=[TIMER]), extra=Extra(letters_gone=(letter.id, 55))
        )
        assert await apply_one(store, back) == Committed(0)
        assert list(await store.timers_of(UID)) == [TIMER]
        assert list(await store.list_letters(ORG, MACHINE, None, 0, 10)) == []
        with pytest.raises(TypeError):
            await store.put_back(letter, None)

    async def test_letters_are_listed_by_machine_and_by_instance(self, store: Store) -> None:
        await with_machine(store)
        for uid in (1, 2, 1):
            base = 0 if await store.load_uid(InstanceUid(uid)) is None else 1
            await apply_one(
                store, replace(sample_commit(uid, base), extra=Extra(letters=(sample_letter(uid),)))
            )
        letters = await store.list_letters(ORG, MACHINE, None, 0, 10)
        assert [letter.owner.name for letter in letters] == ["order-1", "order-2", "order-1"]
        assert list(await store.list_letters(ORG, MACHINE, None, letters[0].id, 1)) == [letters[1]]
        name = InstanceName("order-1")
        assert list(await store.list_letters(ORG, MACHINE, name, 0, 10)) == [letters[0], letters[2]]
        assert list(await store.list_letters(OTHER_ORG, MACHINE, None, 0, 10)) == []
        assert await store.get_letter(sample_instance(2).key, letters[0].id) is None

    async def test_discarded_letter_is_gone_and_on_record(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, replace(sample_commit(), extra=Extra(letters=(sample_letter(),))))
        (letter,) = await store.list_letters(ORG, MACHINE, None, 0, 10)
        request = sample_request()
        assert await store.discard_letter(letter.id, request)
        assert not await store.discard_letter(letter.id, replace(request, id="other"))
        assert await store.get_request(ORG, request.id) == request
        assert await store.get_request(ORG, "other") is None

    async def test_deletion_takes_the_letters_with_it(self, store: Store) -> None:
        await with_machine(store)
        await store.apply(
            [replace(sample_commit(uid), extra=Extra(letters=(sample_letter(uid),))) for uid in (1, 2)]
        )
        await store.delete_instance(UID, None)
        assert [row.uid for row in await store.list_letters(ORG, MACHINE, None, 0, 10)] == [2]

    async def test_deletion_of_a_machine_takes_what_its_instances_left(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, replace(sample_commit(), extra=Extra((BARE,))))
        await store.delete_instance(UID, None)
        (row,) = await store.owed_after(0, 10)
        await store.bury(sample_letter(1, BARE, row.position))
        assert len(await store.list_letters(ORG, MACHINE, None, 0, 10)) == 1
        assert await store.delete_machine(ORG, MACHINE, None)
        assert list(await store.list_letters(ORG, MACHINE, None, 0, 10)) == []


class HeadSuite:
    """What an instance is besides its state."""

    async def test_pause_is_kept_with_the_request_that_asked_for_it(self, store: Store) -> None:
        await with_machine(store)
        await apply_one(store, sample_commit())
        request = sample_request()
        await store.set_paused(UID, request, paused=True)
        await apply_one(store, sample_commit(base=1))
        loaded = await store.load_uid(UID)
        assert loaded is not None
        assert loaded.instance.paused
        assert [each.instance.paused for each in await store.list_instances(ORG, MACHINE, 0, 9)] == [True]
        assert await store.get_request(ORG, request.id) == request
        await store.set_paused(UID, None, paused=False)
        assert await store.load(sample_instance().key) == replace(loaded, instance=sample_instance())

    async def test_parent_is_kept_and_can_be_replaced(self, store: Store) -> None:
        await with_machine(store)
        parent = Parent(InstanceUid(7), MachineName("shops"), InstanceName("s"), "order")
        child = replace(sample_instance(), parent=parent)
        await apply_one(store, replace(sample_commit(), instance=child))
        loaded = await store.load_uid(UID)
        assert loaded is not None
        assert loaded.instance == child
        other = replace(parent, uid=InstanceUid(8), child="again")
        await store.set_parent(UID, other)
        loaded = await store.load_uid(UID)
        assert loaded is not None
        assert loaded.instance.parent == other
