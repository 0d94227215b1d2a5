"""A page token continues the list it was made for, and no other."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Container

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stateward.v1.machine_pb2 import Machine
from stateward.v1.machine_service_pb2 import ListMachinesRequest
from stateward_server.api import paging
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
def test_a_token_of_which_a_letter_was_changed_is_refused(data: st.DataObject):
    token = PAGES.encode(LISTING, [5, "x"]).rstrip("=")[:-1]  # the last letter has bits that mean nothing
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCxyz019_-"))
    if letter != token[at]:
        refused(LISTING, f"{token[:at]}{letter}{token[at + 1 :]}")


def test_nobody_can_read_in_a_token_where_it_stands():
    raw = urlsafe_b64decode(PAGES.encode(LISTING, ["a secret value", "the-instance"]))
    assert b"secret" not in raw
    assert b"instance" not in raw


@given(st.text())
def test_noise_is_refused(token: str):
    refused(LISTING, token)


@pytest.mark.parametrize("token", [".", "..", "a", "a.b.c", "A.é", "\ud800.", "====.===="])
def test_what_looks_a_little_like_a_token_is_refused(token: str):
    refused(LISTING, token)


class Numbers:
    """The numbers from 1 on, and how many were read at once; those not to be seen have no message."""

    def __init__(self, last: int, *, text: str = "", unseen: Container[int] = ()) -> None:
        self.last = last
        self.limits: list[int] = []
        self._text = text
        self._unseen = unseen

    async def page(self, size: int, token: str = "") -> tuple[list[str], str]:
        request = ListMachinesRequest(page_size=size, page_token=token)
        found, token = await PAGES.page(
            request, LISTING, self._fetch, start=(0, ""), place=lambda each: (each, "x"), show=self._show
        )
        return [each.name for each in found], token

    async def _fetch(self, after: tuple[int, str], limit: int) -> list[int]:
        self.limits.append(limit)
        return list(range(after[0] + 1, self.last + 1))[:limit]

    def _show(self, number: int) -> Machine | None:
        return None if number in self._unseen else Machine(name=str(number), current_version=self._text)


def names(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


@pytest.mark.parametrize(
    ("size", "last", "pages"),
    [
        (200, 200, [200]),
        (199, 200, [199, 200]),
        (64, 64, [64]),
        (64, 65, [64, 65]),
        (64, 150, [64, 128, 150]),
        (63, 64, [63, 64]),
        (1000, 128, [128]),
        (0, 101, [50, 100, 101]),
        (1, 2, [1, 2]),
        (7, 0, [0]),
    ],
)
async def test_a_page_is_full_unless_it_is_the_last_and_begins_after_the_one_before(
    size: int, last: int, pages: list[int]
):
    numbers = Numbers(last)
    token, before = "", 0
    for until in pages:
        found, token = await numbers.page(size, token)
        assert found == names(before + 1, until)
        before = until
    assert token == ""
    assert max(numbers.limits) <= 64


async def test_a_page_of_large_ones_is_cut_before_a_client_refuses_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paging, "_RESPONSE", 1_000)
    numbers = Numbers(10, text="x" * 400)
    seen, token = await numbers.page(100)
    assert seen == names(1, 2)
    while token:
        found, token = await numbers.page(100, token)
        assert len(found) == 2
        seen += found
    assert seen == names(1, 10)


async def test_one_that_is_too_large_comes_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paging, "_RESPONSE", 1_000)
    numbers = Numbers(3, text="x" * 5_000)
    found, token = await numbers.page(100)
    assert found == ["1"]
    assert (await numbers.page(100, token))[0] == ["2"]


@pytest.mark.parametrize("size", [1, 2, 64, 1000])
@pytest.mark.parametrize("last", [1, 65, 130, 900])
async def test_nothing_tells_of_what_is_not_to_be_seen(size: int, last: int):
    everything: list[str] = []
    for unseen in ((), range(last + 1, last + 500)):
        found, token = await Numbers(last + len(unseen), unseen=unseen).page(size)
        assert found == names(1, min(size, last))
        assert (token != "") is (size < last)
        everything += found
    assert await Numbers(last, unseen=range(last + 1)).page(size) == ([], "")
    between = Numbers(6, unseen=range(2, 6))
    assert await between.page(3) == (["1", "6"], "")


async def test_a_call_passes_over_a_thousand_and_no_more():
    numbers = Numbers(1_500, unseen=range(1_100))
    found, token = await numbers.page(1)
    assert (found, sum(numbers.limits) < 1_100) == ([], True)
    assert (await numbers.page(1, token))[0] == ["1100"]


def refused(listing: list[str] | tuple[str, ...], token: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        PAGES.decode(listing, token)
    assert refusal.value.reason == "PAGE_TOKEN_MISMATCH"
