# ruff: noqa: E501 - a machine on one line reads better than one in pieces
"""Machines that have other instances as children, or write to them: both generations of XState, whole engine."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from deno import find_deno_bin  # type: ignore[import-untyped]  # the package has no stubs
from tests.machines.features import DIFFERENCES, covers
from tests.machines.kit import ROOT, trace
from tests.machines.native import Native

from stateward_server.cli import bundle
from stateward_server.cli.failure import Failure
from stateward_server.model.errors import PermissionDenied
from stateward_server.testing.lab import Lab, LabInstance, LabMachine

__all__ = ["DIFFERENCES"]

PAIR = ROOT / "docs" / "examples" / "order"
OPEN = "export const allowRead = () => true, allowWrite = () => true;\n"
HEAD = {
    "v4": OPEN + 'import * as x from "npm:xstate@4"; const a = x.actions;\n',
    "v5": OPEN
    + 'import * as x from "xstate"; import { instance, persistent } from "@stateward/machine"; const a = x;\n',
}
DIALECTS = pytest.mark.parametrize("dialect", ["v4", "v5"])

CARRIER = {"role": "carrier"}
CUSTOMER = {"role": "customer"}

# Children that keep what they hear, answer, end and fail on request.
CHILD = {
    "v4": """export default x.createMachine({ predictableActionArguments: true, context: { public: { got: [] } }, initial: "a",
      states: { a: { on: {
        HI: [{ cond: (c, e) => e.n === "end", target: "z" }, { actions: [x.assign({ public: (c, e) => ({ ...c.public, got: [...c.public.got, e.n] }) }), a.sendParent((c, e) => ({ type: "ANSWER", n: e.n }))] }],
        END: "z" } }, z: { type: "final", data: (c) => ({ heard: c.public.got.length }) } } });""",
    "v5": """export default x.createMachine({ context: ({ input }) => ({ public: { got: [], ...input?.public } }), initial: "a",
      output: ({ context: c }) => ({ heard: c.public.got.length }),
      states: { a: { on: {
        HI: [{ guard: ({ event: e }) => e.n === "end", target: "z" }, { actions: [x.assign({ public: ({ context: c, event: e }) => ({ ...c.public, got: [...c.public.got, e.n] }) }), x.sendParent(({ event: e }) => ({ type: "ANSWER", n: e.n }))] }],
        FAIL: "f", END: "z" } }, z: { type: "final" },
        f: { invoke: { src: x.fromPromise(async () => { throw new Error("broken"); }) } } } });""",
}

# Parents: the child is invoked on GO, spoken to on TELL, and what comes from it is kept.
_KEEP4 = "x.assign({ public: (c, e) => ({ seen: [...c.public.seen, e] }) })"
_KEEP5 = "x.assign({ public: ({ context: c, event: e }) => ({ seen: [...c.public.seen, e] }) })"
PARENT = {
    "v4": f"""export default x.createMachine({{ predictableActionArguments: true, context: {{ public: {{ seen: [] }} }}, initial: "a",
      on: {{ ANSWER: {{ actions: {_KEEP4} }} }},
      states: {{ a: {{ on: {{ GO: "b" }} }},
        b: {{ invoke: {{ id: "kid", src: {{ type: "statebacked.invoke", machineName: "child", machineInstanceName: "k" }}, data: {{ public: {{ got: [0] }} }},
              onDone: {{ target: "done", actions: {_KEEP4} }}, onError: {{ target: "failed", actions: {_KEEP4} }} }},
             on: {{ LEAVE: "a", TELL: {{ actions: a.sendTo("kid", (c, e) => ({{ type: "HI", n: e.n }})) }},
               LATER: {{ actions: a.sendTo("kid", {{ type: "HI", n: "later" }}, {{ delay: 60_000, id: "later" }}) }}, NEVER: {{ actions: a.cancel("later") }} }} }},
        done: {{ on: {{ AGAIN: "a" }} }}, failed: {{}} }} }});""",
    "v5": f"""export default x.createMachine({{ context: {{ public: {{ seen: [] }} }}, initial: "a",
      on: {{ ANSWER: {{ actions: {_KEEP5} }} }},
      states: {{ a: {{ on: {{ GO: "b" }} }},
        b: {{ invoke: {{ id: "kid", src: persistent({{ machine: "child", instance: "k" }}), input: {{ public: {{ got: [0] }} }},
              onDone: {{ target: "done", actions: {_KEEP5} }}, onError: {{ target: "failed", actions: {_KEEP5} }} }},
             on: {{ LEAVE: "a", TELL: {{ actions: x.sendTo("kid", ({{ event: e }}) => ({{ type: "HI", n: e.n }})) }},
               LATER: {{ actions: x.sendTo("kid", {{ type: "HI", n: "later" }}, {{ delay: 60_000, id: "later" }}) }}, NEVER: {{ actions: x.cancel("later") }} }} }},
        done: {{ on: {{ AGAIN: "a" }} }}, failed: {{}} }} }});""",
}


@asynccontextmanager
async def family(parent: str, child: str) -> AsyncIterator[tuple[Lab, LabInstance, LabInstance]]:
    """A parent in state b, and the child it has."""
    async with Lab.open() as lab:
        children = await lab.machine(HEAD[child] + CHILD[child], name="child", dialect=child)
        parents = await lab.machine(HEAD[parent] + PARENT[parent], name="parent", dialect=parent)
        one = await parents.create("p")
        await one.send("GO")
        yield lab, one, children.instance("k")


def seen(one: LabInstance) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = one.public["seen"]
    return events


def said(one: LabInstance) -> Any:
    """Return what the last event seen says, in whichever words: an output or an error."""
    last = seen(one)[-1]
    return last.get("data", last.get("output", last.get("error")))


@covers("child-invoke", "child-send", "parent-send", "child-end")
@pytest.mark.parametrize("parent", ["v4", "v5"])
@pytest.mark.parametrize("child", ["v4", "v5"])
async def test_a_family_of_any_generations(parent: str, child: str) -> None:
    async with family(parent, child) as (lab, one, kid):
        assert (kid.public["got"], one.state.settled) == ([0], True)
        await one.send("TELL", n=1)
        await lab.passivate()
        await one.send("TELL", n=2)
        assert kid.public["got"] == [0, 1, 2]
        assert seen(one) == [{"type": "ANSWER", "n": 1}, {"type": "ANSWER", "n": 2}]
        await kid.send("END")
        assert one.value == "done"
        assert said(one) == {"heard": 3}
        assert [state.cause for state in one.history[-2:]] == ["message", "child"]
        assert [state.cause for state in kid.history[:2]] == ["created", "message"]


@covers("child-end")
@DIALECTS
async def test_a_child_that_fails_ends_its_invocation(dialect: str) -> None:
    async with family(dialect, "v5") as (lab, one, kid):
        await kid.send("FAIL")
        await lab.quiet()
        assert (kid.state.status, one.value) == ("error", "failed")
        assert said(one)["message"] == "broken"


@covers("child-leave")
@DIALECTS
async def test_leaving_the_state_leaves_the_child_alone(dialect: str) -> None:
    async with family(dialect, dialect) as (_, one, kid):
        await one.send("LEAVE")
        await kid.send("END")
        assert (kid.state.status, one.value) == ("done", "a")
        # Invoked again, it is found at its end, which is told at once.
        await one.send("GO")
        assert (one.value, len(kid.history)) == ("done", 2)


@covers("child-invoke")
@DIALECTS
async def test_an_instance_that_exists_is_adopted_as_it_is(dialect: str) -> None:
    async with Lab.open() as lab:
        children = await lab.machine(HEAD[dialect] + CHILD[dialect], name="child", dialect=dialect)
        parents = await lab.machine(HEAD[dialect] + PARENT[dialect], name="parent", dialect=dialect)
        kid = await children.create("k")
        await kid.send("HI", n="mine")
        one, two = await parents.create("p"), await parents.create("q")
        for parent in (one, two):
            await parent.send("GO")
            await parent.send("TELL", n=parent.key.name)
        assert kid.public["got"] == ["mine", "p", "q"]
        await kid.send("END")
        assert (one.value, two.value) == ("done", "b"), "the first is its parent"


@covers("send-between-delayed")
@DIALECTS
async def test_a_delayed_send_to_another_instance_is_a_timer(dialect: str) -> None:
    async with family(dialect, dialect) as (lab, one, kid):
        revision = (await one.send("LATER")).revision
        (pending,) = await one.timers()
        assert pending.in_ms == 60_000
        await lab.restart(down="2m")
        assert kid.public["got"] == [0, "later"]
        answered = one.state.revision
        assert answered == revision + 1, "its firing is no transition of the sender; the answer is"
        await one.send("LATER")
        await lab.passivate()
        await one.send("NEVER")
        assert await one.timers() == []


@covers("child-refused")
@DIALECTS
async def test_a_child_that_may_not_be_created_is_an_error_event(dialect: str) -> None:
    closed = "export const allowRead = () => true, allowWrite = () => false;\n"
    async with Lab.open() as lab:
        await lab.machine(HEAD["v5"].replace(OPEN, closed) + CHILD["v5"], name="child", dialect="v5")
        parents = await lab.machine(HEAD[dialect] + PARENT[dialect], name="parent", dialect=dialect)
        one = await parents.create("p")
        await one.send("GO")
        assert one.value == "failed"
        assert (said(one)["name"], said(one)["reason"]) == ("SpawnFailed", "REJECTED_BY_MACHINE_AUTHORIZER")


SPAWNING = {
    "v4": 'x.assign({ kid: () => globalThis.__statebacked_rt.spawn({ machineName: "child" }, { name: "kid", context: { public: { got: ["v4"] } } }) })',
    "v5": 'x.assign({ kid: ({ spawn }) => spawn(persistent({ machine: "child" }), { id: "kid", input: { public: { got: ["v5"] } } }) })',
}
END = {"v4": "done.invoke.kid", "v5": "xstate.done.actor.kid"}


@covers("child-spawn")
@DIALECTS
async def test_a_spawned_child_is_reached_by_its_reference_and_says_when_it_ends(dialect: str) -> None:
    to = "(c) => c.kid" if dialect == "v4" else "({ context: c }) => c.kid"
    stop = 'a.stop("kid")' if dialect == "v4" else 'x.stopChild("kid")'
    config = f"""context: {{}}, initial: "a", states: {{ a: {{ on: {{ GO: {{ actions: {SPAWNING[dialect]} }}, TELL: {{ actions: a.sendTo({to}, {{ type: "HI", n: 1 }}) }},
      STOP: {{ actions: {stop} }}, "{END[dialect]}": "b" }} }}, b: {{}} }}"""
    options = "predictableActionArguments: true, " if dialect == "v4" else ""
    source = f"{HEAD[dialect]}export default x.createMachine({{ {options}{config} }});"
    async with Lab.open() as lab:
        children = await lab.machine(HEAD[dialect] + CHILD[dialect], name="child", dialect=dialect)
        one = await (await lab.machine(source, name="parent", dialect=dialect)).create("p")

        async def born() -> LabInstance:
            await one.send("GO")
            rows = json.loads(lab.history_of(one.key)[-1].snapshot_json)["children"]
            return children.instance(rows["kid"]["remote"]["instance"])

        first = await born()
        await lab.passivate()
        await one.send("TELL")
        assert first.public["got"] == [dialect, 1]
        await one.send("STOP")
        second = await born()
        assert second.key != first.key
        await first.send("END")
        assert one.value == "a", "another child has its id now"
        await second.send("END")
        assert one.value == "b"


@covers("instance-reference")
@DIALECTS
async def test_two_instances_play_ping_pong_by_references_in_their_contexts(dialect: str) -> None:
    to = "(c) => c.other" if dialect == "v4" else "({ context: c }) => c.other"
    e = "(c, e)" if dialect == "v4" else "({ context: c, event: e })"
    options = "predictableActionArguments: true, " if dialect == "v4" else ""
    context = "{}" if dialect == "v4" else "({ input }) => input"
    source = f"""{HEAD[dialect]}export default x.createMachine({{ {options}context: {context}, on: {{ BALL: [
      {{ {"cond" if dialect == "v4" else "guard"}: {e} => e.n === 0, actions: x.assign({{ public: {{ over: true }} }}) }},
      {{ actions: [x.assign({{ public: {e} => ({{ n: e.n }}) }}), a.sendTo({to}, {e} => ({{ type: "BALL", n: e.n - 1 }}))] }}] }} }});"""

    def other(name: str) -> dict[str, object]:
        return {
            "other": {
                "type": "statebacked.instance",
                "id": name,
                "machineName": "player",
                "machineInstanceName": name,
            }
        }

    async with Lab.open() as lab:
        players = await lab.machine(source, name="player", dialect=dialect)
        ann = await players.create("ann", context=other("bob"))
        bob = await players.create("bob", context=other("ann"))
        await ann.send("BALL", n=21)
        assert (ann.public, bob.public) == ({"n": 1}, {"over": True})
        assert [state.event["n"] for state in bob.history[1:]] == list(range(20, -1, -2))


@covers("child-of-a-child", "child-snapshots", "message-invalid")
def test_rows_whose_tests_are_those_of_the_host() -> None:
    """They need no engine: see tests/hosts/test_messages.py."""
    hosts = (ROOT / "tests" / "hosts" / "test_messages.py").read_text()
    for words in ("test_what_would_pass_the_ledger_by_is_logged", "no snapshots", "MESSAGE_INVALID"):
        assert words in hosts


# ---------------------------------------------------------------------- the example


class Shop:
    """An order and its shipment, as docs/examples/order has them."""

    def __init__(self, orders: LabMachine, shipments: LabMachine, books: LabInstance) -> None:
        self.orders, self.shipments, self.books = orders, shipments, books

    @property
    def order(self) -> LabInstance:
        return self.orders.instance("one")

    @property
    def shipment(self) -> LabInstance:
        return self.shipments.instance("shipment-one")


LEDGER = 'import { createMachine } from "xstate@5"; export default createMachine({});\n'


async def play(shop: Shop) -> None:
    await shop.orders.create("one", context={"id": "one", "address": "Main St 1"}, auth=CUSTOMER)
    await shop.order.send("PAY", auth=CUSTOMER)
    await shop.order.send("MOVE", auth=CUSTOMER, address="Side St 2")
    await shop.shipment.send("PICKED_UP", auth=CARRIER, tracking="T1")
    await shop.shipment.send("DELIVERED", auth=CARRIER, signedBy="Ann")


@pytest.fixture
async def shop() -> AsyncIterator[tuple[Lab, Shop]]:
    async with Lab.open() as lab:
        books = await (await lab.machine(OPEN + LEDGER, name="ledger", dialect="v5")).create("books")
        shipments = await lab.machine(PAIR / "shipment.ts", name="shipment", dialect="v5")
        orders = await lab.machine(PAIR / "order.ts", name="order", dialect="v5")
        yield lab, Shop(orders, shipments, books)


async def test_an_order_lives_with_its_shipment(shop: tuple[Lab, Shop]) -> None:
    _, here = shop
    await play(here)
    assert here.shipment.public == {"order": "one", "address": "Side St 2", "signedBy": "Ann"}
    assert here.order.state.status == "done"
    assert here.order.public == {"id": "one", "address": "Side St 2", "tracking": "T1", "signedBy": "Ann"}
    assert here.books.history[-1].event == {"type": "SOLD", "order": "one"}


async def test_nobody_but_the_shipment_says_that_it_was_shipped(shop: tuple[Lab, Shop]) -> None:
    _, here = shop
    await here.orders.create("one", context={"id": "one", "address": "Main St 1"}, auth=CUSTOMER)
    await here.order.send("PAY", auth=CUSTOMER)
    with pytest.raises(PermissionDenied):
        await here.order.send("SHIPPED", auth=CUSTOMER, tracking="mine")
    with pytest.raises(PermissionDenied):
        await here.shipment.send("ADDRESS", auth=CUSTOMER, address="mine")
    with pytest.raises(PermissionDenied):
        await here.shipments.create("mine", context={}, auth=CARRIER)
    assert here.shipment.history[0].event["type"] == "xstate.init"


async def test_a_late_shipment_says_so(shop: tuple[Lab, Shop]) -> None:
    lab, here = shop
    await here.orders.create("one", context={"id": "one", "address": "Main St 1"}, auth=CUSTOMER)
    await here.order.send("PAY", auth=CUSTOMER)
    await lab.advance("3d")
    assert here.order.public["late"] is True


ALONE = f"""
import {{ createActor }} from "xstate";
import order from "{(PAIR / "order.ts").as_uri()}";
import shipment from "{(PAIR / "shipment.ts").as_uri()}";
const sold: unknown[] = [];
const actor = createActor(order.provide({{ actors: {{ shipment }} }}), {{
  input: {{ id: "one", address: "Main St 1" }},
  inspect: (told) => {{ if (told.type === "@xstate.event" && told.event.type === "SOLD") sold.push(told.event); }},
}}).start();
actor.send({{ type: "PAY" }});
const child = actor.getSnapshot().children.shipment!;
actor.send({{ type: "MOVE", address: "Side St 2" }});
child.send({{ type: "PICKED_UP", tracking: "T1" }});
child.send({{ type: "DELIVERED", signedBy: "Ann" }});
const still = createActor(order, {{ input: {{ id: "two", address: "" }} }}).start();
still.send({{ type: "PAY" }});
const at: unknown = still.getSnapshot().children.shipment!.getSnapshot();
console.log(JSON.stringify([actor.getSnapshot(), sold, still.getSnapshot().value, at]));
"""


def test_the_example_type_checks_and_runs_without_a_server() -> None:
    """As its first lines tell users to test it; without a stand-in, the child stands still."""
    config = f"--config={ROOT / 'server' / 'hosts' / 'xstate' / 'deno.json'}"
    command = (find_deno_bin(), "run", "--quiet", "--check", "--frozen", config, "--allow-env=NODE_ENV", "-")
    ran = subprocess.run(command, input=ALONE, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    order, sold, value, child = json.loads(ran.stdout)
    assert order["status"] == "done"
    assert order["context"]["public"] == {
        "id": "one",
        "address": "Side St 2",
        "tracking": "T1",
        "signedBy": "Ann",
    }
    assert sold == [{"type": "SOLD", "order": "one"}]
    assert (value, child["status"], child["instance"]) == ("shipping", "active", "shipment-two")


# ---------------------------------------------------------------------- against XState in one process


_ACTS = ["GO", "GO", "LEAVE", "TELL", "TELL", "TELL", "END", "AGAIN"]


@DIALECTS
async def test_a_parent_goes_through_the_states_it_would_have_with_the_child_in_its_process(
    dialect: str, native: Native
) -> None:
    """Random lives, in which the parent is put out of memory now and then. Each child is a new one here, as there."""
    new = PARENT[dialect].replace('machineInstanceName: "k"', "machineInstanceName: crypto.randomUUID()")
    new = new.replace(', instance: "k"', "")
    inside = re.sub(r"persistent\(\{[^}]*\}\)|\{ type: \"statebacked.invoke\"[^}]*\}", "child", new)
    assert inside != new != PARENT[dialect]
    alone = HEAD[dialect] + CHILD[dialect].replace("export default", "const child =") + inside
    ends = 0
    async with Lab.open() as lab:
        await lab.machine(HEAD[dialect] + CHILD[dialect], name="child", dialect=dialect)
        parents = await lab.machine(HEAD[dialect] + new, name="parent", dialect=dialect)
        for seed in range(8):
            random = Random(seed)
            one = await parents.create(f"p{seed}")
            script: list[list[Any]] = [["begin", None]]
            for n, act in enumerate(random.choices(_ACTS, k=20)):
                event = {"type": "TELL", "n": "end"} if act == "END" else {"type": act, "n": n}
                script.append(["send", event])
                if random.random() < 0.1:
                    await lab.passivate()
                await one.send(event)
            ours = trace(one)
            ends += one.values.count("done")
            assert ours == await asyncio.to_thread(native.play, alone, script), f"seed {seed}"
    assert ends > 3, "too few of these lives saw a child end"


# ---------------------------------------------------------------------- the package of State Backed itself


PACKAGED = """
import { assign, createMachine } from "xstate";
import { persistentInvocableSource, sendTo, spawnPersistentInstance } from "npm:@statebacked/machine@0.6.0";
export const allowRead = () => true, allowWrite = () => true;
export default createMachine({ predictableActionArguments: true, context: { public: { seen: [] } }, initial: "a",
  on: { ANSWER: { actions: assign({ public: (c, e) => ({ seen: [...c.public.seen, e.n] }) }) } },
  states: {
    a: { on: { GO: "b", SPAWN: { actions: assign({ kid: () => spawnPersistentInstance(
        { machineName: "child", machineInstanceName: "s" }, { name: "spawned", context: { public: { got: ["s"] } } }) }) },
      TELL: { actions: sendTo((c) => c.kid, (c, e) => ({ type: "HI", n: e.n })) },
      LATER: { actions: sendTo("spawned", { type: "HI", n: "later" }, { delay: 5000 }) } } },
    b: { invoke: { id: "kid", src: persistentInvocableSource({ machineName: "child" }), data: { public: { got: [] } },
        onDone: "c" }, entry: sendTo("kid", { type: "HI", n: "end" }) },
    c: {},
  } });
"""


async def test_a_bundle_with_the_real_package_runs_as_it_is(tmp_path: Path) -> None:
    entry = tmp_path / "parent.ts"
    entry.write_text(PACKAGED)
    try:
        module = bundle.from_entry(entry, xstate=4, bundler=bundle.needs_bundler(entry))
    except Failure as failure:
        pytest.skip(f"the package cannot be fetched here: {failure.message}")
    assert "__statebaked_rt" in module.text
    built = tmp_path / "bundle.js"
    built.write_text(module.text)
    async with Lab.open() as lab:
        children = await lab.machine(HEAD["v4"] + CHILD["v4"], name="child")
        one = await (await lab.machine(built, name="parent")).create("p")
        await one.send("SPAWN")
        await one.send("TELL", n=1)
        await one.send("LATER")
        await lab.advance("5s")
        assert children.instance("s").public["got"] == ["s", 1, "later"]
        assert one.public["seen"] == [1, "later"]
        await one.send("GO")
        assert one.value == "c"
