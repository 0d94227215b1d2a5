"""Bad input of every kind against a real server: each has its reason, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from tests.e2e.kit import MACHINES, OPEN, Raw, census, published, refusal, shared, unused
from tests.servers import Server

from stateward import Client, Machine, State
from stateward.errors import StatewardError
from stateward.v1 import instance_service_pb2

pytestmark = pytest.mark.slow

DESK = MACHINES / "desk.v5.ts"
V5 = 'import { createMachine, assign } from "xstate";\n'
MACHINE = V5 + OPEN + 'export default createMachine({ initial: "a", states: { a: {} } });\n'


def guarded(guard: str) -> str:
    """A machine whose only event runs this code."""
    return (
        V5
        + OPEN
        + f"""
export default createMachine({{
  context: {{ public: {{ n: 0 }} }}, initial: "a",
  on: {{ GO: {{ guard: ({{ event }}) => {{ {guard} }}, actions: assign({{ public: {{ n: 1 }} }}) }} }},
  states: {{ a: {{}} }},
}});
"""
    )


def assigning(expression: str) -> str:
    """A machine whose only event puts this into its context."""
    return (
        V5
        + OPEN
        + f"""
export default createMachine({{
  context: {{ public: {{ n: 0 }} }}, initial: "a",
  on: {{ GO: {{ actions: assign({{ more: () => {expression} }}) }} }}, states: {{ a: {{}} }},
}});
"""
    )


MODULES = {
    "no module at all": ("this is { not code", "MODULE_SYNTAX_ERROR"),
    "no default export": (V5 + OPEN, "MODULE_EXPORT_MISSING"),
    "no machine as default export": (OPEN + "export default { states: {} };", "MODULE_EXPORT_MISSING"),
    "no authorisers": (MACHINE.replace(OPEN, ""), "MODULE_EXPORT_MISSING"),
    "an import nobody has": ('import x from "left-pad";\n' + MACHINE, "MODULE_LOAD_FAILED"),
    "throws while it loads": (MACHINE + 'throw new Error("no");', "MODULE_LOAD_FAILED"),
    "needs all memory": (
        MACHINE + 'const hog = []; for (;;) hog.push(new Array(1e6).fill("x"));',
        "MODULE_OUT_OF_MEMORY",
    ),
}

TRANSITIONS = {
    "a guard that throws": (guarded('throw new Error("no");'), "MACHINE_THREW"),
    "all memory in a guard": (
        guarded('const hog = []; for (;;) hog.push(new Array(1e6).fill("x"));'),
        "MACHINE_OUT_OF_MEMORY",
    ),
    "a context over the limit": (assigning('"x".repeat(400001)'), "CONTEXT_TOO_LARGE"),
    "a context with a Map": (assigning("new Map([[1, 2]])"), "CONTEXT_NOT_JSON"),
    "a context with a Date": (assigning("new Date(0)"), "CONTEXT_NOT_JSON"),
    "a context with a circle": (
        assigning("(() => { const a = {}; a.a = a; return a; })()"),
        "CONTEXT_NOT_JSON",
    ),
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """An event that cannot be, as JSON text, and the refusal it meets."""

    text: str
    code: str
    reason: str


EVENTS = {
    "no JSON": Wrong("{type: go}", "INVALID_ARGUMENT", "INVALID_JSON"),
    "nothing": Wrong("", "INVALID_ARGUMENT", "INVALID_JSON"),
    "a number": Wrong("7", "INVALID_ARGUMENT", "INVALID_JSON"),
    "a list": Wrong('["ADD"]', "INVALID_ARGUMENT", "INVALID_JSON"),
    "no type": Wrong('{"name": "ADD"}', "INVALID_ARGUMENT", "INVALID_JSON"),
    "a type that is no text": Wrong('{"type": 1}', "INVALID_ARGUMENT", "INVALID_JSON"),
    "an empty type": Wrong('{"type": ""}', "INVALID_ARGUMENT", "INVALID_JSON"),
    "too deep": Wrong(
        '{"type": "ADD", "x": ' + "[" * 5000 + "]" * 5000 + "}", "INVALID_ARGUMENT", "INVALID_JSON"
    ),
    "too large": Wrong(
        json.dumps({"type": "ADD", "x": "x" * 400_000}), "RESOURCE_EXHAUSTED", "REQUEST_TOO_LARGE"
    ),
    "larger than a message": Wrong(
        json.dumps({"type": "ADD", "x": "x" * 5_000_000}), "RESOURCE_EXHAUSTED", "REQUEST_TOO_LARGE"
    ),
    "a type of the system": Wrong('{"type": "xstate.stop"}', "INVALID_ARGUMENT", "EVENT_RESERVED"),
    "a forged end of a service": Wrong('{"type": "done.invoke.pay"}', "INVALID_ARGUMENT", "EVENT_RESERVED"),
}


@pytest.fixture
async def machine(client: Client) -> Machine:
    return await shared(client, DESK)


@pytest.fixture
def name() -> str:
    """The name of an instance that the test has for itself."""
    return unused("one")


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(StatewardError) as caught:
        await call
    return caught.value.code.name, caught.value.reason


@pytest.mark.parametrize(("source", "reason"), MODULES.values(), ids=MODULES.keys())
async def test_a_module_that_cannot_run_becomes_no_version(client: Client, source: str, reason: str) -> None:
    machine = client.machine(unused("refused"))
    await machine.create()
    before = await census(client)
    assert await refused(machine.upload(source, language="javascript")) == ("INVALID_ARGUMENT", reason)
    assert await census(client) == before
    await machine.upload(MACHINE, language="javascript")
    assert (await machine.instance("works").create()).state.value == "a"


async def test_a_syntax_error_says_where_it_is(client: Client) -> None:
    machine = client.machine(unused("refused"))
    await machine.create()
    with pytest.raises(StatewardError) as caught:
        await machine.upload(MACHINE + "const x = = 1;", language="javascript")
    assert caught.value.reason == "MODULE_SYNTAX_ERROR"
    assert caught.value.metadata["line"] == str(MACHINE.count("\n") + 1)
    assert caught.value.metadata["column"].isdecimal()


@pytest.mark.parametrize(("source", "reason"), TRANSITIONS.values(), ids=TRANSITIONS.keys())
async def test_a_step_that_cannot_be_taken_changes_nothing(client: Client, source: str, reason: str) -> None:
    machine = await published(client, source)
    instance, other = machine.instance("a"), machine.instance("b")
    before: State = (await instance.create()).state
    await other.create()
    assert await refused(instance.send("GO")) == ("FAILED_PRECONDITION", reason)
    assert await instance.get() == before
    # The same process answers for its other instances, or a new one does.
    assert (await other.send("UNKNOWN")).revision == 2


async def test_endless_loops_are_ended_and_hold_up_nobody_else(
    client: Client, machine: Machine, name: str
) -> None:
    looping, endless = await published(client, guarded("for (;;) {}")), client.machine(unused("refused"))
    await endless.create()
    instance, neighbour = looping.instance("a"), machine.instance(name)
    before = (await instance.create()).state
    await neighbour.create()

    loops = [
        asyncio.create_task(refused(instance.send("GO"))),
        asyncio.create_task(refused(endless.upload(MACHINE + "for (;;) {}", language="javascript"))),
    ]
    for _ in range(20):
        await neighbour.send("ADD")
    assert not any(loop.done() for loop in loops)
    assert await asyncio.gather(*loops) == [
        ("FAILED_PRECONDITION", "MACHINE_TIMED_OUT"),
        ("INVALID_ARGUMENT", "MODULE_TIMED_OUT"),
    ]
    assert await instance.get() == before
    assert (await instance.send("UNKNOWN")).revision == 2
    assert [each async for each in endless.versions()] == []


@pytest.mark.parametrize("wrong", EVENTS.values(), ids=EVENTS.keys())
async def test_an_event_that_cannot_be_is_refused_whole(
    machine: Machine, name: str, wire: Raw, wrong: Wrong
) -> None:
    instance = machine.instance(name)
    before = (await instance.create()).state
    request = instance_service_pb2.SendEventRequest(
        name=f"machines/{machine.name}/instances/{name}", event_json=wrong.text
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await wire.instances.SendEvent(request, metadata=wire.metadata)
    met = refusal(caught.value)
    assert (met.code, met.reason) == (wrong.code, wrong.reason)
    assert await instance.get() == before
    assert (await instance.send("ADD")).revision == before.revision + 1


async def test_what_does_not_exist_is_not_found(client: Client, machine: Machine) -> None:
    nowhere = client.machine(unused("nowhere"))
    assert await refused(nowhere.get()) == ("NOT_FOUND", "MACHINE_NOT_FOUND")
    assert await refused(nowhere.instance("a").create()) == ("NOT_FOUND", "MACHINE_NOT_FOUND")
    assert await refused(machine.instance("nobody").get()) == ("NOT_FOUND", "INSTANCE_NOT_FOUND")
    assert await refused(machine.instance("nobody").send("ADD")) == ("NOT_FOUND", "INSTANCE_NOT_FOUND")


async def test_a_name_is_taken_once(client: Client, machine: Machine, name: str) -> None:
    await machine.instance(name).create()
    before = await census(client)
    assert await refused(machine.create()) == ("ALREADY_EXISTS", "MACHINE_EXISTS")
    assert await refused(machine.instance(name).create()) == ("ALREADY_EXISTS", "INSTANCE_EXISTS")
    assert await census(client) == before


async def test_a_machine_without_a_version_starts_nothing(client: Client) -> None:
    machine = client.machine(unused("empty"))
    await machine.create()
    met = await refused(machine.instance("a").create())
    assert met == ("FAILED_PRECONDITION", "NO_CURRENT_VERSION")


async def test_an_initial_context_over_the_limit_creates_nothing(client: Client) -> None:
    machine = await published(client, guarded("return true;"))
    before = await census(client)
    context = {"public": {"x": "x" * 400_000}}
    assert (await refused(machine.instance("a").create(context=context)))[1] == "CONTEXT_TOO_LARGE"
    assert await census(client) == before


async def test_an_ended_instance_takes_no_more_events(machine: Machine, name: str) -> None:
    instance = machine.instance(name)
    await instance.create()
    ended = (await instance.send("END")).state
    assert ended.done
    assert await refused(instance.send("ADD")) == ("FAILED_PRECONDITION", "INSTANCE_ENDED")
    assert await instance.get() == ended


async def test_an_event_for_another_revision_is_aborted(machine: Machine, name: str) -> None:
    instance = machine.instance(name)
    await instance.create()
    await instance.send("ADD", expected_revision=1)
    assert await refused(instance.send("ADD", expected_revision=1)) == ("ABORTED", "REVISION_MISMATCH")
    assert (await instance.get()).revision == 2


async def test_the_server_is_well_after_all_of_that(server: Server, client: Client) -> None:
    assert server.process.poll() is None
    machine = await published(client, DESK)
    assert (await machine.instance("a").create()).state.value == "idle"
