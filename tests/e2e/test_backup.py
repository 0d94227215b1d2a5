"""`stateward backup`, and a server that goes on from what it made, as docs/operating.md says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.kit import OPEN, published
from tests.servers import Server, serving

pytestmark = pytest.mark.slow

LAMP = (
    'import { createMachine } from "xstate";\n'
    + OPEN
    + 'export default createMachine({ initial: "off", states: { off: { on: { toggle: "lit" } }, lit: {} } });'
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as server:
        yield server


def backup(data: Path, file: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "stateward_server", "backup", "--json", "--data", str(data), str(file)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)


async def test_a_copy_of_a_running_server_is_one_moment_that_another_goes_on_from(
    server: Server, tmp_path: Path
) -> None:
    async with server.client() as client:
        lamp = (await published(client, LAMP)).instance("lamp")
        await lamp.create()
        done = backup(server.data, tmp_path / "copy.db")
        await lamp.send("toggle")
        machine = lamp.machine
    assert json.loads(done.stdout) == {
        "file": str(tmp_path / "copy.db"),
        "bytes": (tmp_path / "copy.db").stat().st_size,
    }
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600

    data = tmp_path / "restored" / "data"
    data.mkdir(parents=True)
    shutil.copy(tmp_path / "copy.db", data / "stateward.db")
    for name in ("server.key", "admin.json"):
        shutil.copy(server.data / name, data / name)
    with serving(data.parent) as restored:
        async with restored.client() as client:
            again = client.machine(machine).instance("lamp")
            assert (await again.get()).value == "off"
            assert (await again.send("toggle")).state.value == "lit"


async def test_a_server_that_was_killed_can_be_copied_too(server: Server, tmp_path: Path) -> None:
    async with server.client() as client:
        await (await published(client, LAMP)).instance("lamp").create()
    server.kill()

    assert backup(server.data, tmp_path / "copy.db").returncode == 0


def test_nothing_is_overwritten_and_nothing_half_is_left(server: Server, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "stateward.db").write_text("no database at all, though of some length")

    over = backup(server.data, tmp_path / "there")
    none = backup(tmp_path, tmp_path / "copy.db")
    other = backup(tmp_path / "other", tmp_path / "copy.db")

    for refused, complaint in ((over, "File exists"), (none, "no stateward.db"), (other, "not a database")):
        assert refused.returncode == 1
        error = json.loads(refused.stderr)["error"]
        assert complaint in error["message"]
        assert error["reason"] == "BACKUP_FAILED"
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "copy.db").exists()
