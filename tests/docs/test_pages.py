"""The pages under docs/ are complete, and what they repeat is what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\((?!https?://)([^)#]+)(#[^)]*)?\)")
CODE_ENTRY = re.compile(r"`((?:api|engine|watch|runtime|store|catalog|query|auth|web)/[\w/.]*)`")


def script(*words: str) -> None:
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_rpc_reason_and_command_is_documented() -> None:
    script("scripts/docs_check.py")


def test_the_help_of_every_command_is_the_current_one() -> None:
    script("scripts/cli_docs.py", "--check")


def test_the_limits_are_the_current_ones() -> None:
    script("scripts/limits_docs.py", "--check")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [target for target, _ in LINK.findall(page.read_text()) if not (page.parent / target).exists()]

    assert broken == []


def test_every_code_entry_of_the_architecture_exists() -> None:
    server = ROOT / "server" / "stateward_server"
    entries = CODE_ENTRY.findall((ROOT / "docs" / "architecture.md").read_text())

    assert entries
    assert [entry for entry in entries if not (server / entry).exists()] == []


def test_the_settings_of_the_server_are_documented() -> None:
    from dataclasses import fields

    from stateward_server.config import Settings

    page = (ROOT / "docs" / "cli.md").read_text()

    assert [field.name for field in fields(Settings) if f"| `{field.name}` |" not in page] == []


def test_reasons_named_in_the_pages_exist() -> None:
    text = (ROOT / "protos" / "stateward" / "v1" / "error_reason.proto").read_text()
    known = set(re.findall(r"ERROR_REASON_(\w+) =", text))
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", (ROOT / "docs" / "api.md").read_text()))
    named -= {"EVERY_TRANSITION"}

    assert named - known == set()
