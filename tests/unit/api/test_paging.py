"""A page token continues the list it was made for, and no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stateward_server.api.paging import PageTokens, page_size
from stateward_server.model.errors import InvalidArgument

PAGES = PageTokens(b"k" * 32)
LISTING = ("org", "machines")
POSITIONS = st.lists(st.integers(-(2**63), 2**63) | st.text(), max_size=3)


@pytest.mark.parametrize(
    ("asked", "given"), [(0, 50), (1, 1), (50, 50), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)]
)
def test_a_page_has_50_entries_unless_asked_and_1000_at_most(asked: int, given: int):
    assert page_size(asked) == given


@pytest.mark.parametrize("asked", [-1, -(2**31)])
def test_a_negative_size_is_refused(asked: int):
    with pytest.raises(InvalidArgument) as refusal:
        page_size(asked)
    assert (refusal.value.reason, refusal.value.metadata) == ("INVALID_FIELD", {"field": "page_size"})


@given(st.lists(st.text(), max_size=4), POSITIONS)
def test_a_token_gives_back_its_position(listing: list[str], position: list[int | str]):
    assert PAGES.decode(listing, PAGES.encode(listing, position)) == position


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4), POSITIONS)
def test_a_token_is_worth_nothing_for_another_list(
    listing: list[str], other: list[str], position: list[int | str]
):
    if other != listing:
        refused(other, PAGES.encode(listing, position))


@pytest.mark.parametrize("other", [("org", "machine", "s"), ("orgmachines",), ("org",), (*LISTING, "")])
def test_lists_with_alike_names_are_told_apart(other: tuple[str, ...]):
    refused(other, PAGES.encode(LISTING, [1]))


def test_a_token_of_another_server_is_refused():
    refused(LISTING, PageTokens(b"j" * 32).encode(LISTING, [1]))


@given(st.data())
def test_a_token_with_any_other_body_is_refused(data: st.DataObject):
    body, mac = PAGES.encode(LISTING, [5, "x"]).split(".")
    changed = data.draw(st.text(alphabet="ABCxyz019_-=", min_size=1))
    if changed != body:
        refused(LISTING, f"{changed}.{mac}")


@given(st.text())
def test_noise_is_refused(token: str):
    refused(LISTING, token)


@pytest.mark.parametrize("token", [".", "..", "a", "a.b.c", "A.é", "\ud800.", "====.===="])
def test_what_looks_a_little_like_a_token_is_refused(token: str):
    refused(LISTING, token)


def refused(listing: list[str] | tuple[str, ...], token: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        PAGES.decode(listing, token)
    assert refusal.value.reason == "PAGE_TOKEN_MISMATCH"
