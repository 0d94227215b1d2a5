"""Names have one grammar, checked the same way everywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.names import instance_name, machine_name, mint, version_id

GOOD = ["a", "A-b_9", "-", "_", "0", "x" * 128]
BAD = [
    "",
    "x" * 129,
    "a b",
    "a/b",
    "a.b",
    "é",
    "a\n",
    "\n",
    "a\x00",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "\N{FULLWIDTH LATIN SMALL LETTER A}",
    "../a",
]


@pytest.mark.parametrize("check", [machine_name, instance_name])
@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_is_returned_as_it_is(check: Callable[[str], str], name: str):
    assert check(name) == name


@pytest.mark.parametrize(("check", "field"), [(machine_name, "machine"), (instance_name, "instance")])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_name_is_refused_with_its_kind(check: Callable[[str], str], field: str, name: str):
    with pytest.raises(InvalidArgument) as refusal:
        check(name)
    assert refusal.value.reason == "INVALID_NAME"
    assert refusal.value.metadata == {"field": field}


def test_a_refusal_repeats_only_the_beginning_of_a_long_name():
    with pytest.raises(InvalidArgument) as refusal:
        machine_name("x" * 100_000)
    assert len(refusal.value.message) < 400


def test_a_minted_id_is_its_prefix_and_22_characters():
    assert mint("ver", bytes(16)) == "ver_" + "A" * 22
    assert mint("ver", b"\xff" * 16) == "ver_" + "_" * 21 + "w"


def test_a_minted_version_id_is_a_version_id():
    minted = mint("ver", bytes(range(16)))
    assert version_id(minted) == minted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ver_",
        mint("org", bytes(16)),
        mint("sbk", bytes(16)),
        mint("ver", bytes(16)) + "A",
        "v" * 26,
        mint("ver", bytes(16)) + "\n",
        "ver_" + "=" * 22,
        mint("VER", bytes(16)),
    ],
)
def test_anything_else_is_no_version_id(text: str):
    with pytest.raises(InvalidArgument) as refusal:
        version_id(text)
    assert (refusal.value.reason, refusal.value.metadata) == ("INVALID_NAME", {"field": "version"})
