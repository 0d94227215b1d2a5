"""The command against the real server, as processes: what a user's terminal would see."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
STATEWARD = Path(sys.executable).with_name("stateward")
SEND_EVENT = (
    "smply instances send-event --machine example-machine --instance session-123"
    """ --auth-context '{"sid": "session-123"}' --event toggle\n"""
)
QUICK_START = (
    "smply machines create --machine example-machine --node ./example-machine.ts\n"
    "smply instances create --machine example-machine --instance session-123"
    """ --auth-context '{"sid": "session-123"}'\n"""
    f"{SEND_EVENT}"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run a server; the directory of its data holds the profile."""
    home = tmp_path_factory.mktemp("server")
    words: list[str | Path] = [
        STATEWARD,
        "serve",
        "--data",
        home / "data",
        "--grpc",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
    ]
    with (
        (home / "log").open("w") as log,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True) as server,
    ):
        assert server.stdout is not None
        line = server.stdout.readline()
        assert json.loads(line or "{}").get("ready"), (home / "log").read_text()
        yield home / "data"
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0


@pytest.fixture
def terminal(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, with the command on the path and the profile in the environment."""
    monkeypatch.setenv("STATEWARD_PROFILE", str(data / "admin.json"))
    monkeypatch.setenv("PATH", f"{STATEWARD.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def shell(script: str, directory: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_state_backeds_quick_start_works_word_for_word(terminal: Path) -> None:
    shutil.copy(ROOT / "docs" / "examples" / "toggle.v4.ts", terminal / "example-machine.ts")
    # What `npm install --save xstate @statebacked/machine` leaves behind today.
    (terminal / "package.json").write_text(
        json.dumps({"dependencies": {"@statebacked/machine": "^0.6.0", "xstate": "^5.33.3"}})
    )

    first = shell(QUICK_START.replace("smply", "stateward"), terminal)
    again = shell((SEND_EVENT * 2).replace("smply", "stateward"), terminal)

    assert "Created machine example-machine" in first
    assert (
        'state           off\nrevision        2\nstatus          active\npublic context  {"toggleCount": 1}'
        in first
    )
    # Counting up is what XState 5 would not do with a machine written for 4.
    assert '{"toggleCount": 2}' in again


def test_a_project_with_local_files_is_bundled_uploaded_and_run(terminal: Path) -> None:
    (terminal / "names.ts").write_text(
        'export const enum Names { start = "waiting" }\nexport const add = 2 as number;\n'
    )
    (terminal / "machine.ts").write_text(
        'import { assign, setup } from "xstate";\n'
        'import { add } from "./names";\n'
        "export const allowRead = () => true, allowWrite = () => true;\n"
        "export default setup({}).createMachine({\n"
        "  context: { public: { n: 0 } },\n"
        "  on: { ADD: { actions: assign({ public: (at: any) => ({ n: at.context.public.n + add }) }) } },\n"
        "});\n"
    )
    done = subprocess.run(
        ["stateward", "machines", "create", "bundled", "--node", "machine.ts", "--json"],
        cwd=terminal,
        capture_output=True,
        text=True,
        check=False,
    )
    if "check the network" in done.stderr:
        pytest.skip("the bundler cannot be fetched here")

    created = json.loads(done.stdout)
    shell("stateward instances create --machine bundled --instance one", terminal)
    sent = json.loads(shell("stateward instances send-event -m bundled -i one --event ADD --json", terminal))

    assert created["created_version"]["xstate"] == 5
    assert sent["state"]["public_context"] == {"n": 2}


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        # Found before anything is sent; found by the server; found by the server in what TypeScript becomes.
        ("bad.ts", 'import "xstate";\ntype T = {};\nconst a = [1,;\n', "bad.ts:3:"),
        ("bad.js", 'import "xstate";\nlet a = 1;\nlet a = 2;\n', "bad.js:3:5: "),
        ("bad.ts", 'import "xstate";\ntype T = {};\nlet a = 1;\nlet a = 2;\n', "bad.ts: Identifier 'a'"),
    ],
)
def test_a_mistake_in_the_users_file_is_shown_where_it_is(
    terminal: Path, name: str, text: str, complaint: str
) -> None:
    (terminal / name).write_text(text)

    done = subprocess.run(
        ["stateward", "machines", "create", "bad", "--node", name],
        cwd=terminal,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {complaint}")
    assert "reason: MODULE_SYNTAX_ERROR" in done.stderr
    assert "bad" not in shell("stateward machines list", terminal)


def test_ctrl_c_ends_a_watch_with_130_and_without_a_traceback(terminal: Path) -> None:
    (terminal / "m.js").write_text(
        'import { createMachine } from "xstate";\n'
        "export const allowRead = () => true, allowWrite = () => true;\n"
        "export default createMachine({ initial: 'a', states: { a: {} } });\n"
    )
    shell(
        "stateward machines create quiet --file m.js && stateward instances create -m quiet -i one", terminal
    )
    words = ["stateward", "instances", "watch", "-m", "quiet", "-i", "one", "--json"]

    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        first = json.loads(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130
        assert watching.stderr.read().strip() == ""

    assert first["state"]["value"] == "a"


def test_a_reader_that_goes_away_early_is_no_error(terminal: Path) -> None:
    output = shell("set +o pipefail; stateward machines list 2>err.txt | head -c 1; cat err.txt", terminal)

    assert len(output) <= 1


def test_the_token_is_never_shown(data: Path, terminal: Path) -> None:
    token = json.loads((data / "admin.json").read_text())["token"]

    assert token not in shell("stateward machines list --json 2>&1", terminal)
    assert token not in (data.parent / "log").read_text()


def test_a_server_on_a_terminal_says_what_to_enter_in_the_next_one(terminal: Path) -> None:
    screen, keyboard = os.openpty()
    words = "stateward serve --data data --grpc 127.0.0.1:0 --http 127.0.0.1:0"
    shown = b""
    with subprocess.Popen(words.split(), cwd=terminal, stdout=subprocess.DEVNULL, stderr=keyboard) as server:
        os.close(keyboard)
        try:
            while b"admin.json" not in shown:
                shown += os.read(screen, 1000)  # an OSError when the server has ended without it
        finally:
            server.send_signal(signal.SIGTERM)
    os.close(screen)

    assert f"export STATEWARD_PROFILE={terminal}/data/admin.json".encode() in shown


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--data", "{data}"), "uses the data directory"),
        (("--data", "other", "--grpc", "{grpc}"), "cannot listen on"),
    ],
)
def test_a_server_that_cannot_run_says_why(
    data: Path, terminal: Path, flags: tuple[str, ...], complaint: str
) -> None:
    grpc = json.loads((data / "admin.json").read_text())["grpc"]
    words = [flag.format(data=data, grpc=grpc) for flag in flags]

    done = subprocess.run(
        ["stateward", "serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", *words],
        cwd=terminal,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
