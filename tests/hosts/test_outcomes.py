"""What a process says of a step is taken apart with care: user code may have had a hand in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from stateward_server.model.step import (
    Denied,
    EventInput,
    Failed,
    LostChildren,
    LostInput,
    Outcomes,
    Ref,
    SendParent,
    SendTo,
    SetTimer,
    Spawn,
    Step,
)
from stateward_server.runtime import slots
from stateward_server.runtime.frames import FrameFault
from stateward_server.runtime.outcomes import REASONS, step_reply

HOST = Path(__file__).resolve().parents[2] / "server" / "hosts" / "xstate" / "src"
GIVEN = [EventInput('{"type":"GO"}', "{}")]


def step(timers: list[Any], messages: list[Any] | None) -> Step:
    head = [0, None, '{"v":1}', '"a"', ["a"], [], None, "active", True]
    reply = step_reply([0, [[*head, timers, 0, None, messages, None]]], GIVEN)
    assert isinstance(reply, Outcomes)
    (outcome,) = reply.items
    assert isinstance(outcome, Step)
    return outcome


def test_messages_keep_their_order() -> None:
    read = step(
        [["t", 5, "{}", None, "m", "i"], ["u", 5, "{}", "kid"]],
        [["spawn", "kid", "m", "i", None, "{}"], ["send", "m", "i", "{}"], ["parent", "{}"]],
    )
    to = Ref("m", "i")
    assert read.messages == (Spawn("kid", to, None, "{}"), SendTo(to, "{}"), SendParent("{}"))
    assert read.timers == (SetTimer("t", 5, "{}", None, to), SetTimer("u", 5, "{}", "kid"))
    assert step([], None).messages == ()


@pytest.mark.parametrize(
    "message",
    [
        ["send", "m", "i"],
        ["send", "m", "i", None],
        ["send", "m", "a b", "{}"],
        ["send", 1, "i", "{}"],
        ["parent"],
        ["parent", 7],
        ["spawn", None, "m", "i", None, None],
        ["spawn", "kid", "", "i", None, None],
        ["spawn", "kid", "m", "i", 1, None],
        ["spawn", "kid", "m", "i", None, {}],
        ["shout", "m"],
        [],
        None,
    ],
)
def test_nonsense_is_no_message(message: Any) -> None:
    with pytest.raises(FrameFault):
        step([], [message])


@pytest.mark.parametrize(
    "timer",
    [
        ["t", 5, "{}", None, "m"],
        ["t", 5, "{}", None, "m", ""],
        ["t", 5],
        ["t", -1, "{}", None],
        ["t", 1 << 53, "{}", None],
        ["t", 1e300, "{}", None],
        ["t", "5", "{}", None],
        ["t", True, "{}", None],
        [7, 5, "{}", None],
        ["t", 5, {}, None],
        ["t", 5, "{}", 7],
        [7],
        [],
    ],
)
def test_nonsense_is_no_timer(timer: Any) -> None:
    with pytest.raises(FrameFault):
        step([timer], None)


HEAD = [0, None, '{"v":1}', '"a"', ["a"], [], None, "active", True, [], 0, None, None, None]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        (0, 9),
        (1, {"type": "GO"}),
        (1, "x" * 4_000_001),
        (2, {}),
        (2, 7),
        (2, "x" * 4_000_001),
        (3, "x" * 9),
        (3, None),
        (4, [["a"]]),
        (4, [None]),
        (4, "a"),
        (4, None),
        (4, ["x" * 250_000]),
        (4, [""] * 250_001),
        (5, [7]),
        (6, {"x": 1}),
        (6, "x" * 9),
        (7, "asleep"),
        (7, []),
        (8, "yes"),
        (8, 1),
        (10, "1"),
        (10, None),
        (11, 7),
        (11, "x" * 4_000_001),
        (12, [["parent", "x" * 4_000_001]]),
        (12, {"x": 1}),
        (13, [["index", 7]]),
        (13, [["index", ["a"]]]),
        (13, [["index"]]),
    ],
)
def test_nonsense_is_no_step(part: int, value: Any) -> None:
    wire = list(HEAD)
    step_reply([0, [wire]], GIVEN)
    wire[part] = value
    with pytest.raises(FrameFault):
        step_reply([0, [wire]], GIVEN)


@pytest.mark.parametrize(
    "wire",
    [
        [0, []],
        [0, [[1]]],
        [0, [[1, None]]],
        [0, [[2, "TOKEN_EXPIRED", "get a new one"]]],
        [0, [[2, ["MACHINE_THREW"], "x"]]],
        [0, [[2, "MACHINE_THREW", 7]]],
        [0, [[2, "MACHINE_THREW", "x", "{}", "{}"]]],
        [0, [[2, "MACHINE_THREW", "x", 7]]],
        [0, None],
        [2, []],
        [2, [7]],
        [2, "child"],
        [2, ["child"] * 10_001],
        [2],
        None,
    ],
)
def test_nonsense_is_no_reply(wire: Any) -> None:
    with pytest.raises(FrameFault):
        step_reply(wire, GIVEN)


def test_children_that_are_lost_are_told_of_once() -> None:
    assert step_reply([2, ["child"]], GIVEN) == LostChildren(("child",))
    with pytest.raises(FrameFault):
        step_reply([2, ["child"]], [LostInput("child"), *GIVEN])


def test_messages_of_failures_are_cut() -> None:
    long = "x" * 100_000
    reply = step_reply([0, [[2, "MACHINE_THREW", long], [1, long]]], GIVEN * 2)
    assert isinstance(reply, Outcomes)
    failed, denied = reply.items
    assert isinstance(failed, Failed)
    assert isinstance(denied, Denied)
    assert len(failed.message) == len(denied.detail) == 2_001


def test_every_reason_the_host_gives_is_one_it_may_give() -> None:
    source = "".join(path.read_text() for path in HOST.glob("*.ts"))
    given = set(re.findall(r'"((?:[A-Z]+_)+[A-Z]+)"', source))
    of_modules = {reason for reason in given if reason.startswith("MODULE_")}
    assert of_modules == slots._REFUSALS
    assert given - {"HOST_BUG"} - of_modules == REASONS
