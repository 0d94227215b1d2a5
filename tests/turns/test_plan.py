"""The plan of a commit is a pure function, and says the same however the steps are cut into commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stateward_server.engine.envelope import Envelope
from stateward_server.engine.plan import plan
from stateward_server.model.ledger import Cause, Commit, Instance, InstanceKey, Parent, RequestTag, TimerRow
from stateward_server.model.names import InstanceName, InstanceUid, MachineName, OrgId, VersionId
from stateward_server.model.outbox import ParcelKind
from stateward_server.model.step import (
    CancelTimer,
    EventInput,
    Ref,
    SendParent,
    SendTo,
    SetTimer,
    Spawn,
    Status,
    Step,
    TimerInput,
    View,
)

NOW, EPOCH, BASE = 1_700_000_000_000, 7, 41
KEY = InstanceKey(OrgId("org_A"), MachineName("m"), InstanceName("i"))
ORPHAN = Instance(InstanceUid(1), KEY, VersionId("ver_A"), 5)
CHILD = replace(ORPHAN, parent=Parent(InstanceUid(2), MachineName("p"), InstanceName("boss"), "kid"))

Pair = tuple[Envelope, Step]
Timers = dict[str, TimerRow]

ids = st.sampled_from(["a", "b", "c"])
operations = st.one_of(
    st.builds(CancelTimer, ids),
    st.builds(
        SetTimer, ids, st.integers(0, 10_000), st.sampled_from(['{"type":"x"}', '{"type":"y"}']), st.none()
    ),
)
messages = st.one_of(
    st.builds(SendTo, st.builds(Ref, ids, ids), st.just('{"type":"hi"}')),
    st.builds(SendParent, st.just('{"type":"up"}')),
    st.builds(Spawn, ids, st.builds(Ref, ids, ids), st.none(), st.none()),
)
causes = st.sampled_from([Cause.EVENT, Cause.SERVICE, Cause.MESSAGE])


@st.composite
def pairs(draw: st.DrawFn, *, end: Status = Status.ACTIVE) -> list[Pair]:
    """Consecutive steps; the last of them leaves the machine in the status `end`."""
    count = draw(st.integers(1, 6))
    return [
        (
            draw(envelopes()),
            Step(
                event_json=f'{{"type":"e{number}"}}',
                snapshot_json=f'{{"n":{number}}}',
                view=view(end if number == count - 1 else Status.ACTIVE, settled=draw(st.booleans())),
                timers=tuple(draw(st.lists(operations, max_size=3))),
                effects=draw(st.integers(0, 2)),
                messages=tuple(draw(st.lists(messages, max_size=2))),
                indexes=draw(st.frozensets(st.tuples(ids, ids), max_size=3)),
            ),
        )
        for number in range(count)
    ]


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    if draw(st.booleans()):
        return Envelope(TimerInput(draw(ids), "{}", None), Cause.TIMER)
    request = draw(st.none() | st.builds(RequestTag, st.uuids().map(str), st.binary(max_size=4)))
    return Envelope(EventInput("{}", "{}"), draw(causes), request)


@st.composite
def pending(draw: st.DrawFn) -> Timers:
    chosen = draw(st.lists(ids, unique=True))
    return {id_: TimerRow(ORPHAN.uid, id_, NOW - 1_000, '{"type":"old"}', None) for id_ in chosen}


def view(status: Status, *, settled: bool) -> View:
    return View('"s"', ("s",), (), None, status, settled)


def planned(instance: Instance, steps: Sequence[Pair], timers: Timers, base: int = BASE) -> Commit:
    return plan(instance, base, steps, timers, now_ms=NOW, epoch=EPOCH)


def after(timers: Timers, commit: Commit) -> Timers:
    """Return the timers that a ledger has after a commit."""
    left = {id_: row for id_, row in timers.items() if id_ not in commit.timers_gone}
    return {**left, **{row.id: row for row in commit.timers_set}}


def one_by_one(timers: Timers, steps: Sequence[Pair]) -> Timers:
    """Return the timers that there are when every step is taken at its word."""
    now = dict(timers)
    for envelope, step in steps:
        if isinstance(envelope.input, TimerInput):
            now.pop(envelope.input.id, None)
        for op in step.timers:
            now.pop(op.id, None)
            if isinstance(op, SetTimer):
                now[op.id] = TimerRow(ORPHAN.uid, op.id, NOW + op.delay_ms, op.event_json, op.target)
        if step.view.status is not Status.ACTIVE:
            now.clear()
    return now


@given(pairs(), pending())
def test_the_same_steps_make_the_same_commit_and_are_left_alone(steps: list[Pair], timers: Timers) -> None:
    before = (list(steps), dict(timers))
    assert planned(ORPHAN, steps, timers) == planned(ORPHAN, steps, timers)
    assert (steps, timers) == before


@given(pairs(), pending())
def test_every_step_is_one_transition_in_its_order(steps: list[Pair], timers: Timers) -> None:
    commit = planned(ORPHAN, steps, timers)
    assert commit.base_revision == BASE
    assert [each.revision for each in commit.transitions] == list(range(BASE + 1, BASE + 1 + len(steps)))
    for (envelope, step), made in zip(steps, commit.transitions, strict=True):
        assert (made.event_json, made.snapshot_json, made.view, made.indexes) == (
            step.event_json,
            step.snapshot_json,
            step.view,
            step.indexes,
        )
        assert (made.cause, made.request) == (envelope.cause, envelope.request)
        assert (made.time_ms, made.epoch, made.version) == (NOW, EPOCH, ORPHAN.version)


@given(
    st.sampled_from([Status.ACTIVE, Status.DONE, Status.ERROR]).flatmap(lambda end: pairs(end=end)), pending()
)
def test_timers_are_those_that_the_steps_leave(steps: list[Pair], timers: Timers) -> None:
    commit = planned(ORPHAN, steps, timers)
    assert after(timers, commit) == one_by_one(timers, steps)
    assert set(commit.timers_gone) <= set(timers)
    assert not set(commit.timers_gone) & {row.id for row in commit.timers_set}


@given(pairs(end=Status.DONE), pending())
def test_a_machine_that_has_ended_has_no_timers(steps: list[Pair], timers: Timers) -> None:
    commit = planned(ORPHAN, steps, timers)
    assert commit.timers_set == ()
    assert set(commit.timers_gone) == set(timers)


@given(pairs(), pending(), st.integers(0, 6))
def test_cutting_the_steps_into_two_commits_changes_nothing(
    steps: list[Pair], timers: Timers, cut: int
) -> None:
    whole = planned(CHILD, steps, timers)
    first, rest = steps[:cut], steps[cut:]
    one = planned(CHILD, first, timers)
    between = after(timers, one)
    two = planned(CHILD, rest, between, BASE + len(first))
    assert one.transitions + two.transitions == whole.transitions
    assert after(between, two) == after(timers, whole)
    sent = [parcel for part in (one, two) if part.extra is not None for parcel in part.extra.outbox]
    assert sent == ([] if whole.extra is None else list(whole.extra.outbox))


@given(pairs(), pending())
def test_messages_are_owed_in_the_order_they_were_sent(steps: list[Pair], timers: Timers) -> None:
    sent = [message for _, step in steps for message in step.messages]
    for instance in (ORPHAN, CHILD):
        commit = planned(instance, steps, timers)
        owed = [] if commit.extra is None else list(commit.extra.outbox)
        # Without a parent there is nobody to hear what is said to one.
        heard = [each for each in sent if instance.parent is not None or not isinstance(each, SendParent)]
        assert len(owed) == len(heard)
        for parcel, message in zip(owed, heard, strict=True):
            match message:
                case SendTo(to, event_json):
                    assert (parcel.kind, parcel.to, parcel.payload_json) == (ParcelKind.EVENT, to, event_json)
                case SendParent(event_json):
                    assert (parcel.to, parcel.payload_json) == (Ref("p", "boss"), event_json)
                case Spawn(child, to):
                    assert (parcel.kind, parcel.to, parcel.child) == (ParcelKind.SPAWN, to, child)


@given(st.sampled_from([Status.DONE, Status.ERROR]).flatmap(lambda end: pairs(end=end)))
def test_the_end_of_a_child_is_the_last_that_its_parent_hears(steps: list[Pair]) -> None:
    commit = planned(CHILD, steps, {})
    assert commit.extra is not None
    last = commit.extra.outbox[-1]
    ended = ParcelKind.DONE if steps[-1][1].view.status is Status.DONE else ParcelKind.FAILED
    assert (last.kind, last.to, last.child) == (ended, Ref("p", "boss"), "kid")
