"""Indexes: named with a machine, selected by a version, asked for, watched."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from tests.sdk.fakes import Refusal, Watched, instance, listed, machine_version
from tests.sdk.fakes import machine as machine_message

from stateward import IndexCondition, IndexEntry, IndexNotFound, MachineFault, blocking
from stateward._reasons import error_class
from stateward.errors import Code
from stateward.v1 import instance_pb2, instance_service_pb2, machine_service_pb2

SELECTORS = {"owner": "$.public.owner"}


def entries(*pairs: tuple[str, str], token: str = "") -> instance_service_pb2.QueryIndexResponse:
    return instance_service_pb2.QueryIndexResponse(
        entries=[instance_pb2.IndexEntry(instance=instance(name=name), value=value) for value, name in pairs],
        next_page_token=token,
    )


async def test_a_machine_is_created_with_its_indexes(server, machine) -> None:
    made = machine_message()
    made.indexes.extend(["due", "owner"])
    server.will("CreateMachine", machine_service_pb2.CreateMachineResponse(machine=made))
    assert (await machine.create(indexes=("owner", "due"))).indexes == ("due", "owner")
    assert list(server.requests("CreateMachine")[0].indexes) == ["owner", "due"]
    with pytest.raises(TypeError, match="indexes is a list of texts"):
        await machine.create(indexes="owner")


async def test_a_version_says_where_the_values_are(server, machine) -> None:
    made = machine_version()
    made.index_selectors.update(SELECTORS)
    response = machine_service_pb2.CreateMachineVersionResponse(machine_version=made)
    server.will("CreateMachineVersion", response)
    version = await machine.upload("export default 1;\n", index_selectors=SELECTORS)
    assert version.index_selectors == SELECTORS
    assert hash(version)
    assert dict(server.requests("CreateMachineVersion")[0].index_selectors) == SELECTORS


async def test_entries_come_page_by_page(server, machine) -> None:
    server.will("QueryIndex", entries(("ann", "b"), token="more"), entries(("bob", "a"), ("bob", "c")))
    found = [each async for each in machine.query("owner", ">=", "ann", descending=True, page_size=2)]
    assert [(each.value, each.instance.name) for each in found] == [("ann", "b"), ("bob", "a"), ("bob", "c")]
    assert isinstance(found[0], IndexEntry)
    first, second = server.requests("QueryIndex")
    assert (first.parent, first.index, first.value) == ("machines/toggle", "owner", "ann")
    assert first.comparison == instance_pb2.COMPARISON_GREATER_OR_EQUAL
    assert (first.descending, first.page_size, first.page_token) == (True, 2, "")
    assert second.page_token == "more"


async def test_all_entries_are_asked_for_without_a_comparison(server, machine) -> None:
    server.will("QueryIndex", entries())
    assert [each async for each in machine.query("owner")] == []
    (request,) = server.requests("QueryIndex")
    assert (request.comparison, request.value, request.descending) == (0, "", False)


@pytest.mark.parametrize(("sign", "number"), [("=", 1), ("!=", 2), ("<", 3), ("<=", 4), (">", 5), (">=", 6)])
async def test_every_comparison_has_its_number(server, machine, sign, number) -> None:
    server.will("QueryIndex", entries())
    assert [each async for each in machine.query("owner", sign, "x")] == []
    assert server.requests("QueryIndex")[0].comparison == number


async def test_a_comparison_that_there_is_not_is_refused_at_once(server, machine) -> None:
    with pytest.raises(ValueError, match="one of = != < <= > >="):
        await anext(machine.query("owner", "~", "x"))
    with pytest.raises(ValueError, match="one of"):
        machine.watch(indexes=[IndexCondition("owner", "~", "x")])  # type: ignore[arg-type]  # the slip
    assert server.received == []


async def test_a_watch_takes_conditions(server, machine) -> None:
    server.will("WatchMachine", Watched([listed(("a", 1))]))
    conditions = [IndexCondition("owner", "=", "ann"), IndexCondition("due", "<", "2027")]
    async with machine.watch(indexes=iter(conditions)) as events:
        await anext(events)
    (request,) = server.requests("WatchMachine")
    assert [(each.index, each.comparison, each.value) for each in request.filter.indexes] == [
        ("owner", instance_pb2.COMPARISON_EQUAL, "ann"),
        ("due", instance_pb2.COMPARISON_LESS, "2027"),
    ]


async def test_refusals_have_their_classes(server, machine) -> None:
    server.will("QueryIndex", Refusal(grpc.StatusCode.NOT_FOUND, "INDEX_NOT_FOUND"))
    with pytest.raises(IndexNotFound):
        await anext(machine.query("owner"))
    code = Code.FAILED_PRECONDITION
    assert error_class(code, "INDEX_TOO_LARGE") is MachineFault


async def test_a_script_asks_without_awaiting(server) -> None:
    server.will("QueryIndex", entries(("ann", "a"), ("ann", "b")))

    def script() -> list[str]:
        with blocking.Client.connect(server.target, token="the-token") as client:
            return [each.instance.name for each in client.machine("toggle").query("owner", "=", "ann")]

    assert await asyncio.to_thread(script) == ["a", "b"]
    assert server.requests("QueryIndex")[0].value == "ann"
