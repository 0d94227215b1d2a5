"""docs/xstate.md: every row has a test behind it, and every test a row."""

from __future__ import annotations

import re

import pytest
from tests.machines import test_between, test_differences
from tests.machines.features import FEATURES
from tests.machines.kit import ROOT
from tests.machines.test_features import COMPARED

DIFFERENCES = test_between.DIFFERENCES | test_differences.DIFFERENCES
PAGE = (ROOT / "docs" / "xstate.md").read_text()
ROWS = re.findall(r"^\| `([a-z0-9-]+)` \| (.*?) \| (.*?) \| (.*?) \|(?: (.*?))? \|$", PAGE, re.MULTILINE)


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    rows = [row[0] for row in ROWS]

    assert sorted(rows) == sorted(COMPARED | DIFFERENCES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_that_says_same_is_compared_with_xstate(row: tuple[str, ...]) -> None:
    name, _, v4, v5, _ = row
    compared = {feature.dialect for feature in FEATURES if feature.row == name}
    same = {dialect for dialect, word in (("v4", v4), ("v5", v5)) if word == "same"}

    assert same == compared or (name in DIFFERENCES and not compared)
