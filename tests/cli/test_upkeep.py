"""The commands of administrators: pauses, timers, dead letters, limits."""

from __future__ import annotations

import json

import pytest

from stateward.v1 import dead_letter_service_pb2 as letters_pb2
from stateward.v1 import instance_service_pb2 as instances_pb2

INSTANCE = ("--machine", "toggle", "--instance", "session-123")
PATH = "machines/toggle/instances/session-123"


@pytest.fixture
def toggle(stateward):
    """A machine `toggle` with an instance `session-123`, made through the command."""
    assert stateward("machines", "create", "toggle").exit_code == 0
    assert stateward("instances", "create", *INSTANCE).exit_code == 0


def test_pause_and_resume(stateward, fake, toggle):
    paused = stateward("instances", "pause", *INSTANCE)
    resumed = json.loads(stateward("instances", "resume", *INSTANCE, "--json").stdout)

    assert paused.stdout == "Paused instance session-123 at revision 1.\n"
    assert fake.last(instances_pb2.PauseInstanceRequest).name == PATH
    assert (resumed["machine"], resumed["instance"], resumed["paused"]) == ("toggle", "session-123", False)


def test_a_paused_instance_refuses_with_the_command_that_helps(stateward, fake, toggle):
    metadata = {"machine": "toggle", "instance": "session-123"}
    fake.refusals["SendEvent"] = ("FAILED_PRECONDITION", "INSTANCE_PAUSED", metadata)

    run = stateward("instances", "send-event", *INSTANCE, "--event", "toggle")

    assert run.exit_code == 1
    assert "stateward instances resume --machine toggle --instance session-123" in run.stderr


def test_timers(stateward, toggle):
    text = stateward("instances", "timers", *INSTANCE)
    body = json.loads(stateward("instances", "timers", *INSTANCE, "--json").stdout)

    assert text.stdout.splitlines()[1] == 'a/b    2026-01-02 03:04:05.500Z  {"type": "ring"}  -'
    assert body["timers"] == [
        {
            "timer": "a/b",
            "due_time": "2026-01-02T03:04:05.500000Z",
            "event": {"type": "ring"},
            "target": None,
        }
    ]


def test_cancel_timer(stateward, fake, toggle):
    run = stateward("instances", "cancel-timer", *INSTANCE, "--timer", "a/b")

    assert run.stdout == "Cancelled timer a/b.\n"
    assert fake.last(instances_pb2.CancelTimerRequest).name == f"{PATH}/timers/a%2Fb"


def test_dead_letters_list(stateward, fake):
    text = stateward("dead-letters", "list", "--machine", "toggle")
    body = json.loads(stateward("dead-letters", "list", *INSTANCE, "--json").stdout)

    assert text.stdout.splitlines()[1].split() == [
        *("17", "session-123", "message", "-", "machines/lamp/instances/l"),
        *("INSTANCE_NOT_FOUND", "5", "2026-01-02", "03:04:05Z"),
    ]
    assert [request.parent for request in fake.requests] == ["machines/toggle", PATH]
    assert body["dead_letters"][0] == {
        "id": 17,
        "machine": "toggle",
        "instance": "session-123",
        "kind": "message",
        "target": "machines/lamp/instances/l",
        "about": None,
        "payload": {"type": "GO"},
        "reason": "INSTANCE_NOT_FOUND",
        "message": "machine 'lamp' has no instance 'l'",
        "attempts": 5,
        "create_time": "2026-01-02T03:04:05Z",
    }


def test_dead_letters_retry_and_discard(stateward, fake):
    retried = stateward("dead-letters", "retry", *INSTANCE, "--id", "17")
    discarded = json.loads(stateward("dead-letters", "discard", *INSTANCE, "--id", "17", "--json").stdout)

    assert retried.stdout == "Dead letter 17 is on its way again.\n"
    assert discarded == {"machine": "toggle", "instance": "session-123", "id": 17, "discarded": True}
    assert fake.last(letters_pb2.RetryDeadLetterRequest).name == f"{PATH}/deadLetters/17"
    assert fake.last(letters_pb2.DiscardDeadLetterRequest).name == f"{PATH}/deadLetters/17"


def test_a_letter_that_cannot_be_retried_leads_to_discarding(stateward, fake):
    metadata = {"dead_letter": "17"}
    fake.refusals["RetryDeadLetter"] = ("FAILED_PRECONDITION", "DEAD_LETTER_NOT_RETRYABLE", metadata)

    run = stateward("dead-letters", "retry", *INSTANCE, "--id", "17")

    assert run.exit_code == 1
    assert "stateward dead-letters discard --id 17" in run.stderr


def test_limits(stateward):
    text = stateward("limits")
    body = json.loads(stateward("limits", "--json").stdout)

    assert text.stdout.splitlines()[1] == ("mailbox  1,024  Events waiting at one instance  MAILBOX_FULL")
    assert body["limits"][0]["value"] == 1024
