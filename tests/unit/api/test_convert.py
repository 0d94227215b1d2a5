"""What comes over the wire is checked before it goes anywhere, and what goes out shows nothing private."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from stateward.v1 import instance_pb2, instance_service_pb2, machine_pb2
from stateward_server.api import convert
from stateward_server.model.errors import InvalidArgument, ResourceExhausted
from stateward_server.model.ledger import Cause, Instance, InstanceKey, RequestTag, Transition
from stateward_server.model.machine import Language, Machine, Version
from stateward_server.model.names import InstanceUid, OrgId, VersionId, instance_name, machine_name, mint
from stateward_server.model.step import Status, View
from stateward_server.model.wait import Until, Wait
from stateward_server.ports.store import Loaded

NOW = 1_700_000_000_123
VERSION = VersionId(mint("ver", bytes(16)))
UUID = "0b5e7c1a-8c7d-4d6e-9f10-112233445566"
KEY = InstanceKey(OrgId("org"), machine_name("m"), instance_name("i"))
HEAD = Instance(InstanceUid(7), KEY, VersionId("ver_old"), NOW - 1000)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.none() | st.booleans() | TEXT
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    PLAIN | NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)


def transition(status: Status = Status.ACTIVE, public: str | None = '{"n":1}') -> Transition:
    view = View('{"a":"b"}', ("a", "a.b"), ("t",), public, status, settled=True)
    snapshot = '{"context":{"public":{"n":1},"secret":"s3cret"}}'
    return Transition(3, 9, NOW, Cause.EVENT, '{"type":"go"}', snapshot, view, VERSION, None)


# ------------------------------------------------------------------ events


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"go"}',
        ' { "type" : "go" , "n" : 1.50 } ',
        '{"n":12345678901234567890123,"type":"x"}',
        '{"type":"é😀","deep":[[[{}]]]}',
        '{"type":"\\u0000"}',
        '{"type":"a","type":"b"}',
    ],
)
def test_an_event_object_is_passed_on_letter_by_letter(text: str):
    assert convert.event(text) == text


@pytest.mark.parametrize("kind", ["go", "ping.pong", 'quote"', "é😀", "\x00", "\u2028"])
def test_a_type_alone_becomes_an_object(kind: str):
    assert json.loads(convert.event(json.dumps(kind, ensure_ascii=False))) == {"type": kind}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "go",
        '""',
        "null",
        "true",
        "1",
        "[]",
        '["go"]',
        "{}",
        '{"type":1}',
        '{"type":null}',
        '{"type":""}',
        '{"Type":"go"}',
        '{"type":["go"]}',
        '{"type":"go"',
        '{"type":"go"}x',
        "{'type':'go'}",
        '{"type":"go",}',
        '{"type":"go","n":NaN}',
        '{"type":"go","n":Infinity}',
        '{"type":"go","n":1e999}',
        '{"type":"\\ud800"}',
        '"\\udfff"',
        '{"type":"a","type":1}',
        "\ufeff{}",
        '{"type":"go","n":01}',
    ],
)
def test_anything_else_is_no_event(text: str):
    with pytest.raises(InvalidArgument) as refusal:
        convert.event(text)
    assert (refusal.value.reason, refusal.value.metadata) == ("INVALID_JSON", {"field": "event_json"})


@pytest.mark.parametrize("part", ["[", '{"a":'])
def test_depth_without_end_is_refused_not_recursed(part: str):
    with pytest.raises(InvalidArgument) as refusal:
        convert.event('{"type":"go","deep":' + part * 50_000)
    assert refusal.value.reason == "INVALID_JSON"


def test_no_refusal_repeats_the_payload():
    with pytest.raises(InvalidArgument) as refusal:
        convert.event('{"type":"go","secret":"s3cret",}')
    assert "s3cret" not in refusal.value.message


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_an_events_size_is_counted_in_bytes(letter: str):
    frame = len('{"type":""}')
    count = (convert.MAX_EVENT_BYTES - frame) // len(letter.encode())
    assert convert.event(f'{{"type":"{letter * count}"}}')
    with pytest.raises(ResourceExhausted) as refusal:
        convert.event(f'{{"type":"{letter * (count + 1)}"}}')
    assert refusal.value.reason == "REQUEST_TOO_LARGE"
    assert refusal.value.metadata == {"limit_bytes": str(convert.MAX_EVENT_BYTES)}


@given(st.dictionaries(TEXT, JSON, max_size=4))
def test_every_json_object_with_a_type_is_an_event(fields: dict[str, object]):
    text = json.dumps({**fields, "type": "go"}, ensure_ascii=False)
    assert convert.event(text) == text


# ------------------------------------------------------------------ initial contexts


def test_no_context_is_none():
    assert convert.context("") is None


@pytest.mark.parametrize("text", ["{}", '{"public":{"n":1}}', ' {"a":[]}'])
def test_a_context_is_an_object(text: str):
    assert convert.context(text) == text


@pytest.mark.parametrize(
    "text", [" ", "null", "[]", '"x"', "1", "{", '{"a":NaN}', '{"a":"\\ud800"}', "[" * 9999]
)
def test_anything_else_is_no_context(text: str):
    with pytest.raises(InvalidArgument) as refusal:
        convert.context(text)
    assert (refusal.value.reason, refusal.value.metadata) == ("INVALID_JSON", {"field": "context_json"})


# ------------------------------------------------------------------ waits

wire = instance_service_pb2


@pytest.mark.parametrize(
    ("message", "wait"),
    [
        (None, Wait(Until.SETTLED, 90_000)),
        (wire.Wait(), Wait(Until.SETTLED, 90_000)),
        (wire.Wait(point=wire.WAIT_POINT_UNSPECIFIED), Wait(Until.SETTLED, 90_000)),
        (wire.Wait(point=wire.WAIT_POINT_COMMITTED), Wait(Until.COMMITTED, 90_000)),
        (wire.Wait(point=wire.WAIT_POINT_SETTLED), Wait(Until.SETTLED, 90_000)),
        (wire.Wait(point=wire.WAIT_POINT_DONE), Wait(Until.DONE, 90_000)),
        (wire.Wait(state="a.b"), Wait(Until.STATE, 90_000, "a.b")),
        (wire.Wait(tag="busy"), Wait(Until.TAG, 90_000, "busy")),
        (wire.Wait(timeout=Duration()), Wait(Until.SETTLED, 0)),
        (wire.Wait(timeout=Duration(seconds=1, nanos=2_999_999)), Wait(Until.SETTLED, 1_002)),
        (wire.Wait(tag="t", timeout=Duration(seconds=90)), Wait(Until.TAG, 90_000, "t")),
        (wire.Wait(timeout=Duration(seconds=2**62)), Wait(Until.SETTLED, 90_000)),
    ],
)
def test_a_wait_means_what_the_contract_says(message: wire.Wait | None, wait: Wait):
    assert convert.wait(message, 90_000) == wait


def test_a_wait_may_last_as_long_as_the_server_says_and_no_longer():
    assert convert.wait(None, 600_000).timeout_ms == 600_000
    assert convert.wait(wire.Wait(timeout=Duration(seconds=500)), 600_000).timeout_ms == 500_000
    assert convert.wait(wire.Wait(timeout=Duration(seconds=700)), 600_000).timeout_ms == 600_000


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (wire.Wait(timeout=Duration(seconds=-1)), "wait.timeout"),
        (wire.Wait(timeout=Duration(nanos=-1)), "wait.timeout"),
        (wire.Wait(point=99), "wait.point"),  # type: ignore[arg-type]  # a client newer than this server
        (wire.Wait(state=""), "wait.state"),
        (wire.Wait(tag=""), "wait.tag"),
    ],
)
def test_a_wait_without_meaning_is_refused(message: wire.Wait, field: str):
    with pytest.raises(InvalidArgument) as refusal:
        convert.wait(message, 90_000)
    assert (refusal.value.reason, refusal.value.metadata) == ("INVALID_FIELD", {"field": field})


# ------------------------------------------------------------------ request ids


def tag(request_id: str, *body: str | bytes) -> RequestTag:
    found = convert.request_tag(request_id, *body)
    assert found is not None
    return found


def test_no_request_id_is_no_tag():
    assert convert.request_tag("", "body") is None


def test_the_same_request_has_the_same_tag_however_its_id_is_written():
    assert tag(UUID.upper(), "a", b"b") == tag(UUID, "a", "b")
    assert tag(UUID, "a").id == UUID


@pytest.mark.parametrize("other", [("a",), ("a", "b", ""), ("ab", ""), ("", "ab"), ("b", "a"), ("a", "B")])
def test_another_body_has_another_digest(other: tuple[str, ...]):
    assert tag(UUID, *other).digest != tag(UUID, "a", "b").digest


@pytest.mark.parametrize(
    "text",
    [
        "x",
        UUID[:-1],
        UUID + "0",
        UUID.replace("-", ""),
        f"{{{UUID}}}",
        UUID + "\n",
        " " + UUID,
        UUID[:-1] + "g",
        UUID.replace("1", "\N{ARABIC-INDIC DIGIT ONE}"),
    ],
)
def test_a_request_id_is_a_uuid(text: str):
    with pytest.raises(InvalidArgument) as refusal:
        convert.request_tag(text)
    assert (refusal.value.reason, refusal.value.metadata) == ("INVALID_FIELD", {"field": "request_id"})


# ------------------------------------------------------------------ languages


@pytest.mark.parametrize(
    ("value", "language"), [(0, Language.JAVASCRIPT), (1, Language.JAVASCRIPT), (2, Language.TYPESCRIPT)]
)
def test_a_module_is_javascript_unless_it_says_otherwise(value: int, language: Language):
    assert convert.language(value) is language


@pytest.mark.parametrize("value", [3, -1])
def test_an_unknown_language_is_refused(value: int):
    with pytest.raises(InvalidArgument) as refusal:
        convert.language(value)
    assert (refusal.value.reason, refusal.value.metadata) == ("INVALID_FIELD", {"field": "language"})


# ------------------------------------------------------------------ to the wire


@pytest.mark.parametrize("ms", [0, 1, 999, 1000, NOW])
def test_a_timestamp_keeps_its_milliseconds(ms: int):
    assert convert.timestamp(ms).ToMilliseconds() == ms


@pytest.mark.parametrize("status", Status)
def test_a_state_shows_the_view_and_when_it_was_made(status: Status):
    shown = convert.state(transition(status))
    assert (shown.revision, shown.value_json, list(shown.states)) == (3, '{"a":"b"}', ["a", "a.b"])
    assert (list(shown.tags), shown.public_context_json, shown.settled) == (["t"], '{"n":1}', True)
    assert shown.update_time.ToMilliseconds() == NOW
    assert shown.done is (status is Status.DONE)
    names = {"ERROR": "FAILED"}
    assert instance_pb2.MachineStatus.Name(shown.status) == (
        f"MACHINE_STATUS_{names.get(status.name, status.name)}"
    )


def test_without_a_public_context_the_field_is_absent():
    assert not convert.state(transition(public=None)).HasField("public_context_json")


@pytest.mark.parametrize(
    "show",
    [
        lambda: convert.state(transition()),
        lambda: convert.instance(HEAD, transition()),
        lambda: convert.listed_instance(Loaded(HEAD, transition())),
        lambda: convert.transition("machines/m/instances/i", transition()),
    ],
)
def test_nothing_private_is_in_any_message(show: Callable[[], object]):
    assert "s3cret" not in str(show())


def test_an_instance_names_the_version_that_made_its_state():
    shown = convert.instance(HEAD, transition())
    assert shown.name == "machines/m/instances/i"
    assert shown.version == f"machines/m/versions/{VERSION}"
    assert shown.create_time.ToMilliseconds() == NOW - 1000
    assert shown.state == convert.state(transition())


def test_a_list_shows_nothing_that_allow_read_would_have_to_decide_on():
    shown = convert.listed_instance(Loaded(HEAD, transition(Status.DONE)))
    filled = {field.name for field, _ in shown.state.ListFields()}
    assert filled <= {"revision", "status", "settled", "done"}
    assert (shown.state.revision, shown.state.settled) == (3, True)


@pytest.mark.parametrize("cause", Cause)
def test_a_transition_names_its_cause_and_place(cause: Cause):
    entry = Transition(3, 9, NOW, cause, '{"type":"go"}', "{}", transition().view, VERSION, None)
    shown = convert.transition("machines/m/instances/i", entry)
    assert shown.name == "machines/m/instances/i/transitions/3"
    assert (shown.event_json, shown.epoch) == ('{"type":"go"}', 9)
    assert instance_pb2.TransitionCause.Name(shown.cause) == f"TRANSITION_CAUSE_{cause.name}"


def test_a_machine_names_its_current_version_if_it_has_one():
    version = Version(VERSION, KEY.org, KEY.machine, "v4", "note", 12, NOW)
    assert convert.machine(Machine(KEY.org, KEY.machine, None, NOW)).current_version == ""
    shown = convert.machine(Machine(KEY.org, KEY.machine, version, NOW))
    assert (shown.name, shown.current_version) == ("machines/m", f"machines/m/versions/{VERSION}")


@pytest.mark.parametrize(
    ("dialect", "number"), [("v4", machine_pb2.XSTATE_VERSION_4), ("v5", machine_pb2.XSTATE_VERSION_5)]
)
def test_a_version_shows_its_dialect_note_and_size(dialect: str, number: int):
    shown = convert.version(Version(VERSION, KEY.org, KEY.machine, dialect, "note", 12, NOW))
    assert (shown.xstate_version, shown.client_info, shown.source_bytes) == (number, "note", 12)


@given(st.integers(0, 2**54))
def test_every_time_can_be_read_however_far_away(ms: int):
    shown = convert.timestamp(ms).ToDatetime()
    assert shown.year == 9999 or round(shown.replace(tzinfo=UTC).timestamp() * 1000) == ms
