"""Mappings copy and pick, are checked when they are made, and do bounded work whatever the claims."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stateward_server.auth import mapping
from stateward_server.auth.mapping import compile_mapping
from stateward_server.model.errors import InvalidArgument

CLAIMS = {
    "sub": "u",
    "none": None,
    "email": {"address": "u@example.com", "verified": True},
    "https://example.com/roles": ["admin", "dev"],
    "cognito:groups": ["g1"],
    "identities": [{"id": 1, "name": "a"}, {"id": 2}, "plain"],
    "word": "letters",
}


def applied(template: dict[str, Any], claims: dict[str, Any] = CLAIMS) -> dict[str, Any]:
    return compile_mapping(json.dumps(template)).apply(claims)


def test_the_example_of_the_documentation():
    template = {"sub.$": "$.sub", "svc": "x", "a": {"role.$": "$.role.id"}}
    claims = {"sub": "u", "role": {"id": "r"}}
    assert applied(template, claims) == {"sub": "u", "svc": "x", "a": {"role": "r"}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.sub", "u"),
        ("sub", "u"),
        ("email.address", "u@example.com"),
        ("$.email", {"address": "u@example.com", "verified": True}),
        ("$.none", None),
        ("$['https://example.com/roles']", ["admin", "dev"]),
        ("['https://example.com/roles'][0]", "admin"),
        ("$['https://example.com/roles'][-1]", "dev"),
        ('$["cognito:groups"][0]', "g1"),
        ("$['cognito:groups'][*]", ["g1"]),
        ("$.identities[*].id", [1, 2]),
        ("$.email[*]", ["u@example.com", True]),
        ("$", CLAIMS),
    ],
)
def test_a_path_yields_its_value_or_with_a_star_the_list_of_all(path, value):
    assert applied({"x.$": path}) == {"x": value}


@pytest.mark.parametrize(
    "path",
    ["$.nobody", "$.sub.sub", "$.email[0]", "$['https://example.com/roles'][2]", "$.word[0]", "$.sub[*]"],
)
def test_a_path_that_finds_nothing_leaves_its_key_out(path):
    assert applied({"x.$": path, "y": 1, "z": {"x.$": path}}) == {"y": 1, "z": {}}


def test_all_else_is_copied_also_what_looks_like_a_path():
    template = {"a": "$.sub", "b": [1, {"c.$": "sub"}, ["$.sub", None]], "d$": True, "e.$f": 1.5}
    assert applied(template) == {"a": "$.sub", "b": [1, {"c": "u"}, ["$.sub", None]], "d$": True, "e.$f": 1.5}


@pytest.mark.parametrize(
    "path",
    [
        "$.cognito:groups",
        "$..sub",
        "$.*..*",
        "$[?@.sub == 'u']",
        "$[?match(@.sub, '(a*)*b')]",
        "$[?length(@) > 1]",
        "$['a','b']",
        "$[*,*]",
        "$[0:2]",
        "$.a | $.b",
        "$.a & $.b",
        "$.~a",
        "^.a",
        "$a",
        "$.a ",
        "",
        "$.",
        "$[",
        "$['a",
        "$[5e0",
        "$[" + "9" * 200 + "]",
        "$[?" + "(" * 240,
        17,
        None,
        ["$.sub"],
        "$." + "a" * 255,
    ],
)
def test_a_wrong_path_is_refused_with_its_place(path):
    with pytest.raises(InvalidArgument) as refusal:
        compile_mapping(json.dumps({"ok.$": "$.sub", "a": [{"b": {"role.$": path}}]}), "token_mapping")
    assert refusal.value.reason == "INVALID_FIELD"
    assert refusal.value.metadata == {"field": "token_mapping", "at": "a[0].b.role.$"}
    assert "a[0].b.role.$" in refusal.value.message


def test_a_refusal_can_be_sent_whatever_is_in_the_mapping():
    with pytest.raises(InvalidArgument) as refusal:
        compile_mapping('{"\\ud800": {"\\udfff.$": "$.\\ud801["}}')
    refusal.value.message.encode()
    assert refusal.value.metadata["at"].encode() == b"?.?.$"


@pytest.mark.parametrize("text", ["", "[]", "null", '"$.sub"', "{", '{"a": NaN}', "[" * 5_000, '{"a":1e999}'])
def test_what_is_not_a_json_object_is_refused(text):
    with pytest.raises(InvalidArgument) as refusal:
        compile_mapping(text)
    assert (refusal.value.reason, refusal.value.metadata) == ("INVALID_JSON", {"field": "mapping_json"})


def nested(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1)} if levels > 1 else {"sub.$": "sub"}


@pytest.mark.parametrize(
    "template",
    [
        {"sub": 1, "sub.$": "$.sub"},
        {"sub.$": "$.sub", "sub": 1},
        {f"k{n}.$": "$.sub" for n in range(mapping.MAX_PATHS + 1)},
        {"long": "x" * mapping.MAX_TEXT},
        nested(mapping.MAX_DEPTH + 1),
        {"a": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]},
    ],
)
def test_ambiguous_and_outsized_mappings_are_refused(template):
    with pytest.raises(InvalidArgument, match=r"twice|at most|within each other") as refusal:
        compile_mapping(json.dumps(template))
    assert refusal.value.reason == "INVALID_FIELD"


def test_the_largest_mapping_is_taken():
    applied({f"k{n}.$": "$.sub" for n in range(mapping.MAX_PATHS)})
    applied(nested(mapping.MAX_DEPTH))


@pytest.mark.parametrize(
    "claims",
    [
        {"big": "x" * (mapping.MAX_RESULT // 4)},
        {"big": float("nan")},
        {"big": float("inf")},
    ],
)
def test_a_result_too_large_or_not_json_is_refused(claims):
    template = {f"k{n}.$": "$.big" for n in range(5)}
    with pytest.raises(ValueError, match=r"bytes|Out of range"):
        applied(template, claims)


def test_claims_of_any_depth_are_refused_rather_than_crashed_on():
    deep: dict[str, Any] = {}
    for _ in range(20_000):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="deep"):
        applied({"x.$": "$"}, deep)


def test_stars_in_a_row_visit_no_value_twice():
    wide = {"a": [[[i] * 5 for i in range(5)] for _ in range(5)]}
    assert len(applied({"x.$": "$.a[*][*][*]"}, wide)["x"]) == 125


scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)
names = st.text(max_size=8)
documents = st.dictionaries(
    names,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(not key.endswith(".$") and is_plain(member) for key, member in value.items())
    return all(map(is_plain, value)) if isinstance(value, list) else True


@given(documents.filter(is_plain), documents)
def test_a_mapping_without_paths_is_its_own_result(template, claims):
    assert applied(template, claims) == template


def quoted(name: str) -> str:
    """A name as RFC 9535 wants it between single quotes."""
    return re.sub(r"(['\\])", r"\\\1", name)


def is_printable(name: str) -> bool:
    return min(name, default=" ") >= " "


@given(documents.filter(lambda claims: all(map(is_printable, claims))))
def test_every_claim_can_be_reached_in_brackets_whatever_its_name(claims):
    template = {f"{n}.$": f"$['{quoted(name)}']" for n, name in enumerate(claims)}
    assert list(applied(template, claims).values()) == list(claims.values())


@given(st.text(max_size=40) | st.text("$.[]'\"*?@()01:,-a_\\u&|!=<>~# ", max_size=20), documents)
def test_any_text_is_a_path_or_a_clear_refusal(path, claims):
    try:
        compiled = compile_mapping(json.dumps({"x.$": path}))
    except InvalidArgument as refusal:
        assert refusal.metadata == {"field": "mapping_json", "at": "x.$"}  # noqa: PT017
    else:
        assert compiled.apply(claims).keys() <= {"x"}
