"""What users may rely on: names, types, and what stays behind the border."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import stateward
from stateward import access, blocking, errors, providers, state, tokens

PACKAGE = Path(stateward.__file__).parent

EXPORTS = [
    "TLS",
    "Aborted",
    "AccessExplanation",
    "AccessFull",
    "AccessLayer",
    "AccessRevoked",
    "AccessToken",
    "AccessTokenNotFound",
    "AccessTokens",
    "AlreadyExists",
    "Anonymous",
    "Audit",
    "AuditEntry",
    "Cause",
    "Changed",
    "Client",
    "Code",
    "Comparison",
    "DeadLetter",
    "DeadLetterKind",
    "DeadLetterNotFound",
    "DeadLetterNotRetryable",
    "DeadlineExceeded",
    "Entered",
    "Exchange",
    "FailedPrecondition",
    "Identity",
    "IdentityProviderInfo",
    "IdentityProviderNotFound",
    "IdentityProviderUnavailable",
    "IdentityProviders",
    "IndexCondition",
    "IndexEntry",
    "IndexNotFound",
    "Instance",
    "InstanceEnded",
    "InstanceExists",
    "InstanceFinished",
    "InstanceInfo",
    "InstanceNotFound",
    "InstancePaused",
    "InstanceUpdate",
    "Internal",
    "InvalidArgument",
    "InvalidName",
    "Invitation",
    "InvitationInvalid",
    "InvitationNotFound",
    "Invitations",
    "Joined",
    "Json",
    "Key",
    "KeyNotFound",
    "KeyUse",
    "Keys",
    "Language",
    "LastOwner",
    "LayerVerdict",
    "Left",
    "Limit",
    "Listener",
    "Machine",
    "MachineEvent",
    "MachineExists",
    "MachineFault",
    "MachineHasInstances",
    "MachineInfo",
    "MachineNotFound",
    "MachineVersion",
    "MachineWatch",
    "MailboxFull",
    "Member",
    "MemberExists",
    "MemberNotFound",
    "Members",
    "Mode",
    "ModuleRejected",
    "NewAccessToken",
    "NewInvitation",
    "NewKey",
    "NoCurrentVersion",
    "NotFound",
    "Org",
    "OrgNotChosen",
    "OrgNotFound",
    "Orgs",
    "OutOfRange",
    "PermissionDenied",
    "PersonRequired",
    "Profile",
    "RateLimited",
    "Reconnect",
    "RejectedByMachineAuthorizer",
    "Reply",
    "RequestIdReused",
    "ResourceExhausted",
    "ResumeTokenDiverged",
    "ResumeTokenExpired",
    "ResumeTokenInvalid",
    "RetryPolicy",
    "RevisionMismatch",
    "Role",
    "ScopeMissing",
    "State",
    "StateValue",
    "StatewardError",
    "Status",
    "StoreConflict",
    "SubjectTokenRejected",
    "SubscriberTooSlow",
    "Subscription",
    "Synced",
    "Timer",
    "TimerNotFound",
    "TokenExpired",
    "TokenFunction",
    "TokenProviderInfo",
    "TokenProviderNotFound",
    "TokenProviders",
    "Transition",
    "Unauthenticated",
    "Unavailable",
    "Update",
    "VersionNotFound",
    "Wait",
    "WatchEvent",
    "Watches",
]

ACCESS = [
    stateward.Audit,
    stateward.Orgs,
    stateward.Members,
    stateward.Invitations,
    stateward.Keys,
    stateward.IdentityProviders,
    stateward.TokenProviders,
    stateward.AccessTokens,
]


def test_the_exports_are_these() -> None:
    assert stateward.__all__ == EXPORTS
    assert all(hasattr(stateward, name) for name in EXPORTS)


@pytest.mark.parametrize("module", [access, errors, state])
def test_everything_public_is_exported(module: ModuleType) -> None:
    own = {
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert own <= set(EXPORTS)


def test_the_other_public_modules_export_these() -> None:
    assert blocking.__all__ == ["Client", "Instance", "Listener", "Machine", "Watches"]
    assert providers.__all__ == ["ProviderSettings", "auth0", "cognito", "supabase"]
    assert tokens.__all__ == ["AUDIENCE", "sign"]


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def test_generated_code_stays_behind_its_border() -> None:
    users = {
        path.stem
        for path in PACKAGE.glob("*.py")
        if any(name.startswith((".v1", "..v1", "stateward.v1")) for name in imports_of(path))
    }
    assert users == {"_access_calls", "_access_convert", "_calls", "_convert", "_frames", "_watch_calls"}


def test_grpc_stays_out_of_the_values() -> None:
    free = {
        path.stem
        for path in PACKAGE.glob("*.py")
        if not any(name.split(".")[0] in {"grpc", "google"} for name in imports_of(path))
    }
    assert {
        "access",
        "errors",
        "state",
        "_credentials",
        "_feed",
        "_renewal",
        "_wait",
        "_json",
        "_names",
        "_audit",
        "_orgs",
        "_keys",
        "_providers",
        "_instance",
        "_machine",
        "_client",
        "blocking",
    } <= free


@pytest.mark.parametrize(
    ("start", "unloaded"),
    [
        ("import stateward", {"grpc", "google"}),
        ("import stateward_server.cli.main", {"grpc", "google", "jwt", "cryptography", "rich"}),
    ],
)
def test_a_program_loads_only_what_it_needs(start: str, unloaded: set[str]) -> None:
    code = f"{start}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert start.split()[1] in loaded
    assert not loaded & unloaded


def test_what_is_not_loaded_yet_is_offered_too() -> None:
    code = "import stateward; print(*dir(stateward))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(EXPORTS) <= set(done.stdout.split())


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="'stateward' has no attribute 'Clients'"):
        getattr(stateward, "Clients")  # noqa: B009 - mypy knows that it is not there


@pytest.mark.parametrize(
    "cls",
    [
        stateward.Client,
        stateward.Machine,
        stateward.Instance,
        stateward.Subscription,
        stateward.MachineWatch,
        stateward.Watches,
        stateward.Listener,
        *ACCESS,
    ],
)
def test_no_public_signature_names_the_wire(cls: type) -> None:
    for name, method in inspect.getmembers(cls, inspect.isroutine):
        if name.startswith("_"):
            continue
        signature = str(inspect.signature(method))
        assert "pb2" not in signature
        assert "grpc" not in signature
        assert method.__doc__, name


@pytest.mark.parametrize(
    "method",
    [
        method
        for cls in (stateward.Client, stateward.Machine, stateward.Instance, *ACCESS)
        for name, method in inspect.getmembers(cls, inspect.isroutine)
        if not name.startswith("_")
    ],
    ids=lambda method: method.__qualname__,
)
def test_every_argument_and_error_is_documented(method: object) -> None:
    assert callable(method)
    doc = inspect.getdoc(method) or ""
    for name in inspect.signature(method).parameters:
        assert name in {"self", "cls"} or f"    {name}: " in doc, name
    _, _, raises = doc.partition("Raises:")
    for line in raises.splitlines():
        name = line.strip().split(":")[0]
        if line.startswith("    ") and not line.startswith("     "):
            assert name in EXPORTS or hasattr(importlib.import_module("builtins"), name), name


def test_modules_stay_small_and_say_what_they_are_for() -> None:
    for path in PACKAGE.glob("*.py"):
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 400, path.name
        assert ast.get_docstring(ast.parse(text)), path.name


MISUSE = """
from stateward import Client, State, Wait, blocking

async def wrong(client: Client, plain: blocking.Client) -> None:
    instance = client.machine("toggle").instance("s1")
    await instance.send(1)  # not an event
    await instance.send("go", Wait.SETTLED)  # options have names
    await instance.send("go", wait="settled")  # a wait is a Wait
    instance.subscribe(mode="all")  # not a mode
    await client.machine("toggle").upload("x", language="coffee")  # not a language
    (await instance.send("go")).value  # it is in reply.state
    (await instance.get()).revision = 3  # a value
    await plain.machine("toggle").get()  # nothing to await
    for update in instance.subscribe():  # needs async for
        pass
    Client.connect("x", token=b"y")  # not text
    Client.connect("x", token=lambda: "y")  # a function is a token_provider
"""

USE = """
from pathlib import Path
from typing import TypedDict, assert_type
from stateward import Client, Reply, State, Update, Wait, blocking

class Buy(TypedDict):
    type: str
    n: int

async def right(client: Client, plain: blocking.Client) -> None:
    instance = client.machine("toggle").instance("s1", auth_context={"sid": "a"})
    assert_type(await instance.send(Buy(type="buy", n=1), wait=Wait.state("paid", timeout=5)), Reply)
    assert_type(await instance.get_or_create(context={"a": [1, None]}), State)
    async for update in instance.subscribe(mode="every_transition"):
        assert_type(update, Update)
    async with await Client.connect("x", token_provider=lambda: "y") as other, other.acting_as({}) as third:
        await third.machine("m").upload(Path("m.ts"))
    for plain_update in plain.machine("toggle").instance("s1").subscribe():
        assert_type(plain_update, Update)
"""


def mypy(snippet: Path) -> list[str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"]
    command += ["--cache-dir", str(snippet.parent / "cache"), str(snippet)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return [line for line in done.stdout.splitlines() if ": error: " in line]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_misuse_does_not_type_check_and_use_does(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(USE + MISUSE)
    first = USE.count("\n")
    lines = {int(error.split(":")[1]) for error in mypy(snippet)}
    wrong = {first + number for number, line in enumerate(MISUSE.splitlines(), 1) if "  # " in line}
    assert lines == wrong


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_readme_type_checks(tmp_path: Path) -> None:
    readme = (PACKAGE.parent / "README.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(blocks) == 3
    for number, block in enumerate(blocks):
        snippet = tmp_path / f"block{number}.py"
        snippet.write_text(block)
        assert mypy(snippet) == []
