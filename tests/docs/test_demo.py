"""`make demo` ends well. It checks its own steps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "scripts" / "demo.py"


@pytest.mark.slow
def test_the_demo_ends_well() -> None:
    done = subprocess.run([sys.executable, DEMO], capture_output=True, text=True, check=False, timeout=55)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "All as it should be" in done.stdout
    assert "\033" not in done.stdout
