# ruff: noqa: E501 - a machine on one line reads better than one in pieces
"""Instances of a real server that have each other as children and write to each other, also through `kill -9`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.kit import OPEN, published, unused
from tests.servers import serving

from stateward import Cause, Client, DeadLetterKind, Instance, RejectedByMachineAuthorizer

pytestmark = pytest.mark.slow

GENERATIONS = pytest.mark.parametrize("xstate", ["v4", "v5"])
LATE_MS = 700
WORKER = {"role": "worker"}

# A child takes mail from its parent's machine alone, in whose auth context there is nothing but the sender.
_SHUT = """
const isParent = (auth) => JSON.stringify(auth) === JSON.stringify({ stateBackedSender: { machineName: "PARENT", machineInstanceName: "one" } });
export const allowRead = () => true;
export const allowWrite = ({ authContext, event }) => event?.type !== "NO" && (isParent(authContext) || event !== undefined && authContext.role === "worker");
"""
CHILD = {
    "v4": _SHUT
    + """import { actions, assign, createMachine } from "npm:xstate@4";
const all = [assign({ public: (c, e) => ({ got: [...c.public.got, e.n] }) }), actions.sendParent((c, e) => ({ type: "ANSWER", n: e.n }))];
export default createMachine({ predictableActionArguments: true, context: { public: { got: [] } }, initial: "open", states: {
  open: { on: { TELL: [{ cond: (c, e) => e.n === "late", target: "over", actions: all }, { actions: all }], END: "over" } },
  over: { type: "final", data: (c) => c.public.got } } });""",
    "v5": _SHUT
    + """import { assign, createMachine, sendParent } from "npm:xstate@5";
const actions = [assign({ public: ({ context: c, event: e }) => ({ got: [...c.public.got, e.n] }) }), sendParent(({ event: e }) => ({ type: "ANSWER", n: e.n }))];
export default createMachine({ context: { public: { got: [] } }, initial: "open", output: ({ context: c }) => c.public.got, states: {
  open: { on: { TELL: [{ guard: ({ event: e }) => e.n === "late", target: "over", actions }, { actions }], END: "over" } },
  over: { type: "final" } } });""",
}
PARENT = {
    "v4": OPEN
    + """import { actions, assign, createMachine } from "npm:xstate@4";
const keep = assign({ public: (c, e) => ({ seen: [...c.public.seen, e.n ?? e.data] }) });
const tell = (event, options) => ({ actions: actions.sendTo("kid", event, options) });
export default createMachine({ predictableActionArguments: true, context: { public: { seen: [] } }, initial: "idle", on: { ANSWER: { actions: keep } }, states: {
  idle: { on: { GO: "having" } },
  having: { invoke: { id: "kid", src: { type: "statebacked.invoke", machineName: "CHILD", machineInstanceName: "kid" }, onDone: { target: "done", actions: keep } },
    on: { TELL: tell((c, e) => ({ type: "TELL", n: e.n })), LATER: tell({ type: "TELL", n: "late" }, { delay: 700 }), NO: tell({ type: "NO" }) } },
  done: {} } });""",
    "v5": OPEN
    + """import { assign, createMachine, sendTo } from "npm:xstate@5";
import { persistent } from "@stateward/machine";
const keep = assign({ public: ({ context: c, event: e }) => ({ seen: [...c.public.seen, e.n ?? e.output] }) });
const tell = (event, options) => ({ actions: sendTo("kid", event, options) });
export default createMachine({ context: { public: { seen: [] } }, initial: "idle", on: { ANSWER: { actions: keep } }, states: {
  idle: { on: { GO: "having" } },
  having: { invoke: { id: "kid", src: persistent({ machine: "CHILD", instance: "kid" }), onDone: { target: "done", actions: keep } },
    on: { TELL: tell(({ event: e }) => ({ type: "TELL", n: e.n })), LATER: tell({ type: "TELL", n: "late" }, { delay: 700 }), NO: tell({ type: "NO" }) } },
  done: {} } });""",
}
PLAYER = {
    "v4": OPEN
    + """import { assign, createMachine, send } from "npm:xstate@4";
export default createMachine({ predictableActionArguments: true, context: {}, on: { BALL: [
  { cond: (c, e) => e.n === 0, actions: assign({ public: () => ({ n: 0, over: true }) }) },
  { actions: [assign({ public: (c, e) => ({ n: e.n }) }), send((c, e) => ({ type: "BALL", n: e.n - 1 }), { to: (c) => c.other })] }] } });""",
    "v5": OPEN
    + """import { assign, createMachine, sendTo } from "npm:xstate@5";
export default createMachine({ context: ({ input }) => input, on: { BALL: [
  { guard: ({ event: e }) => e.n === 0, actions: assign({ public: () => ({ n: 0, over: true }) }) },
  { actions: [assign({ public: ({ event: e }) => ({ n: e.n }) }), sendTo(({ context: c }) => c.other, ({ event: e }) => ({ type: "BALL", n: e.n - 1 }))] }] } });""",
}


@dataclass(frozen=True, slots=True)
class Family:
    """A parent that has a child."""

    parent: Instance
    kid: Instance
    worker: Instance
    """The child, for somebody who may write to it."""


async def family(client: Client, xstate: str) -> Family:
    """Publish both machines, and let the parent ask for its child."""
    names = {"PARENT": unused("parent"), "CHILD": unused("child")}
    for kind, text in (("PARENT", PARENT[xstate]), ("CHILD", CHILD[xstate])):
        for placeholder, name in names.items():
            text = text.replace(f'"{placeholder}"', f'"{name}"')  # noqa: PLW2901 - it is put together
        await published(client, text, names[kind])
    parent = client.machine(names["PARENT"]).instance("one")
    await parent.create()
    await parent.send("GO")
    kids = client.machine(names["CHILD"])
    kid = kids.instance("kid")
    return Family(parent, kid, kids.instance("kid", auth_context=WORKER))


async def public(instance: Instance) -> Any:
    return (await instance.get()).public_context


async def until(instance: Instance, met: Callable[[Any], bool]) -> None:
    """Wait until the public context of an instance is as wanted."""
    async with asyncio.timeout(20), instance.subscribe() as updates:
        async for update in updates:
            if met(update.state.public_context):
                return


def fallen(to: int, public: Any) -> bool:
    return bool(public["n"] <= to)


async def causes(instance: Instance) -> list[Cause]:
    return [each.cause async for each in instance.transitions()]


@GENERATIONS
async def test_a_family_talks_and_the_child_decides_who_else_may(client: Client, xstate: str) -> None:
    here = await family(client, xstate)
    for n in (1, 2, 3):
        await here.parent.send({"type": "TELL", "n": n})
    await here.parent.send("NO")
    await here.parent.send("LATER")
    await here.parent.wait_for(state="done", timeout=20)
    heard = [1, 2, 3, "late"]
    assert await public(here.kid) == {"got": heard}
    assert await public(here.parent) == {"seen": [*heard, heard]}
    assert await causes(here.kid) == [Cause.CREATED] + [Cause.MESSAGE] * 4
    assert (await causes(here.parent))[-1] is Cause.CHILD
    (letter,) = [each async for each in client.machine(here.parent.machine).dead_letters()]
    assert (letter.kind, letter.reason) == (DeadLetterKind.MESSAGE, "REJECTED_BY_MACHINE_AUTHORIZER")


@GENERATIONS
async def test_somebody_else_ends_the_child_and_nobody_else_creates_one(client: Client, xstate: str) -> None:
    here = await family(client, xstate)
    await here.parent.send({"type": "TELL", "n": 1})
    await until(here.parent, lambda public: public["seen"] == [1])
    with pytest.raises(RejectedByMachineAuthorizer):
        await here.kid.send("END")
    with pytest.raises(RejectedByMachineAuthorizer):
        await client.machine(here.kid.machine).instance("mine", auth_context=WORKER).create()
    await here.worker.send("END")
    await here.parent.wait_for(state="done", timeout=20)
    assert await public(here.parent) == {"seen": [1, [1]]}


@GENERATIONS
async def test_a_kill_loses_and_repeats_nothing_between_instances(tmp_path: Path, xstate: str) -> None:
    """The server dies when the sender has its acknowledgements, and is down when the delayed one is due."""
    with serving(tmp_path) as server:
        async with server.client(attempts=200) as client:
            here = await family(client, xstate)
            armed = time.monotonic()
            await here.parent.send("LATER")
            told = list(range(20))
            for n in told:
                await here.parent.send({"type": "TELL", "n": n})
            server.kill()
            await asyncio.sleep(max(0.0, armed + LATE_MS / 1000 - time.monotonic()))  # the timer's own clock
            server.start()
            await here.parent.wait_for(state="done", timeout=20)
            heard = [*told, "late"]
            assert await public(here.kid) == {"got": heard}
            assert await public(here.parent) == {"seen": [*heard, heard]}
            assert [each async for each in client.machine(here.parent.machine).dead_letters()] == []


@GENERATIONS
async def test_a_ball_is_neither_lost_nor_doubled_through_kills(tmp_path: Path, xstate: str) -> None:
    balls = 60

    def other(machine: str, name: str) -> dict[str, object]:
        ref = {"type": "statebacked.instance", "id": name}
        return {"other": {**ref, "machineName": machine, "machineInstanceName": name}}

    with serving(tmp_path) as server:
        async with server.client(attempts=200) as client:
            machine = await published(client, PLAYER[xstate])
            ann, bob = machine.instance("ann"), machine.instance("bob")
            await ann.create(context=other(machine.name, "bob"))
            await bob.create(context=other(machine.name, "ann"))
            await ann.send({"type": "BALL", "n": balls})
            for left in (40, 20):
                await until(ann, partial(fallen, left))
                await asyncio.to_thread(server.restart)
            await until(ann, lambda public: "over" in public)
            volleys = [
                [each.event["n"] async for each in one.transitions() if "n" in each.event]
                for one in (ann, bob)
            ]
    assert volleys == [list(range(balls, -1, -2)), list(range(balls - 1, 0, -2))]
