"""A wait ends when its moment has come, or can no longer come."""

from __future__ import annotations

import pytest

from stateward_server.model.step import Status, View
from stateward_server.model.wait import Until, Wait


def view(*, status: Status = Status.ACTIVE, settled: bool = True) -> View:
    return View('"a"', ("a", "a.b"), ("busy",), None, status, settled)


RUNNING = view(settled=False)


@pytest.mark.parametrize(
    ("wait", "seen", "met"),
    [
        (Wait(Until.COMMITTED, 0), RUNNING, True),
        (Wait(Until.SETTLED, 0), RUNNING, False),
        (Wait(Until.SETTLED, 0), view(), True),
        (Wait(Until.DONE, 0), view(), False),
        (Wait(Until.DONE, 0), view(status=Status.DONE), True),
        (Wait(Until.DONE, 0), view(status=Status.ERROR), False),
        (Wait(Until.DONE, 0), view(status=Status.STOPPED), False),
        (Wait(Until.STATE, 0, "a.b"), view(), True),
        (Wait(Until.STATE, 0, "b"), view(), False),
        (Wait(Until.STATE, 0, "busy"), view(), False),
        (Wait(Until.TAG, 0, "busy"), view(), True),
        (Wait(Until.TAG, 0, "a"), view(), False),
    ],
)
def test_a_wait_is_met_by_the_states_it_names_only(wait: Wait, seen: View, met: bool):
    assert wait.met(seen) is met


@pytest.mark.parametrize("status", Status)
def test_only_a_running_machine_leaves_hope(status: Status):
    assert Wait(Until.TAG, 0, "never").hopeless(view(status=status)) is (status is not Status.ACTIVE)
