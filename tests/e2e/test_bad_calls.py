"""Calls that are wrong in themselves: each has its reason, names the field, and leaves nothing behind."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Sequence
from typing import Any

import grpc
import jwt
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from tests.e2e.kit import DESKS, OPEN, Raw, census, published, refusal, unused
from tests.servers import Server

from stateward import Client, Machine, MachineFault, ModuleRejected, Unauthenticated
from stateward.tokens import AUDIENCE, sign
from stateward.v1 import instance_service_pb2 as instances
from stateward.v1 import machine_service_pb2 as machines
from stateward.v1 import subscription_service_pb2 as subscriptions

pytestmark = pytest.mark.slow

M, I = "machines/{m}", "machines/{m}/instances/one"  # noqa: E741 - they stand in every line below
NO_VERSION = "machines/{m}/versions/ver_AAAAAAAAAAAAAAAAAAAAAA"
NOBODY, LONG = "machines/nobody", "x" * 129

Case = tuple[str, str, dict[str, Any], str, str]
"""Service and method, request by its fields, reason, and the field that is named, if one is."""

CASES: Sequence[Case] = [
    *(
        ("machines", "CreateMachine", {"machine_id": bad}, "INVALID_NAME", "machine")
        for bad in ("", "a b", "grün", "a/b", "../x", LONG, "new\nline")
    ),
    ("machines", "CreateMachine", {"machine_id": "ok", "request_id": "1"}, "INVALID_FIELD", "request_id"),
    ("machines", "GetMachine", {"name": "nonsense"}, "INVALID_NAME", "name"),
    ("machines", "GetMachine", {"name": "machines/"}, "INVALID_NAME", "machine"),
    ("machines", "GetMachine", {"name": NOBODY}, "MACHINE_NOT_FOUND", ""),
    ("machines", "DeleteMachine", {"name": NOBODY}, "MACHINE_NOT_FOUND", ""),
    ("machines", "DeleteMachine", {"name": M}, "MACHINE_HAS_INSTANCES", ""),
    ("machines", "ListMachines", {"page_size": -1}, "INVALID_FIELD", "page_size"),
    ("machines", "ListMachines", {"page_token": "nonsense"}, "PAGE_TOKEN_MISMATCH", "page_token"),
    ("machines", "CreateMachineVersion", {"parent": M}, "INVALID_FIELD", "module"),
    (
        "machines",
        "CreateMachineVersion",
        {"parent": "machines/no", "module_text": "x"},
        "MACHINE_NOT_FOUND",
        "",
    ),
    ("machines", "CreateMachineVersion", {"parent": M, "module_text": ""}, "MODULE_EXPORT_MISSING", ""),
    (
        "machines",
        "CreateMachineVersion",
        {"parent": M, "module_text": "x", "language": 99},
        "INVALID_FIELD",
        "language",
    ),
    (
        "machines",
        "CreateMachineVersion",
        {"parent": M, "module_text": "x", "client_info": "x" * 257},
        "INVALID_FIELD",
        "client_info",
    ),
    ("machines", "CreateMachineVersion", {"parent": M, "module_gzip": b"no"}, "MODULE_ENCODING", ""),
    (
        "machines",
        "CreateMachineVersion",
        {"parent": M, "module_gzip": gzip.compress(b"\xff\xfe")},
        "MODULE_ENCODING",
        "",
    ),
    (
        "machines",
        "CreateMachineVersion",
        {"parent": M, "module_gzip": gzip.compress(b"let a;" * 10)[:-9]},
        "MODULE_ENCODING",
        "",
    ),
    (
        "machines",
        "CreateMachineVersion",
        {"parent": M, "module_gzip": gzip.compress(b" " * 10_000_001)},
        "MODULE_TOO_LARGE",
        "",
    ),
    ("machines", "GetMachineVersion", {"name": M + "/versions/v1"}, "INVALID_NAME", "version"),
    ("machines", "GetMachineVersion", {"name": NO_VERSION}, "VERSION_NOT_FOUND", ""),
    ("machines", "UpdateMachine", {"update_mask": FieldMask(paths=["name"])}, "INVALID_FIELD", "update_mask"),
    *(
        ("instances", "CreateInstance", {"parent": M, "instance_id": bad}, "INVALID_NAME", "instance")
        for bad in ("", "a b", "a/b", LONG)
    ),
    *(
        (
            "instances",
            "CreateInstance",
            {"parent": M, "instance_id": "two", "context_json": bad},
            "INVALID_JSON",
            "context_json",
        )
        for bad in ("{", "[]", "7", '"text"', "null", '{"a": NaN}')
    ),
    ("instances", "CreateInstance", {"parent": M, "instance_id": "one"}, "INSTANCE_EXISTS", ""),
    (
        "instances",
        "CreateInstance",
        {"parent": M, "instance_id": "two", "version": NO_VERSION},
        "VERSION_NOT_FOUND",
        "",
    ),
    (
        "instances",
        "CreateInstance",
        {"parent": M, "instance_id": "two", "version": "machines/other/versions/ver_AAAAAAAAAAAAAAAAAAAAAA"},
        "INVALID_NAME",
        "version",
    ),
    ("instances", "GetInstance", {"name": "nonsense"}, "INVALID_NAME", "name"),
    ("instances", "GetInstance", {"name": I + "x"}, "INSTANCE_NOT_FOUND", ""),
    ("instances", "DeleteInstance", {"name": I + "x"}, "INSTANCE_NOT_FOUND", ""),
    ("instances", "ListInstances", {"parent": M, "page_size": -1}, "INVALID_FIELD", "page_size"),
    (
        "instances",
        "ListTransitions",
        {"parent": I, "page_token": "nonsense"},
        "PAGE_TOKEN_MISMATCH",
        "page_token",
    ),
    ("instances", "ListTransitions", {"parent": I + "x"}, "INSTANCE_NOT_FOUND", ""),
    *(
        ("instances", "SendEvent", {"name": I, "event_json": '"ADD"', **bad}, "INVALID_FIELD", field)
        for bad, field in (
            ({"request_id": "not-a-uuid"}, "request_id"),
            ({"wait": instances.Wait(state="")}, "wait.state"),
            ({"wait": instances.Wait(tag="")}, "wait.tag"),
            ({"wait": instances.Wait(point=99)}, "wait.point"),  # type: ignore[arg-type]  # not a point
            ({"wait": instances.Wait(timeout=Duration(seconds=-1))}, "wait.timeout"),
        )
    ),
    (
        "instances",
        "SendEvent",
        {"name": I, "event_json": '"ADD"', "expected_revision": 9},
        "REVISION_MISMATCH",
        "",
    ),
]

REQUESTS: dict[str, Any] = {"machines": machines, "instances": instances}


def filled(fields: dict[str, Any], machine: str) -> dict[str, Any]:
    return {
        key: each.replace("{m}", machine) if isinstance(each, str) else each for key, each in fields.items()
    }


async def test_each_has_its_reason_and_leaves_nothing_behind(client: Client, wire: Raw) -> None:
    machine = await published(client, DESKS["v5"])
    await machine.instance("one").create()
    before = await census(client)
    wrong = []
    for service, method, fields, reason, field in CASES:
        request = getattr(REQUESTS[service], f"{method}Request")(**filled(fields, machine.name))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await getattr(getattr(wire, service), method)(request, metadata=wire.metadata)
        met = refusal(caught.value)
        if (met.reason, met.metadata.get("field", "")) != (reason, field):
            wrong.append((method, fields, met))
    assert wrong == []
    assert await census(client) == before
    assert (await machine.instance("one").send("ADD")).revision == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": I, "mode": 99}, "INVALID_FIELD"),
        ({"name": "nonsense"}, "INVALID_NAME"),
        ({"name": I + "x"}, "INSTANCE_NOT_FOUND"),
        ({"name": I, "resume_token": "nonsense"}, "RESUME_TOKEN_INVALID"),
    ],
)
async def test_a_watch_is_refused_with_its_reason(
    client: Client, wire: Raw, fields: dict[str, Any], reason: str
) -> None:
    machine = await published(client, DESKS["v5"])
    await machine.instance("one").create()
    request = subscriptions.WatchInstanceRequest(**filled(fields, machine.name))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await wire.subscriptions.WatchInstance(request, metadata=wire.metadata).read()
    assert refusal(caught.value).reason == reason


async def test_bytes_that_are_no_message_are_refused(server: Server) -> None:
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        call: Any = channel.unary_unary("/stateward.v1.InstanceService/SendEvent")
        metadata = (("authorization", f"Bearer {server.profile['token']}"),)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"\xff\xff\xff", metadata=metadata)
    assert refusal(caught.value).reason == "INVALID_FIELD"


async def test_a_caller_who_is_nobody_or_no_longer_is_refused(server: Server, wire: Raw) -> None:
    key_id, secret = server.profile["key_id"], server.profile["key_secret"]
    now = int(time.time())
    old = jwt.encode(
        {"aud": AUDIENCE, "exp": now - 60, "act": {}}, secret, algorithm="HS256", headers={"kid": key_id}
    )
    request = machines.ListMachinesRequest()
    told = {}
    for name, metadata in {
        "nothing": (),
        "no bearer": (("authorization", server.profile["token"]),),
        "another": (("authorization", "Bearer sba_AAAAAAAAAAAAAAAAAAAAAA"),),
        "forged": (("authorization", f"Bearer {sign(key_id, 'sbsec_' + 'x' * 43, {})}"),),
        "unsigned": (("authorization", f"Bearer {jwt.encode({'act': {}}, '', algorithm='none')}"),),
        "expired": (("authorization", f"Bearer {old}"),),
        "no administrator": (("authorization", f"Bearer {sign(key_id, secret, {'sub': 'ann'})}"),),
    }.items():
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await wire.machines.ListMachines(request, metadata=metadata)
        met = refusal(caught.value)
        told[name] = (met.code, met.reason)
    assert told == {
        **dict.fromkeys(
            ("nothing", "no bearer", "another", "forged", "unsigned"), ("UNAUTHENTICATED", "TOKEN_INVALID")
        ),
        "expired": ("UNAUTHENTICATED", "TOKEN_EXPIRED"),
        "no administrator": ("PERMISSION_DENIED", "SCOPE_MISSING"),
    }


@pytest.mark.parametrize(
    "claims", [b"", b"{", b"[]", b'"ann"', b"\xff", json.dumps({"x": "x" * 16_384}).encode()]
)
async def test_claims_that_are_no_object_are_refused(wire: Raw, claims: bytes) -> None:
    metadata = (*wire.metadata, ("stateward-auth-context-bin", claims))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await wire.machines.ListMachines(machines.ListMachinesRequest(), metadata=metadata)
    assert refusal(caught.value).reason == "INVALID_JSON"


MACHINE = 'import { assign, createMachine } from "xstate";\n' + OPEN
ACTIONS = (
    MACHINE
    + """
const hog = () => { const all = []; for (;;) all.push(new Array(1e6).fill("x")); };
export default createMachine({
  context: ({ input }) => {
    if (input?.fail) throw new Error("no");
    return { public: {}, bad: input?.bad ? 1 / 0 : 0 };
  },
  initial: "a",
  states: {
    a: { on: { HOG: "hogged", LOOP: "round", NAN: { actions: assign({ bad: () => NaN }) }, ADD: {} } },
    hogged: { entry: hog, on: { BACK: "a" } },
    round: { always: "about" },
    about: { always: "round" },
  },
});
"""
)


async def fault(call: Any) -> str:
    with pytest.raises(MachineFault) as caught:
        await call
    return caught.value.reason


async def test_an_action_that_takes_all_memory_ends_its_process_and_nothing_else(
    server: Server, client: Client
) -> None:
    machine, neighbour = await published(client, ACTIONS), await published(client, DESKS["v5"])
    instance, other = machine.instance("one"), machine.instance("two")
    await instance.create()
    await other.create()
    await neighbour.instance("one").create()
    # The transition is on disk before its actions run: it stands, whatever they do.
    reply = await instance.send("HOG")
    assert (reply.state.value, reply.revision) == ("hogged", 2)
    assert (await neighbour.instance("one").send("ADD")).revision == 2
    async with server.client(attempts=50) as patient:
        for name in ("one", "two"):
            await patient.machine(machine.name).instance(name).send("BACK")
    assert (await instance.get()).value == "a"
    assert (await other.get()).revision == 2


async def test_machines_that_fail_in_other_ways_change_nothing(client: Client) -> None:
    machine: Machine = await published(client, ACTIONS)
    before = await census(client)
    assert await fault(machine.instance("one").create(context={"fail": True})) == "MACHINE_THREW"
    assert await fault(machine.instance("one").create(context={"bad": True})) == "CONTEXT_NOT_JSON"
    assert await census(client) == before
    instance = machine.instance("one")
    state = (await instance.create()).state
    assert await fault(instance.send("LOOP")) == "MACHINE_LOOPED"
    assert await fault(instance.send("NAN")) == "CONTEXT_NOT_JSON"
    assert await instance.get() == state
    assert (await instance.send("ADD")).revision == 2


async def test_a_module_with_a_foreign_xstate_that_acts_at_once_becomes_no_version(client: Client) -> None:
    machine = client.machine(unused("foreign"))
    await machine.create()
    before = await census(client)
    foreign = (
        OPEN
        + """
export default {
  __xstatenode: true, id: "foreign", config: {}, root: {}, states: {},
  provide() { return this; }, getInitialSnapshot() { return {}; },
};
"""
    )
    with pytest.raises(ModuleRejected) as caught:
        await machine.upload(foreign, language="javascript")
    assert caught.value.reason == "MODULE_XSTATE_UNSUPPORTED"
    assert await census(client) == before


async def test_a_client_with_a_wrong_token_is_told_so_by_its_class(server: Server) -> None:
    async with server.client(token="sba_no") as nobody:
        with pytest.raises(Unauthenticated):
            await nobody.machine("any").get()
