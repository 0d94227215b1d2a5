from __future__ import annotations

import json
from collections import OrderedDict
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stateward._json import decode, encode_event, encode_object

BIG = 2**53 + 1


def test_a_type_alone_is_a_json_string() -> None:
    assert encode_event("toggle") == '"toggle"'


def test_an_event_is_written_as_it_is() -> None:
    event = {"type": "buy", "n": 1, "who": "Ä", "list": [True, None, 1.5, ("a",)]}
    assert encode_event(event) == '{"type":"buy","n":1,"who":"Ä","list":[true,null,1.5,["a"]]}'


def test_every_mapping_is_an_object() -> None:
    assert encode_event(MappingProxyType({"type": "a"})) == '{"type":"a"}'
    assert encode_object({"a": OrderedDict(b=1)}, "context") == '{"a":{"b":1}}'


def test_integers_beyond_doubles_survive() -> None:
    assert decode(encode_object({"n": BIG, "m": -(10**30)}, "context")) == {"n": BIG, "m": -(10**30)}


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"n": float("nan")}, ValueError, "context.n: nan has no JSON form"),
        ({"n": [float("inf")]}, ValueError, r"context.n\[0\]: inf has no JSON form"),
        ({"when": datetime(2026, 1, 1, tzinfo=UTC)}, TypeError, "context.when: datetime is not a JSON type"),
        ({"a": {"b": {1, 2}}}, TypeError, "context.a.b: set is not a JSON type"),
        ({"a": b"x"}, TypeError, "context.a: bytes is not a JSON type"),
        ({"a": {1: 2}}, TypeError, "context.a: JSON objects have string keys, got 1"),
        ({"a": "\ud800"}, ValueError, "context.a: the text holds half of a surrogate pair"),
        ({"\ud800": 1}, ValueError, "context: a key holds half of a surrogate pair"),
        (["a"], TypeError, "context must be a JSON object .* not list"),
        ("a", TypeError, "context must be a JSON object .* not str"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        encode_object(value, "context")


def test_a_loop_is_refused() -> None:
    loop: dict[str, object] = {}
    loop["self"] = loop
    with pytest.raises(ValueError, match="context is nested too deeply, or contains itself"):
        encode_object(loop, "context")


@pytest.mark.parametrize("event", [{}, {"type": ""}, {"type": 1}, ""])
def test_an_event_needs_a_type(event: Any) -> None:
    with pytest.raises(ValueError, match="needs a non-empty string as its type"):
        encode_event(event)


@pytest.mark.parametrize("event", [None, 1, ["toggle"], b"toggle"])
def test_an_event_is_a_string_or_an_object(event: Any) -> None:
    with pytest.raises(TypeError, match="event must be a JSON object"):
        encode_event(event)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values))
def test_every_json_value_comes_back(value: dict[str, Any]) -> None:
    text = encode_object(value, "context")
    assert decode(text) == value
    assert json.loads(text.encode()) == value
