"""docs/xstate.md: every row has a test behind it, and every test a row."""

from __future__ import annotations

import re

import pytest
from tests.machines import test_differences, test_features
from tests.machines.features import DIFFERENCES, FEATURES
from tests.machines.kit import ROOT

PAGE = (ROOT / "docs" / "xstate.md").read_text()
ROWS = re.findall(r"^\| `([a-z0-9-]+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
TESTED = {feature.row for feature in FEATURES} | DIFFERENCES


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    assert (test_features.MODULES, test_differences.DIALECTS)
    assert {row[0] for row in ROWS} == TESTED
    assert len(ROWS) == len(TESTED)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_that_says_same_is_compared_with_xstate(row: tuple[str, ...]) -> None:
    name, _, v4, v5, _ = row
    compared = {feature.dialect for feature in FEATURES if feature.row == name}

    assert {d for d, word in (("v4", v4), ("v5", v5)) if word == "same"} <= compared | (
        {"v4", "v5"} if name in DIFFERENCES else set()
    )
