"""How the command fails: exit codes, words on stderr, JSON where it was asked for, and no secret anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import click
import click.testing
import pytest
from tests.servers import held

from stateward_server.cli.main import main

INSTANCE = ("--machine", "toggle", "--instance", "one")


def run(*words: str, **env: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, words, env=env)


def test_a_refusal_names_reason_and_next_step_and_ends_with_1(stateward, fake):
    fake.refusals["GetMachine"] = ("NOT_FOUND", "MACHINE_NOT_FOUND", {"machine": "toggle"})

    refused = stateward("machines", "get", "toggle")

    hint = "see the machines: stateward machines list; "
    hint += "or create it: stateward machines create toggle --node FILE"
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert refused.stderr.splitlines() == [
        "Error: refused as MACHINE_NOT_FOUND",
        "  reason: MACHINE_NOT_FOUND",
        f"  hint: {hint}",
    ]


def test_a_refusal_is_json_where_json_was_asked_for(stateward, fake):
    fake.refusals["SendEvent"] = ("ABORTED", "REVISION_MISMATCH", {"expected_revision": "3", "revision": "4"})

    refused = stateward("instances", "send-event", *INSTANCE, "--event", "toggle", "--json")

    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert json.loads(refused.stderr) == {
        "error": {
            "message": "refused as REVISION_MISMATCH",
            "reason": "REVISION_MISMATCH",
            "hint": "look again with stateward instances get, and send with the revision it shows",
            "details": {"expected_revision": "3", "revision": "4"},
        }
    }


def test_an_authorizer_that_refuses_asks_for_whom_the_user_acts(stateward, fake):
    fake.refusals["CreateInstance"] = ("PERMISSION_DENIED", "REJECTED_BY_MACHINE_AUTHORIZER", {})

    refused = stateward("instances", "create", *INSTANCE)

    assert refused.exit_code == 1
    assert '--auth-context \'{"sub": "…"}\'' in refused.stderr


def test_an_authorizer_that_refuses_those_the_user_acts_for_can_be_asked_why(stateward, fake):
    named = {"machine": "toggle", "instance": "one"}
    fake.refusals["CreateInstance"] = ("PERMISSION_DENIED", "REJECTED_BY_MACHINE_AUTHORIZER", named)

    refused = stateward("instances", "create", *INSTANCE, "--auth-context", '{"sid": "two"}')

    hint = refused.stderr.splitlines()[-1]
    assert "stateward access explain" in hint
    assert "--machine toggle --instance one" in hint


@pytest.mark.parametrize(("details", "told"), [({"import": "node:fs"}, True), ({}, False)])
def test_only_a_module_that_imports_too_much_is_told_of_bundling(stateward, fake, details, told):
    fake.refusals["GetMachine"] = ("INVALID_ARGUMENT", "MODULE_LOAD_FAILED", details)

    refused = stateward("machines", "get", "toggle")

    assert ("--node bundles" in refused.stderr) is told


def test_a_missing_option_is_answered_with_all_that_are_needed(stateward):
    wrong = stateward("instances", "send-event", "toggle", "one")

    assert "write stateward instances send-event --machine NAME --instance NAME --event EVENT" in wrong.stderr


def test_json_may_be_asked_for_before_the_command_too(stateward, fake):
    assert json.loads(stateward("--json", "machines", "list").stdout) == {"machines": []}

    fake.refusals["GetMachine"] = ("NOT_FOUND", "MACHINE_NOT_FOUND", {})
    assert "error" in json.loads(stateward("--json", "machines", "get", "toggle").stderr)


def test_a_refusal_of_an_unknown_kind_still_has_a_reason(stateward, fake):
    fake.refusals["GetMachine"] = ("UNIMPLEMENTED", "", {})

    refused = stateward("machines", "get", "toggle")

    assert refused.exit_code == 1
    assert "reason: UNIMPLEMENTED" in refused.stderr


@pytest.mark.slow
def test_a_server_that_is_not_there_ends_with_3(tmp_path):
    with held() as place:
        port = place.getsockname()[1]
        profile = tmp_path / "profile.json"
        profile.write_text(json.dumps({"grpc": f"127.0.0.1:{port}", "token": "sba_hidden"}))

        failed = run("machines", "list", "--profile", str(profile))

    assert failed.exit_code == 3
    assert f"cannot reach the server at 127.0.0.1:{port}" in failed.stderr
    assert "stateward serve" in failed.stderr


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no profile at"),
        ("{nonsense sba_hidden", "is not JSON"),
        ('{"grpc": "127.0.0.1:1"}', 'has no "token"'),
        ('{"token": "sba_hidden"}', 'has no "grpc"'),
        ("[]", 'has no "grpc"'),
    ],
)
def test_a_bad_profile_names_the_next_step_and_never_the_token(tmp_path: Path, content, complaint):
    profile = tmp_path / "profile.json"
    if content is not None:
        profile.write_text(content)

    failed = run("machines", "list", STATEWARD_PROFILE=str(profile))

    assert failed.exit_code == 2
    assert complaint in failed.stderr
    assert "admin.json" in failed.stderr
    assert "sba_hidden" not in failed.output


def test_the_profile_option_goes_before_the_environment(stateward, tmp_path):
    failed = stateward("machines", "list", "--profile", str(tmp_path / "other.json"))

    assert failed.exit_code == 2
    assert "other.json" in failed.stderr


def test_the_profile_option_may_stand_before_the_command_too(stateward, profile, tmp_path):
    missing = str(tmp_path / "nowhere.json")

    assert stateward("--profile", missing, "machines", "list").exit_code == 2
    assert (
        stateward("--profile", str(profile), "machines", "list", env={"STATEWARD_PROFILE": missing}).exit_code
        == 0
    )
    assert stateward("--profile", missing, "machines", "list", "--profile", str(profile)).exit_code == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("machines", "get"), "Name one machine"),
        (("machines", "get", "a", "--machine", "b"), "Name one machine"),
        (("instances", "get", "--machine", "a"), "Missing option '--instance'"),
        (("instances", "send-event", *INSTANCE, "--event", "{oops"), "is not JSON"),
        (("instances", "send-event", *INSTANCE, "--event", '{"kind": 1}'), 'has no "type"'),
        (("instances", "send-event", *INSTANCE, "--event", '{"type": "a", "n": NaN}'), "is not JSON"),
        (("instances", "send-event", *INSTANCE, "--event", " "), "an event needs a type"),
        (("instances", "create", *INSTANCE, "--context", "[1]"), "not an object"),
        (("instances", "create", *INSTANCE, "--auth-context", "sid"), "is not JSON"),
        (("instances", "create", *INSTANCE, "--wait", "soon"), "is none of committed"),
        (("instances", "create", *INSTANCE, "--wait", "tag="), "is none of committed"),
        (("instances", "create", *INSTANCE, "--timeout", "5 parsecs"), "is not a duration"),
        (("instances", "create", *INSTANCE, "--timeout", "0s"), "is not a duration"),
        (("machine-versions", "create", "--machine", "a"), "Name the module"),
        (("machines", "create", "a", "--node", "/no/such/file.ts"), "does not exist"),
        (("teleport",), "No such command"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_sent(stateward, fake, words, complaint):
    wrong = stateward(*words)

    assert wrong.exit_code == 2
    assert complaint in wrong.stderr
    assert "see stateward" in wrong.stderr.splitlines()[-1]
    assert fake.requests == []


def test_wrong_usage_is_json_where_json_was_asked_for():
    wrong = run("instances", "list", "--json")

    assert wrong.exit_code == 2
    assert json.loads(wrong.stderr)["error"]["reason"] == "USAGE"


def test_two_modules_are_one_too_many(stateward, tmp_path):
    module = tmp_path / "m.ts"
    module.write_text("")

    wrong = stateward("machines", "create", "a", "--node", module, "--file", module)

    assert wrong.exit_code == 2
    assert "not both" in wrong.stderr


GROUPS = {(name,): each for name, each in main.commands.items() if isinstance(each, click.Group)}


@pytest.mark.parametrize("words", [(), *GROUPS])
def test_help_names_every_command_and_cuts_no_sentence_off(words):
    shown = run(*words, "--help").output.splitlines()

    listed = {line.split()[0] for line in shown if line.startswith("  ") and line.strip()}
    assert set(GROUPS.get(words, main).commands) <= listed
    assert not any("..." in line for line in shown[1:])


def test_a_command_without_words_shows_its_help():
    shown = run("machines")

    assert shown.exit_code == 2
    assert "Usage: stateward machines" in shown.output


def test_serve_needs_to_know_where_the_data_lives():
    wrong = run("serve")

    assert wrong.exit_code == 2
    assert "--data DIR" in wrong.stderr
