"""What docs/clients.md tells those who generate a client: the contract in one file, and buf's templates."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.servers import serving

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text()
BUF = Path(sys.executable).with_name("buf")
PLUGIN = re.compile(r"local: (protoc-gen-[\w-]+)\n    out: .*")
PROTOS = ROOT / "protos"
OURS = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.glob("stateward/v1/*.proto"))


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("contract") / "stateward.binpb"
    words = [sys.executable, "scripts/protos.py", "image", str(target)]
    subprocess.run(words, cwd=ROOT, check=True, timeout=60)
    return target


def asked(template: str, contract: Path, directory: Path) -> dict[str, str]:
    """Run a template as the page says, with a plugin that only writes down: files and their Go packages."""
    out = f'local: ["{sys.executable}", "{ROOT / "tests" / "docs" / "plugin.py"}"]\n    out: out'
    first = template.split("  - local: ", 2)[:2]
    (directory / "buf.gen.yaml").write_text(PLUGIN.sub(lambda _: out, "  - local: ".join(first)))
    words = [str(BUF), "generate", str(contract), "--path", "stateward"]
    done = subprocess.run(words, cwd=directory, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = [line for each in (directory / "out").iterdir() for line in each.read_text().splitlines()]
    return dict(line.split(" ", 1) for line in lines)


def templates() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_template_for_typescript_asks_for_the_contract_and_what_it_imports(
    contract: Path, tmp_path: Path
) -> None:
    files = asked(templates()[0], contract, tmp_path)

    assert sorted(name for name in files if name.startswith("stateward/")) == OURS
    assert "google/api/field_behavior.proto" in files


def test_the_template_for_go_asks_for_the_contract_in_the_package_of_the_caller(
    contract: Path, tmp_path: Path
) -> None:
    files = asked(templates()[1], contract, tmp_path)

    assert sorted(files) == OURS
    assert set(files.values()) == {"example.com/app/stateward/v1;statewardv1"}


def test_the_fields_its_programs_use_are_in_the_contract() -> None:
    protos = "\n".join((PROTOS / name).read_text() for name in OURS)
    used = {"eventJson", "valueJson", "publicContextJson", "snapshot", "changes", "states"}

    for name in used:
        assert name in PAGE
        assert re.search(rf"\b{re.sub('([A-Z])', lambda at: '_' + at[1].lower(), name)} = \d", protos), name


@pytest.mark.slow
def test_reflection_tells_buf_every_call(tmp_path: Path) -> None:
    line = next(line for line in PAGE.splitlines() if "--list-methods" in line)
    with serving(tmp_path) as server:
        words = line.replace("127.0.0.1:7411", server.grpc).split()
        done = subprocess.run([str(BUF), *words[1:]], capture_output=True, text=True, check=False, timeout=60)

    assert "stateward.v1.InstanceService/SendEvent" in done.stdout, done.stderr
