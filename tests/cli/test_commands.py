"""Every client command: what it sends, and what it writes, for people and for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stateward.v1 import instance_service_pb2 as instances_pb2
from stateward.v1 import machine_pb2
from stateward.v1 import machine_service_pb2 as machines_pb2
from stateward.v1 import subscription_service_pb2 as subscriptions_pb2

MODULE = 'import {createMachine} from "xstate";\nexport default createMachine({});\n'
SID = '{"sid": "session-123"}'
INSTANCE = ("--machine", "toggle", "--instance", "session-123")


@pytest.fixture
def toggle(stateward, fake):
    """A machine `toggle` with an instance `session-123`, made through the command."""
    assert stateward("machines", "create", "toggle").exit_code == 0
    assert stateward("instances", "create", *INSTANCE).exit_code == 0
    fake.requests.clear()
    fake.auth_contexts.clear()


def module(tmp_path: Path, name: str = "example-machine.ts") -> Path:
    path = tmp_path / name
    path.write_text(MODULE)
    return path


def test_the_quick_start_of_the_mission_works_word_for_word(stateward, fake, tmp_path):
    node = module(tmp_path)

    created = stateward("machines", "create", "--machine", "example-machine", "--node", node)
    instance = ("--machine", "example-machine", "--instance", "session-123", "--auth-context", SID)
    started = stateward("instances", "create", *instance)
    sent = stateward("instances", "send-event", *instance, "--event", "toggle")

    assert [run.exit_code for run in (created, started, sent)] == [0, 0, 0]
    upload = fake.last(machines_pb2.CreateMachineVersionRequest)
    assert upload.module_text == MODULE
    assert upload.language == machine_pb2.MODULE_LANGUAGE_TYPESCRIPT
    assert upload.make_current
    assert json.loads(fake.last(instances_pb2.SendEventRequest).event_json)["type"] == "toggle"
    assert fake.auth_contexts[-2:] == [{"sid": "session-123"}] * 2
    assert "state           off\n" in sent.stdout
    assert 'public context  {"toggleCount": 1}\n' in sent.stdout


def test_machines_create_takes_the_name_as_an_argument_too(stateward, fake):
    run = stateward("machines", "create", "toggle", "--json")

    assert json.loads(run.stdout) == {
        "machine": "toggle",
        "current_version": None,
        "indexes": [],
        "create_time": "1970-01-01T00:00:00Z",
    }


def test_machines_create_with_a_module_says_which_version_it_made(stateward, tmp_path):
    run = stateward("machines", "create", "toggle", "--file", module(tmp_path, "m.js"), "--json")

    body = json.loads(run.stdout)
    assert body["current_version"] == body["created_version"]["version"]
    assert body["created_version"]["xstate"] == 4


def test_a_refused_module_leaves_no_machine_behind(stateward, fake, tmp_path):
    fake.refusals["CreateMachineVersion"] = (
        "INVALID_ARGUMENT",
        "MODULE_SYNTAX_ERROR",
        {"line": "2", "column": "8"},
    )
    node = module(tmp_path, "m.js")

    run = stateward("machines", "create", "toggle", "--node", node)

    assert run.exit_code == 1
    assert run.stderr.startswith(f"Error: {node}:2:8: ")
    assert fake.machines == {}


def test_machines_get_and_list(stateward, toggle):
    got = stateward("machines", "get", "toggle")
    listed = stateward("machines", "list")
    document = json.loads(stateward("machines", "list", "--json").stdout)

    assert "machine          toggle\n" in got.stdout
    assert listed.stdout.splitlines() == [
        "MACHINE  CURRENT VERSION  CREATED",
        "toggle   -                1970-01-01 00:00:00Z",
    ]
    assert [entry["machine"] for entry in document["machines"]] == ["toggle"]


def test_an_empty_list_is_an_empty_document_or_a_word_on_stderr(stateward):
    assert json.loads(stateward("machines", "list", "--json").stdout) == {"machines": []}
    empty = stateward("machines", "list")
    assert empty.stdout == ""
    assert "stateward machines create" in empty.stderr


def test_machines_delete(stateward, fake, toggle):
    run = stateward("machines", "delete", "toggle")

    assert run.stdout == "Deleted machine toggle.\n"
    assert fake.machines == {}


def test_a_new_version_becomes_current_only_when_asked(stateward, fake, toggle, tmp_path):
    upload = ("machine-versions", "create", "--machine", "toggle", "--node", module(tmp_path))

    plain = json.loads(stateward(*upload, "--client-info", "abc", "--json").stdout)
    current = json.loads(stateward(*upload, "--make-current", "--json").stdout)
    listed = json.loads(stateward("machine-versions", "list", "--machine", "toggle", "--json").stdout)

    assert (plain["current"], plain["client_info"]) == (False, "abc")
    assert current["current"] is True
    assert [entry["current"] for entry in listed["machine_versions"]] == [False, True]


def test_another_version_can_be_made_current(stateward, fake, toggle):
    version = "ver_" + "b" * 22

    run = stateward("machine-versions", "make-current", "--machine", "toggle", "--version", version, "--json")

    assert json.loads(run.stdout)["current_version"] == version


def test_the_user_hears_when_the_project_and_the_server_disagree_on_xstate(stateward, toggle, tmp_path):
    (tmp_path / "package.json").write_text('{"dependencies": {"xstate": "^5.0.0"}}')

    run = stateward("machine-versions", "create", "--machine", "toggle", "--node", module(tmp_path))

    assert run.exit_code == 0
    assert "the project has XState 5, but this module is a machine for XState 4" in run.stderr


def test_instances_create_sends_context_version_and_wait(stateward, fake, toggle):
    run = stateward(
        *("instances", "create", "--machine", "toggle", "--instance", "two"),
        *("--context", '{"public": {"n": 1}}', "--version", "ver_" + "a" * 22),
        *("--wait", "state=on.idle", "--timeout", "1500ms", "--json"),
    )

    request = fake.last(instances_pb2.CreateInstanceRequest)
    assert json.loads(request.context_json) == {"public": {"n": 1}}
    assert request.version == f"machines/toggle/versions/ver_{'a' * 22}"
    assert request.wait.state == "on.idle"
    assert request.wait.timeout.ToMilliseconds() == 1500
    assert json.loads(run.stdout)["state"]["value"] == "on"


def test_instances_get(stateward, toggle):
    text = stateward("instances", "get", *INSTANCE)
    body = json.loads(stateward("instances", "get", *INSTANCE, "--json").stdout)

    assert "state           on\n" in text.stdout
    assert "tags            lit\n" in text.stdout
    assert body["state"] == {
        "revision": 1,
        "value": "on",
        "states": ["on"],
        "tags": ["lit"],
        "public_context": None,
        "done": False,
        "status": "active",
        "settled": True,
        "update_time": "2026-01-02T03:04:01.500000Z",
    }


def test_send_event_takes_a_type_or_an_object_and_a_revision(stateward, fake, toggle):
    run = stateward(
        *("instances", "send-event", *INSTANCE, "--json"),
        *("--event", '{"type": "toggle", "by": 3}', "--expected-revision", "1", "--wait", "committed"),
    )

    request = fake.last(instances_pb2.SendEventRequest)
    assert json.loads(request.event_json) == {"type": "toggle", "by": 3}
    assert request.expected_revision == 1
    assert request.wait.point == instances_pb2.WAIT_POINT_COMMITTED
    assert json.loads(run.stdout) == {
        "machine": "toggle",
        "instance": "session-123",
        "revision": 2,
        "condition_met": True,
        "replayed": False,
        "state": {
            "revision": 2,
            "value": "off",
            "states": ["off"],
            "tags": [],
            "public_context": {"toggleCount": 1},
            "done": False,
            "status": "active",
            "settled": True,
            "update_time": "2026-01-02T03:04:02.500000Z",
        },
    }


def test_instances_list(stateward, toggle):
    run = stateward("instances", "list", "--machine", "toggle")

    assert run.stdout.splitlines()[0].split() == ["INSTANCE", "REVISION", "STATUS", "VERSION", "CREATED"]
    assert run.stdout.splitlines()[1].startswith("session-123  1         active  ver_")


def test_list_transitions(stateward, toggle):
    stateward("instances", "send-event", *INSTANCE, "--event", "toggle")

    run = stateward("instances", "list-transitions", *INSTANCE)
    body = json.loads(stateward("instances", "list-transitions", *INSTANCE, "--json").stdout)

    assert run.stdout.splitlines()[2].split("  ")[-1] == '{"toggleCount": 1}'
    assert [(step["cause"], step["event"]) for step in body["transitions"]] == [
        ("created", {"type": "xstate.init"}),
        ("event", {"type": "toggle"}),
    ]


def test_a_list_ends_at_the_limit(stateward, toggle):
    stateward("instances", "send-event", *INSTANCE, "--event", "toggle")

    run = stateward("instances", "list-transitions", *INSTANCE, "--limit", "1", "--json")

    assert len(json.loads(run.stdout)["transitions"]) == 1


def test_watch_writes_one_line_per_state_and_ends_at_the_count(stateward, fake, toggle):
    stateward("instances", "send-event", *INSTANCE, "--event", "toggle")

    text = stateward("instances", "watch", *INSTANCE, "--count", "2")
    lines = stateward("instances", "watch", *INSTANCE, "--count", "2", "--every-transition", "--json")

    assert text.stdout.splitlines() == [
        "2026-01-02 03:04:01.500Z  revision 1  on  -  #lit",
        '2026-01-02 03:04:02.500Z  revision 2  off  {"toggleCount": 1}',
    ]
    documents = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [document["state"]["revision"] for document in documents] == [1, 2]
    assert documents[1]["resume_token"] == "t2"
    mode = fake.last(subscriptions_pb2.WatchInstanceRequest).mode
    assert mode == subscriptions_pb2.WATCH_MODE_EVERY_TRANSITION


def test_machines_watch_writes_one_line_per_event(stateward, fake, toggle):
    chosen = ("--state", "on", "--state", "off", "--tag", "lit", "--auth-context", SID)
    text = stateward("machines", "watch", "toggle", *chosen, "--count", "4")
    lines = stateward("machines", "watch", "--machine", "toggle", "--count", "4", "--json")

    assert text.stdout.splitlines() == [
        "entered  session-123  2026-01-02 03:04:01.500Z  revision 1  on  -  #lit",
        "synced",
        'changed  session-123  2026-01-02 03:04:09.500Z  revision 9  on  {"toggleCount": 4}  #lit',
        "left     session-123  10",
    ]
    documents = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [document["event"] for document in documents] == ["entered", "synced", "changed", "left"]
    assert documents[2]["state"]["revision"] == 9
    assert documents[3] == {
        "event": "left",
        "instance": "session-123",
        "revision": 10,
        "resume_token": "t2",
    }
    first, second = (
        each for each in fake.requests if isinstance(each, subscriptions_pb2.WatchMachineRequest)
    )
    assert (list(first.filter.states), list(first.filter.tags)) == (["on", "off"], ["lit"])
    assert second.filter == subscriptions_pb2.InstanceFilter()
    assert fake.auth_contexts == [{"sid": "session-123"}, None]


def test_instances_delete(stateward, fake, toggle):
    run = stateward("instances", "delete", *INSTANCE, "--json")

    assert json.loads(run.stdout) == {"machine": "toggle", "instance": "session-123", "deleted": True}
    assert fake.instances == {}
