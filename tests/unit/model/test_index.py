"""Selectors are taken apart or refused; conditions hold of some value."""

from __future__ import annotations

import pytest

from stateward_server.model.errors import InvalidArgument, NotFound
from stateward_server.model.index import (
    Comparison,
    IndexCondition,
    index_names,
    selector_path,
    selectors,
)

ENTRIES = frozenset({("owner", "ann"), ("owner", "bob"), ("due", "2026")})


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("$.owner", ("owner",)),
        ("$.public.owner", ("public", "owner")),
        ("$.a-b.$c.größe._d1", ("a-b", "$c", "größe", "_d1")),
        ("$['order lines'][0]", ("order lines", 0)),
        ('$["it\'s"].x', ("it's", "x")),
        (r"$['it\'s \\ ']", (r"it's \ ",)),
        ("$.lines[*].sku", ("lines", None, "sku")),
        ("$[*][12]", (None, 12)),
        ("$['*']", ("*",)),
    ],
)
def test_a_selector_is_members_positions_and_all(text: str, path: tuple[object, ...]) -> None:
    assert selector_path(text) == path


@pytest.mark.parametrize(
    "text",
    ["", "$", "owner", ".owner", "$owner", "$.", "$..owner", "$.a.", "$.a b", "$[-1]", "$[01]", "$[1:2]",
     "$['a'", "$[?(@.x)]", "$.a[*", "x.a", "$.a\n", " $.a", "$." + "a" * 255],
)  # fmt: skip
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        selector_path(text)
    assert (caught.value.reason, caught.value.metadata) == ("INVALID_FIELD", {"field": "index_selectors"})


def test_the_longest_selector_is_taken() -> None:
    assert selector_path("$." + "a" * 254) == ("a" * 254,)


def test_indexes_without_a_selector_keep_the_one_before() -> None:
    before = (("due", "$.due"), ("owner", "$.old"))
    assert selectors("m", ["due", "owner"], {"owner": "$.new"}, before) == (
        ("due", "$.due"),
        ("owner", "$.new"),
    )
    assert selectors("m", ["due", "owner"], {}, ()) == ()


def test_a_selector_for_no_index_is_refused() -> None:
    with pytest.raises(NotFound) as caught:
        selectors("m", ["due"], {"owner": "$.owner"}, ())
    assert (caught.value.reason, caught.value.metadata) == (
        "INDEX_NOT_FOUND",
        {"machine": "m", "index": "owner"},
    )


@pytest.mark.parametrize("names", [["a", "a"], ["a b"], [""], [f"i{n}" for n in range(17)]])
def test_indexes_that_cannot_be_are_refused(names: list[str]) -> None:
    with pytest.raises(InvalidArgument):
        index_names(names)


def test_indexes_are_kept_in_order_of_name() -> None:
    assert index_names(["b", "a"]) == ("a", "b")


@pytest.mark.parametrize(
    ("index", "comparison", "value", "holds"),
    [
        ("owner", "=", "ann", True),
        ("owner", "=", "cid", False),
        ("due", "=", "ann", False),
        ("owner", "!=", "ann", True),
        ("due", "!=", "2026", False),
        ("owner", "<", "ann", False),
        ("owner", "<=", "ann", True),
        ("owner", ">", "ann", True),
        ("owner", ">", "bob", False),
        ("owner", ">=", "bob", True),
        ("none", "!=", "x", False),
    ],
)
def test_a_condition_holds_of_one_of_the_values(index: str, comparison: str, value: str, holds: bool) -> None:
    assert IndexCondition(index, Comparison(comparison), value).holds(ENTRIES) is holds
