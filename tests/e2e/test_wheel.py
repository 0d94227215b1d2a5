"""The wheels are enough: in a fresh environment, with no Node and nothing fetched, they run machines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.kit import EXAMPLES, published
from tests.servers import Server, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "scripts" / "lock" / "requirements.txt"
TOGGLES = {"v4": EXAMPLES / "toggle.v4.ts", "v5": EXAMPLES / "toggle.v5.ts"}


def run(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "error sending request" in done.stderr:
        pytest.skip("there is no package index here")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the two wheels and what they ask for."""
    home = tmp_path_factory.mktemp("wheels")
    for project in (ROOT / "sdk" / "python", ROOT):
        words = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", home, project)
        run(*words, cwd=home)
    uv = Path(sys.executable).with_name("uv")
    run(uv, "venv", "--quiet", "--python", sys.executable, home / "venv", cwd=home)
    python = home / "venv" / "bin" / "python"
    wheels = sorted(home.glob("*.whl"))
    assert len(wheels) == 2
    # The versions that everything else here is tested with.
    run(uv, "pip", "install", "--quiet", "--python", python, "--constraint", LOCK, *wheels, cwd=home)
    return python


@pytest.fixture(scope="module")
def server(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("bare")
    with pytest.MonkeyPatch.context() as bare:
        # No Node and no npm on the path, no cache to find anything in, no source tree.
        for name, value in (("PATH", python.parent), ("HOME", home), ("DENO_DIR", home / "deno")):
            bare.setenv(name, str(value))
        bare.delenv("PYTHONPATH", raising=False)
        with serving(home, command=(str(python), "-m", "stateward_server")) as server:
            yield server
        assert not (home / "deno").exists()


@pytest.mark.parametrize("xstate", TOGGLES)
async def test_the_installed_server_runs_the_quick_start(server: Server, xstate: str) -> None:
    async with server.client() as client:
        machine = await published(client, TOGGLES[xstate])
        instance = machine.instance("session-123", auth_context={"sid": "session-123"})
        await instance.create()
        reply = await instance.send("toggle")
    assert (reply.state.value, reply.state.public_context) == ("off", {"toggleCount": 1})


def test_the_installed_command_works_and_is_not_of_the_source_tree(
    python: Path, server: Server, tmp_path: Path
) -> None:
    stateward = python.with_name("stateward")
    profile = ("--profile", str(server.data / "admin.json"))
    run(stateward, *profile, "machines", "create", "installed", "--file", TOGGLES["v5"], cwd=tmp_path)
    listed = run(stateward, *profile, "machines", "list", "--json", cwd=tmp_path)
    assert "installed" in listed
    where = "import stateward as a, stateward_server as b; print(a.__file__, b.__file__, sep='\\n')"
    for file in run(python, "-c", where, cwd=tmp_path).splitlines():
        assert Path(file).is_relative_to(python.parent.parent)


def test_the_wheels_carry_their_types_and_no_tests(python: Path) -> None:
    packages = next((python.parent.parent / "lib").glob("python*")) / "site-packages"
    for package in ("stateward", "stateward_server"):
        assert (packages / package / "py.typed").exists()
    assert (packages / "stateward_server" / "runtime" / "xstate" / "dist" / "host.js").exists()
    assert not (packages / "tests").exists()
