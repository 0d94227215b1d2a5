"""Resource names are taken apart exactly, and put together again the same."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stateward_server.api.paths import (
    instance_path,
    machine_path,
    parse_id,
    parse_instance,
    parse_letter,
    parse_machine,
    parse_timer,
    parse_token_provider,
    parse_version,
    version_path,
)
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.ledger import InstanceKey
from stateward_server.model.names import OrgId, instance_name, machine_name, mint, version_id

ORG = OrgId("org")
VERSION = mint("ver", bytes(16))
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,128}", fullmatch=True)


@given(NAMES, NAMES, st.binary(min_size=16, max_size=16))
def test_a_path_that_is_put_together_comes_apart_again(one: str, two: str, random16: bytes):
    machine, instance = machine_name(one), instance_name(two)
    version = version_id(mint("ver", random16))
    assert parse_machine(machine_path(machine), "name") == machine
    assert parse_instance(instance_path(machine, instance), "name", ORG) == InstanceKey(
        ORG, machine, instance
    )
    assert parse_version(version_path(machine, version), "name") == (machine, version)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "m",
        "machines",
        "machines/",
        "/machines/m",
        "machines/m/",
        "Machines/m",
        "machines//m",
        "machine/m",
        "machines/m/instances",
        "machines/m/versions/" + VERSION,
        "machines/m\n",
        "machines/a b",
        "machines/..",
    ],
)
def test_what_is_no_machine_is_refused(path: str):
    with pytest.raises(InvalidArgument) as refusal:
        parse_machine(path, "parent")
    assert refusal.value.reason == "INVALID_NAME"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "machines/m",
        "machines/m/instances/",
        "machines//instances/i",
        "machines/m/instances/i/",
        "machines/m/instances/i/transitions/1",
        "machines/m/versions/i",
        "instances/i/machines/m",
    ],
)
def test_what_is_no_instance_is_refused(path: str):
    with pytest.raises(InvalidArgument) as refusal:
        parse_instance(path, "name", ORG)
    assert refusal.value.reason == "INVALID_NAME"


@pytest.mark.parametrize(
    "path",
    [
        "",
        VERSION,
        "machines/m/versions/",
        "machines/m/versions/1",
        f"machines/m/instances/{VERSION}",
        f"machines//versions/{VERSION}",
        f"machines/m/versions/{VERSION}/",
    ],
)
def test_what_is_no_version_is_refused(path: str):
    with pytest.raises(InvalidArgument) as refusal:
        parse_version(path, "name")
    assert refusal.value.reason == "INVALID_NAME"


def test_a_refusal_names_the_field_and_the_form():
    with pytest.raises(InvalidArgument) as refusal:
        parse_machine("nonsense", "machine.name")
    assert refusal.value.metadata == {"field": "machine.name"}
    assert "machines/{machine}" in refusal.value.message


def test_a_refusal_repeats_only_the_beginning_of_a_long_path():
    with pytest.raises(InvalidArgument) as refusal:
        parse_machine("a/" * 1_000_000, "name")
    assert len(refusal.value.message) < 500


@pytest.mark.parametrize(
    "parse",
    [
        lambda path: parse_machine(path, "name"),
        lambda path: parse_instance(path, "name", ORG),
        lambda path: parse_version(path, "name"),
        lambda path: parse_timer(path, "name", ORG),
        lambda path: parse_letter(path, "name", ORG),
        lambda path: parse_id(path, "name", "keys"),
        lambda path: parse_token_provider(path, "name"),
    ],
)
def test_megabytes_of_slashes_are_not_taken_apart(parse: Callable[[str], object]):
    path = "/" * 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(InvalidArgument):
            parse(path)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
