"""Finding instances by values of their contexts, on a real server, for both generations of XState."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import grpc
import pytest
from tests.e2e.kit import DESKS, Raw, refusal, unused
from tests.servers import SECONDS, Server, serving

from stateward import (
    Changed,
    Client,
    Comparison,
    Entered,
    IndexCondition,
    IndexNotFound,
    InvalidArgument,
    Left,
    Machine,
    MachineEvent,
    MachineFault,
    MachineWatch,
    RequestIdReused,
    ScopeMissing,
    Synced,
    tokens,
)
from stateward.v1 import instance_service_pb2, key_service_pb2, key_service_pb2_grpc

SELECTORS = {"owner": "$.secret", "note": "$.seen"}


@pytest.fixture(params=["v4", "v5"])
async def machine(client: Client, request: pytest.FixtureRequest) -> Machine:
    return await indexed(client, request.param)


async def indexed(client: Client, dialect: str = "v5") -> Machine:
    machine = client.machine(unused("desks"))
    await machine.create(indexes=["owner", "note", "empty"])
    await machine.upload(DESKS[dialect], index_selectors=SELECTORS)
    return machine


async def put(machine: Machine, **owners: str) -> None:
    for name, owner in owners.items():
        await machine.instance(name).create(context={"secret": owner})


async def names(machine: Machine, index: str, *condition: Any, **options: Any) -> list[str]:
    return [each.instance.name async for each in machine.query(index, *condition, **options)]


async def test_instances_are_found_by_private_context(machine: Machine) -> None:
    await put(machine, a="bob", b="ann", c="bob")
    entries = [each async for each in machine.query("owner", page_size=1)]
    assert [(each.value, each.instance.name) for each in entries] == [
        ("ann", "b"),
        ("bob", "a"),
        ("bob", "c"),
    ]
    assert entries[0].instance.revision == 1
    assert await names(machine, "owner", descending=True, page_size=2) == ["c", "a", "b"]
    comparisons: dict[Comparison, list[str]] = {"=": ["a", "c"], "!=": ["b"], "<": ["b"], ">=": ["a", "c"]}
    for comparison, found in comparisons.items():
        assert await names(machine, "owner", comparison, "bob") == found
    assert await names(machine, "empty") == []


async def test_an_index_is_never_behind(machine: Machine) -> None:
    await put(machine, a="ann")
    for number in range(6):
        await machine.instance("a").send({"type": "ADD", "note": f"n{number}"})
        kept = [each.value async for each in machine.query("note")]
        assert kept == [f"n{n}" for n in range(max(0, number - 3), number + 1)]
    await machine.instance("a").delete()
    assert await names(machine, "note") == []


async def test_indexes_outlive_a_crash(tmp_path: Any) -> None:
    with serving(tmp_path) as server:
        async with server.client(attempts=8) as client:
            machine = await indexed(client)
            await put(machine, a="ann", b="bob")
            await machine.instance("a").send({"type": "ADD", "note": "x"})
            server.restart()
            assert await names(machine, "owner") == ["a", "b"]
            await machine.instance("a").send({"type": "ADD", "note": "y"})
            assert [each.value async for each in machine.query("note")] == ["x", "y"]


async def test_what_is_too_large_for_an_index_changes_nothing(machine: Machine) -> None:
    await put(machine, a="ann")
    with pytest.raises(MachineFault) as caught:
        await machine.instance("a").send({"type": "ADD", "note": "x" * 1025})
    assert caught.value.reason == "INDEX_TOO_LARGE"
    assert (await machine.instance("a").get()).revision == 1


async def test_versions_keep_selectors_they_do_not_set(client: Client) -> None:
    machine = await indexed(client)
    assert (await machine.get()).indexes == ("empty", "note", "owner")
    later = await machine.upload(DESKS["v4"], index_selectors={"note": "$.public.last"})
    assert later.index_selectors == {"owner": "$.secret", "note": "$.public.last"}
    await put(machine, a="ann")
    await machine.instance("a").send("ADD")
    assert [each.value async for each in machine.query("note")] == ["ADD"]


async def test_selectors_must_be_right_and_of_an_index(client: Client) -> None:
    machine = await indexed(client)
    with pytest.raises(IndexNotFound):
        await machine.upload(DESKS["v5"], index_selectors={"other": "$.secret"})
    with pytest.raises(InvalidArgument, match=r"\$\.public\.owner"):
        await machine.upload(DESKS["v5"], index_selectors={"owner": "secret"})
    with pytest.raises(InvalidArgument):
        await client.machine(unused("desks")).create(indexes=["a", "a"])
    assert len([version async for version in machine.versions()]) == 1


async def test_a_request_id_belongs_to_its_indexes_and_selectors(client: Client) -> None:
    machine, first, second = client.machine(unused("desks")), str(uuid.uuid4()), str(uuid.uuid4())
    for _ in range(2):
        await machine.create(indexes=["owner", "note"], request_id=first)
        await machine.upload(DESKS["v5"], index_selectors=SELECTORS, request_id=second)
    with pytest.raises(RequestIdReused):
        await machine.create(indexes=["owner"], request_id=first)
    with pytest.raises(RequestIdReused):
        await machine.upload(DESKS["v5"], index_selectors={"owner": "$.secret"}, request_id=second)
    assert len([version async for version in machine.versions()]) == 1


async def test_a_page_token_belongs_to_its_query(client: Client, wire: Raw) -> None:
    machine = await indexed(client)
    await put(machine, a="ann", b="bob")

    async def page(**fields: Any) -> Any:
        request = instance_service_pb2.QueryIndexRequest(
            parent=f"machines/{machine.name}", page_size=1, **fields
        )
        return await wire.instances.QueryIndex(request, metadata=wire.metadata)

    token = (await page(index="owner")).next_page_token
    assert (await page(index="owner", page_token=token)).next_page_token == ""
    others: list[dict[str, Any]] = [
        {"index": "note"},
        {"index": "owner", "descending": True},
        {"index": "owner", "comparison": 5, "value": "a"},
    ]
    for other in others:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await page(**other, page_token=token)
        assert refusal(caught.value).reason == "PAGE_TOKEN_MISMATCH"
    for wrong in ({"comparison": 99}, {"value": "x"}, {"comparison": 1, "value": "x" * 1025}):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await page(index="owner", **wrong)
        assert refusal(caught.value).reason == "INVALID_FIELD"


# ------------------------------------------------------------------ who may


async def test_end_users_find_what_they_may_read(server: Server, machine: Machine) -> None:
    await put(machine, a="ann", b="bob", c="cid")
    profile = server.profile
    for sub, found in (("ann", ["a", "b", "c"]), ("stranger", [])):
        token = tokens.sign(profile["key_id"], profile["key_secret"], {"sub": sub})
        async with server.client(token=token) as user:
            assert await names(user.machine(machine.name), "owner", page_size=2) == found


async def test_pages_tell_nothing_of_what_one_may_not_read(
    server: Server, machine: Machine, wire: Raw
) -> None:
    await put(machine, a="ann", b="bob", c="cid")
    profile = server.profile
    token = tokens.sign(profile["key_id"], profile["key_secret"], {"sub": "stranger"})
    request = instance_service_pb2.QueryIndexRequest(
        parent=f"machines/{machine.name}", index="owner", page_size=1
    )
    page = await wire.instances.QueryIndex(request, metadata=(("authorization", f"Bearer {token}"),))
    # Neither a name, nor that there are more of them: with a comparison, that would give their values away.
    assert page == instance_service_pb2.QueryIndexResponse()


async def test_values_of_indexes_need_a_scope(server: Server, client: Client) -> None:
    machine = await indexed(client)
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        made = await key_service_pb2_grpc.KeyServiceStub(channel).CreateKey(
            key_service_pb2.CreateKeyRequest(scopes=["instances.read", "state.read"]),
            metadata=(("authorization", f"Bearer {server.profile['token']}"),),
        )
    token = tokens.sign(made.key.name.rpartition("/")[2], made.secret, {"sub": "ann"})
    async with server.client(token=token) as user:
        with pytest.raises(ScopeMissing) as asked:
            await names(user.machine(machine.name), "owner")
        watching = user.machine(machine.name).watch(indexes=[IndexCondition("owner", "=", "ann")])
        with pytest.raises(ScopeMissing) as watched:
            await next_of(watching)
        assert isinstance(await next_of(user.machine(machine.name).watch()), Synced)
    assert asked.value.metadata == watched.value.metadata == {"scope": "indexes.read"}


async def next_of(watch: MachineWatch) -> MachineEvent:
    async with asyncio.timeout(SECONDS):
        return await anext(watch)


# ------------------------------------------------------------------ watching


async def test_a_watch_follows_an_index(machine: Machine) -> None:
    await put(machine, a="ann", b="bob")
    await machine.instance("a").send({"type": "ADD", "note": "hot"})
    hot = IndexCondition("note", "=", "hot")
    async with machine.watch(indexes=[hot]) as events:
        first = await next_of(events)
        assert isinstance(first, Entered)
        assert (first.instance, first.state.revision) == ("a", 2)
        assert isinstance(await next_of(events), Synced)
        await machine.instance("b").send({"type": "ADD", "note": "cold"})
        await machine.instance("b").send({"type": "ADD", "note": "hot"})
        entered = await next_of(events)
        assert isinstance(entered, Entered)
        assert (entered.instance, entered.state.revision) == ("b", 3)
        for number in range(4):
            await machine.instance("b").send({"type": "ADD", "note": f"{number}"})
        seen = [await next_of(events) for _ in range(4)]
        assert [type(each) for each in seen] == [Changed, Changed, Changed, Left]
        token = seen[-1].resume_token
    await machine.instance("b").send({"type": "ADD", "note": "hot"})
    async with machine.watch(indexes=[hot], resume_token=token) as events:
        again = await next_of(events)
        assert isinstance(again, Entered)
        assert (again.instance, again.state.revision) == ("b", 8)
    async with machine.watch(indexes=[IndexCondition("note", "=", "cold")], resume_token=token) as events:
        with pytest.raises(InvalidArgument, match="another machine or filter"):
            await next_of(events)


async def test_a_watch_of_no_index_is_refused(client: Client) -> None:
    machine = await indexed(client)
    async with machine.watch(indexes=[IndexCondition("other", "=", "x")]) as events:
        with pytest.raises(IndexNotFound):
            await next_of(events)
