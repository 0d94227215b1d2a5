"""Random charts under random events run as the XState library runs them, restores and aborts in between.

Run it by hand over more seeds with `deno run` as below; a mismatch prints its seed.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.machines.native import deno

PROGRAM = Path(__file__).parent / "differential" / "main.ts"
CHARTS = 80
EVENTS = 30


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["v5", "v4-old", "v4-kept", "v4-predictable"])
def test_a_random_chart_runs_as_the_library_runs_it(variant: str) -> None:
    command = deno(PROGRAM, variant, "1", str(CHARTS), str(EVENTS))
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=55)
    assert done.stdout, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert "error" not in told, f"seed {told['seed']}: {told['error']}"
    assert told["steps"] > 10 * CHARTS
    assert told["restores"] > CHARTS / 4
    assert told["aborts"] > CHARTS
    assert told["jobs"] > CHARTS / 4
    assert told["losses"] > CHARTS / 10
