"""The checker finds each kind of broken promise, and nothing in a history that is as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.crash.checker import Call, Life, correspondence, objections, unfinished

from stateward import Cause, State, Status, Transition

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
CREATED, EVENT, TIMER = Cause.CREATED, Cause.EVENT, Cause.TIMER
SERVICE, LOST = Cause.SERVICE, Cause.LOST
MESSAGE, CHILD = Cause.MESSAGE, Cause.CHILD
Entry = tuple[Cause, dict[str, object], str]
"""What came, and the states of desk, clock and staff after it (`alone` if none is named)."""

NOTED: list[Entry] = [
    (CREATED, {"type": "xstate.init"}, "free quiet"),
    (EVENT, {"type": "NOTE", "id": "a"}, "free quiet"),
    (EVENT, {"type": "NOTE", "id": "b"}, "free quiet"),
]
RANG: list[Entry] = [
    *NOTED[:1],
    (EVENT, {"type": "LATER", "id": "a", "ms": 2_000}, "free waiting"),
    (EVENT, {"type": "NOTE", "id": "b"}, "free waiting"),
    (TIMER, {"type": "RANG", "id": "a"}, "free quiet"),
]
RESTED: list[Entry] = [
    *NOTED[:1],
    (EVENT, {"type": "REST", "id": "a"}, "resting quiet"),
    (TIMER, {"type": "xstate.after.30.clerk.desk.resting"}, "free quiet"),
]
WORKED: list[Entry] = [
    *NOTED[:1],
    (EVENT, {"type": "WORK", "id": "a"}, "working quiet"),
    (EVENT, {"type": "WORK", "id": "b"}, "working quiet"),
    (SERVICE, {"type": "xstate.done.actor.job", "output": {"id": "a"}}, "free quiet"),
]
TALKED: list[Entry] = [
    *NOTED[:1],
    (EVENT, {"type": "TALK", "id": "a"}, "talking quiet"),
    (SERVICE, {"type": "SAID", "id": "a", "n": 1}, "talking quiet"),
    (SERVICE, {"type": "SAID", "id": "a", "n": 2}, "talking quiet"),
    (SERVICE, {"type": "SAID", "id": "a", "n": 3}, "free quiet"),
]
HELPED: list[Entry] = [
    *NOTED[:1],
    (EVENT, {"type": "HIRE", "id": "a"}, "free quiet helped"),
    (MESSAGE, {"type": "REPORT", "id": "a"}, "free quiet helped"),
    (CHILD, {"type": "xstate.done.actor.errand", "output": {"id": "a"}}, "free quiet"),
]
LOSS: list[Entry] = [
    *TALKED[:3],
    (LOST, {"type": "xstate.error.actor.job"}, "free quiet"),
    (EVENT, {"type": "WORK", "id": "b"}, "working quiet"),
    (SERVICE, {"type": "done.invoke.job", "data": {"id": "b"}}, "free quiet"),
]
GOOD = (NOTED, RANG, RESTED, WORKED, TALKED, HELPED, LOSS)


def history(entries: Sequence[Entry]) -> list[Transition]:
    """One entry a second."""
    made = []
    for revision, (cause, event, value) in enumerate(entries, start=1):
        regions = dict(zip(("desk", "clock", "staff"), (*value.split(), "alone"), strict=False))
        state = State(
            revision, dict(regions), (), frozenset(), {}, False, Status.ACTIVE,
            regions["desk"] not in ("working", "talking"), NOON + timedelta(seconds=revision),
        )  # fmt: skip
        made.append(Transition(revision, event, cause, state, 1))
    return made


def life(entries: Sequence[Entry]) -> Life:
    """What would be known of it if all went well."""
    told = history(entries)
    calls = [Call(str(each.event["id"]), each.revision) for each in told if each.cause is EVENT]
    return Life(told, calls, (), {"ann": [each.state for each in told]})


@pytest.mark.parametrize("entries", GOOD)
def test_a_history_that_is_as_it_should_be_is_left_alone(entries: list[Entry]) -> None:
    assert objections(life(entries)) == []
    assert unfinished(history(entries)) == []


@pytest.mark.parametrize(
    ("entries", "left"),
    [(RANG, "clock is waiting"), (WORKED, "desk is working"), (HELPED, "staff is helped")],
)
def test_what_has_to_come_yet_is_named(entries: list[Entry], left: str) -> None:
    assert objections(life(entries[:-1])) == []
    assert unfinished(history(entries[:-1])) == [left]


@pytest.mark.parametrize(
    ("entries", "objection"),
    [
        ([*NOTED, NOTED[-1]], "b was acknowledged at 3 and is there 2 times"),
        ([*RANG, RANG[-1]], "a timer fired at 5 that was not set"),
        ([*RANG[:2], RANG[-1]], "the timer of a fired at 3 before it was due"),
        ([*RANG[:3], (TIMER, {"type": "RANG", "id": "z"}, "free quiet")], "in place of another"),
        ([*RESTED, RESTED[-1]], "a timer fired at 4 that was not set"),
        ([*RESTED[:2], (EVENT, {"type": "NOTE", "id": "b"}, "free quiet")], "did not at 3"),
        ([*WORKED, WORKED[-1]], "a service was heard at 5 when none ran"),
        ([*WORKED, LOSS[3]], "a service was heard at 5 when none ran"),
        ([*WORKED[:2], (EVENT, {"type": "WORK", "id": "b"}, "free quiet")], "without having been heard"),
        ([*WORKED[:2], LOSS[-1]], "with the result of b"),
        ([*TALKED[:3], TALKED[2]], "a was to say 2"),
        ([*TALKED[:2], *TALKED[3:]], "a was to say 1"),
        ([*HELPED[:3], *HELPED[2:]], "a child reported at 4 that did not have to"),
        ([*HELPED, HELPED[2]], "a child reported at 5 that did not have to"),
        ([*HELPED, HELPED[3]], "told at 5 that was not at its end"),
        ([*HELPED[:2], HELPED[3]], "told at 3 that was not at its end"),
        ([*HELPED[:2], (EVENT, {"type": "NOTE", "id": "b"}, "free quiet")], "a was left at 3"),
    ],
)
def test_a_history_that_breaks_a_promise_is_objected_to(entries: list[Entry], objection: str) -> None:
    found = objections(life(entries))
    assert any(objection in each for each in found), found


def test_gaps_repeats_and_runs_out_of_order_are_objected_to() -> None:
    told = history(NOTED)
    assert "gaps" in objections(Life([told[0], told[2]], [Call("b", 3)]))[0]
    assert "gaps" in objections(Life([*told, told[2]], [Call("a", 2), Call("b", None)]))[0]
    older = [told[0], replace(told[1], epoch=2), told[2]]
    assert objections(replace(life(NOTED), history=older)) == [
        "a younger run of the server is before an older one"
    ]


@pytest.mark.parametrize(
    ("calls", "objection"),
    [
        ([Call("a", 2)], "b was taken and nobody had sent it"),
        ([Call("a", 3), Call("b", 3)], "a was acknowledged at 3"),
        ([Call("a", 2), Call("b", 3), Call("c", 4)], "c was acknowledged at 4 and is there 0 times"),
    ],
)
def test_what_callers_were_told_must_be_there(calls: list[Call], objection: str) -> None:
    found = objections(replace(life(NOTED), calls=calls, views={}))
    assert [objection in each for each in found] == [True]


def test_what_callers_were_not_told_may_be_there_once_or_not_at_all() -> None:
    unheard = [Call("a", None), Call("b", None), Call("c", None)]
    assert objections(replace(life(NOTED), calls=unheard)) == []
    assert objections(Life(history([*NOTED, NOTED[-1]]), unheard)) == ["b was taken 2 times"]


@pytest.mark.parametrize(
    ("witness", "objection"),
    [
        (["ran a", "ran a"], "'ran a' 2 times"),
        (["ran b"], "'ran b', and no transition has asked for it"),
        (["noted a"], "'noted a', and no transition has asked for it"),
    ],
)
def test_effects_without_their_transition_or_more_than_once_are_objected_to(
    witness: list[str], objection: str
) -> None:
    assert objections(replace(life(WORKED), witness=witness)) == [objection]
    assert objections(replace(life(WORKED), witness=["ran a"])) == []


def test_a_view_with_a_gap_a_repeat_or_another_state_is_objected_to() -> None:
    states = [each.state for each in history(NOTED)]
    broken: list[list[State]] = [
        [],
        [states[0], states[2]],
        [*states, states[-1]],
        states[:-1],
        [
            states[0],
            replace(states[1], value={"desk": "working", "clock": "quiet", "staff": "alone"}),
            states[2],
        ],
    ]
    for view in broken:
        assert len(objections(replace(life(NOTED), views={"ann": view}))) == 1
    assert objections(replace(life(NOTED), views={"ann": states[1:]})) == []


def lives(got: Sequence[str], *, hired: bool = False) -> dict[str, Life]:
    """Ann posts `a` and `b` to Bob and mails him `c`; Bob gets what he gets."""
    ann, bob = NOTED[:1], NOTED[:1]
    for type_, sent in LETTERS:
        ann.append((EVENT, {"type": type_, "id": sent, "to": "bob"}, "free quiet"))
    for id_ in got:
        bob.append((MESSAGE, {"type": "GOT", "id": id_}, "free quiet"))
    return {"ann": life([*ann, *(HELPED[1:] if hired else ())]), "bob": life(bob)}


LETTERS = [("POST", "a"), ("POST", "b"), ("MAIL", "c")]


@pytest.mark.parametrize("got", ["abc", "acb", "cab"])
def test_letters_that_arrive_once_and_in_their_order_are_left_alone(got: str) -> None:
    assert correspondence(lives(got), []) == ([], [])


def test_letters_that_are_on_their_way_are_named() -> None:
    assert correspondence(lives("a"), []) == ([], ["b", "c"])


@pytest.mark.parametrize(
    ("got", "objection"),
    [
        ("bac", "bob got ['b', 'a'] of ann, which had sent ['a', 'b']"),
        ("b", "bob got ['b'] of ann, which had sent ['a', 'b']"),
        ("abbc", "bob got ['a', 'b', 'b'] of ann, which had sent ['a', 'b']"),
        ("abcc", "bob got c 2 times"),
        ("abcz", "bob got z, which nobody had sent"),
    ],
)
def test_letters_out_of_order_repeated_or_of_nobody_are_objected_to(got: str, objection: str) -> None:
    assert objection in correspondence(lives(got), [])[0]


def test_children_that_are_there_twice_or_were_not_asked_for_are_objected_to() -> None:
    assert correspondence(lives("abc", hired=True), ["a"]) == ([], [])
    assert correspondence(lives("abc", hired=True), ["a", "a"])[0] == ["the child a is there 2 times"]
    assert correspondence(lives("abc", hired=True), ["z"])[0] == ["the child z was not asked for"]
