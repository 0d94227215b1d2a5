"""Indexes on the command line: naming them, selecting their values, choosing instances by them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stateward.v1 import instance_pb2
from stateward.v1 import instance_service_pb2 as instances_pb2
from stateward.v1 import machine_service_pb2 as machines_pb2
from stateward.v1 import subscription_service_pb2 as subscriptions_pb2

MODULE = 'import {createMachine} from "xstate";\nexport default createMachine({});\n'
SELECTORS = '{"owner": "$.public.owner"}'
INSTANCE = ("--machine", "toggle", "--instance", "session-123")


def test_indexes_are_named_and_selected(stateward, fake, tmp_path):
    node = tmp_path / "m.ts"
    node.write_text(MODULE)
    selected = ("--node", node, "--index-selectors", SELECTORS)
    made = stateward(
        "machines", "create", "toggle", "--index", "owner", "--index", "due", *selected, "--json"
    )
    later = stateward("machine-versions", "create", "--machine", "toggle", *selected, "--json")
    got = stateward("machines", "get", "toggle")

    assert [made.exit_code, later.exit_code] == [0, 0], made.output + later.output
    assert json.loads(made.stdout)["indexes"] == ["owner", "due"]
    assert json.loads(later.stdout)["index_selectors"] == {"owner": "$.public.owner"}
    assert dict(fake.last(machines_pb2.CreateMachineVersionRequest).index_selectors) == json.loads(SELECTORS)
    assert "indexes          owner, due\n" in got.stdout


@pytest.mark.parametrize(
    ("index", "comparison", "value"),
    [
        ("owner", 0, ""),
        ("owner=", instance_pb2.COMPARISON_EQUAL, ""),
        ("owner=ann=b", instance_pb2.COMPARISON_EQUAL, "ann=b"),
        ("owner!=ann", instance_pb2.COMPARISON_NOT_EQUAL, "ann"),
        ("owner<ann", instance_pb2.COMPARISON_LESS, "ann"),
        ("owner<=ann", instance_pb2.COMPARISON_LESS_OR_EQUAL, "ann"),
        ("owner>ann", instance_pb2.COMPARISON_GREATER, "ann"),
        ("owner>=ann", instance_pb2.COMPARISON_GREATER_OR_EQUAL, "ann"),
    ],
)
def test_a_query_says_how_values_compare(
    stateward: Any, toggled: Any, index: str, comparison: int, value: str
) -> None:
    run = stateward("instances", "query", "--machine", "toggle", "--index", index, "--descending")

    request = toggled.last(instances_pb2.QueryIndexRequest)
    assert (request.index, request.comparison, request.value) == ("owner", comparison, value)
    assert request.descending
    assert run.stdout.splitlines()[0].split() == [
        "VALUE",
        "INSTANCE",
        "REVISION",
        "STATUS",
        "VERSION",
        "CREATED",
    ]
    assert run.stdout.splitlines()[1].split()[:2] == ["ann", "session-123"]


def test_a_query_as_json(stateward, toggle):
    run = stateward("instances", "query", "--machine", "toggle", "--index", "owner", "--json")
    [entry] = json.loads(run.stdout)["entries"]
    assert (entry["value"], entry["instance"], entry["revision"]) == ("ann", "session-123", 1)


def test_a_watch_takes_conditions(stateward, fake, toggle):
    chosen = ("--index", "owner=ann", "--index", "due<2027")
    stateward("machines", "watch", "toggle", *chosen, "--count", "1")
    found = fake.last(subscriptions_pb2.WatchMachineRequest).filter.indexes
    assert [(each.index, each.comparison, each.value) for each in found] == [
        ("owner", instance_pb2.COMPARISON_EQUAL, "ann"),
        ("due", instance_pb2.COMPARISON_LESS, "2027"),
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("instances", "query", "--machine", "toggle", "--index", "two words"),
        ("machines", "watch", "toggle", "--index", "owner"),
        ("machines", "create", "m", "--index-selectors", '{"owner": 1}'),
        ("machines", "create", "m", "--index-selectors", "$.owner"),
    ],
)
def test_slips_are_told_before_anything_is_sent(stateward, fake, words):
    run = stateward(*words)
    assert run.exit_code == 2
    assert "Invalid value for '--index" in run.stderr
    assert fake.requests == []


def test_an_index_that_is_not_there_is_told_with_a_next_step(stateward, fake, toggle):
    fake.refusals["QueryIndex"] = ("NOT_FOUND", "INDEX_NOT_FOUND", {"machine": "toggle", "index": "x"})
    run = stateward("instances", "query", "--machine", "toggle", "--index", "x")
    assert run.exit_code == 1
    assert "stateward machines get toggle" in run.stderr


@pytest.fixture
def toggle(stateward):
    stateward("machines", "create", "toggle")
    stateward("instances", "create", *INSTANCE)


@pytest.fixture
def toggled(fake, toggle):
    return fake
