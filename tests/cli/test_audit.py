"""`stateward audit` and `stateward access` against a real server, and both forms of the SDK below them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click.testing
import pytest
from tests.e2e.kit import DESKS, published
from tests.servers import Server, serving

from stateward import (
    AccessExplanation,
    Client,
    InvalidArgument,
    InvalidName,
    LayerVerdict,
    Role,
    ScopeMissing,
    blocking,
    tokens,
)
from stateward_server.cli.main import main

pytestmark = pytest.mark.slow

Command = Callable[..., click.testing.Result]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def admin(server: Server) -> Command:
    def run(*words: str, stdin: str = "") -> click.testing.Result:
        env = {"STATEWARD_PROFILE": str(server.data / "admin.json")}
        return click.testing.CliRunner().invoke(main, list(words), input=stdin, env=env)

    return run


@pytest.fixture
async def client(server: Server) -> Any:
    async with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def desks(server: Server) -> str:
    """A machine with an instance `desk`, made on behalf of Ann."""

    async def make() -> str:
        async with server.client() as client:
            machine = await published(client, DESKS["v5"])
            await machine.instance("desk", auth_context={"sub": "ann"}).create()
            return machine.name

    return asyncio.run(make())


def body(result: click.testing.Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def key_of(server: Server, sub: str = "ann") -> str:
    return tokens.sign(server.profile["key_id"], server.profile["key_secret"], {"sub": sub})


# ------------------------------------------------------------------ audit


def test_who_did_what_is_a_table_and_a_document(admin: Command):
    key = body(admin("keys", "create", "--use", "ci", "--json"))["key"]
    assert admin("keys", "delete", key, "--yes").exit_code == 0
    [deleted] = body(admin("audit", "list", "--method", "KeyService.DeleteKey", "--json"))["audit_entries"]
    assert deleted["audit_entry"].startswith("aud_")
    assert deleted["subject"].startswith("users/usr_")
    assert deleted["peer"].startswith("ipv4:127.0.0.1:")
    assert (deleted["resource"], deleted["outcome"]) == (f"keys/{key}", "OK")
    assert (deleted["acting"], deleted["sub"], deleted["sid"]) == (False, None, None)
    table = admin("audit", "list", "--since", "1h", "--limit", "2").stdout.splitlines()
    assert table[0].split() == ["TIME", "SUBJECT", "METHOD", "RESOURCE", "FOR", "PEER", "OUTCOME"]
    assert ["KeyService.DeleteKey" in table[1], "KeyService.CreateKey" in table[2]] == [True, True]
    assert f"keys/{key}" in table[2]


def test_a_slip_is_told(admin: Command):
    wrong = admin("audit", "list", "--method", "Nothing")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "KeyService.CreateKey" in wrong.stderr
    none = admin("audit", "list", "--subject", "keys/sbk_" + "A" * 22)
    assert "no such entries" in none.stderr


async def test_the_sdk_walks_all_of_it(client: Client, server: Server):
    before = datetime.now(UTC)
    for _ in range(3):
        await client.keys.create(use="ci")
    walk = client.audit.list(method="KeyService.CreateKey", start=before, page_size=1)
    found = [each async for each in walk]
    assert len(found) == 3
    assert [each.create_time for each in found] == sorted((each.create_time for each in found), reverse=True)
    subject = found[0].subject
    assert [each async for each in client.audit.list(subject=subject, end=before, start=before)] == []
    with pytest.raises(InvalidName):
        [each async for each in client.audit.list(subject="ann")]
    async with server.client(token=key_of(server)) as ann:
        with pytest.raises(ScopeMissing):
            [each async for each in ann.audit.list()]
    with blocking.Client.from_profile(server.data / "admin.json") as plain:
        again = list(plain.audit.list(method="KeyService.CreateKey", start=before))
        assert again == found
        assert plain.explain_access("KeyService.CreateKey", role=Role.OWNER).allowed


def test_for_whom_somebody_acted_is_shown(admin: Command, desks: str):
    only = ("audit", "list", "--method", "InstanceService.CreateInstance")
    [entry] = body(admin(*only, "--json"))["audit_entries"]
    assert (entry["acting"], entry["sub"]) == (True, "ann")
    assert entry["resource"] == f"machines/{desks}/instances/desk"
    assert " ann " in admin(*only).stdout


# ------------------------------------------------------------------ access


def test_a_refusal_is_explained(admin: Command, desks: str, server: Server):
    asked = ("access", "explain", "send", "-m", desks, "-i", "desk", "--event", "ADD")
    stranger = ("--role", "viewer", "--auth-context", '{"sub":"stranger"}')
    shown = admin(*asked, *stranger)
    assert shown.exit_code == 0
    lines = [line.split(maxsplit=3) for line in shown.stdout.splitlines()]
    assert lines[0] == ["LAYER", "VERDICT", "REASON", "WHY"]
    assert [line[:3] for line in lines[1:5]] == [
        ["organization", "passed", "-"],
        ["scope", "refused", "SCOPE_MISSING"],
        ["instance", "passed", "-"],
        ["authorizer", "refused", "REJECTED_BY_MACHINE_AUTHORIZER"],
    ]
    assert (
        shown.stdout.splitlines()[5] == "The call would be refused by the layer 'scope' with SCOPE_MISSING."
    )
    found = body(admin(*asked, *stranger, "--json"))
    assert (found["allowed"], found["revision"], found["auth_context"]) == (False, 1, {"sub": "stranger"})
    assert [each["verdict"] for each in found["layers"]] == ["passed", "refused", "passed", "refused"]
    let_in = admin(*asked, "--token-file", "-", stdin=key_of(server) + "\n")
    assert let_in.stdout.splitlines()[-1] == "The call would be let in."
    unasked = admin("access", "explain", "read", "--scope", "state.read")
    assert unasked.stdout.splitlines()[-1].startswith("Nothing refuses the call, but")


def test_who_calls_must_be_said_once(admin: Command, tmp_path: Path):
    for words in ((), ("--role", "owner", "--key", "sbk_x"), ("--role", "owner", "-m", "m")):
        wrong = admin("access", "explain", "read", *words)
        assert (wrong.exit_code, wrong.stdout) == (2, "")


async def test_the_sdk_explains(client: Client):
    found = await client.explain_access("KeyService.CreateKey", scopes=["state.read"])
    assert isinstance(found, AccessExplanation)
    assert (found.allowed, found.revision) == (False, None)
    assert [(each.layer, each.verdict, each.reason) for each in found.layers] == [
        ("organization", LayerVerdict.PASSED, None),
        ("scope", LayerVerdict.REFUSED, "SCOPE_MISSING"),
    ]
    unknown = await client.explain_access("KeyService.CreateKey", token="who knows")
    assert (unknown.auth_context, unknown.layers[0].layer) == (None, "token")
    with pytest.raises(InvalidArgument):
        await client.explain_access("Nothing", role=Role.OWNER)
    with pytest.raises(ValueError, match="one of token"):
        await client.explain_access("KeyService.CreateKey")
    with pytest.raises(ValueError, match="one of token"):
        await client.explain_access("KeyService.CreateKey", token="x", role=Role.OWNER)
