"""What a process says of a step is taken apart with care: user code may have had a hand in it."""

from __future__ import annotations

from typing import Any

import pytest

from stateward_server.model.step import EventInput, Outcomes, Ref, SendParent, SendTo, SetTimer, Spawn, Step
from stateward_server.runtime.frames import FrameFault
from stateward_server.runtime.outcomes import step_reply

GIVEN = [EventInput('{"type":"GO"}', "{}")]


def step(timers: list[Any], messages: list[Any] | None) -> Step:
    head = [0, None, "{}", '"a"', ["a"], [], None, "active", True]
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


@pytest.mark.parametrize("timer", [["t", 5, "{}", None, "m"], ["t", 5, "{}", None, "m", ""], ["t", 5]])
def test_nonsense_is_no_timer(timer: Any) -> None:
    with pytest.raises(FrameFault):
        step([timer], None)
