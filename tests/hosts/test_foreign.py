"""What machines say to other instances: not carried yet, and refused by name rather than dropped."""

from __future__ import annotations

import pytest
from tests.hosts.kit import ALLOW, Rig

V4 = (
    ALLOW
    + """
import { assign, createMachine, spawn } from "xstate@4";
const desk = { type: "statebacked.instance", id: "desk", machineName: "desk", machineInstanceName: "one" };
const invoked = { type: "statebacked.invoke", machineName: "desk", machineInstanceName: "one" };
export default createMachine({
  predictableActionArguments: true, context: {}, initial: "a",
  states: {
    a: { on: {
      TELL: { actions: { type: "xstate.send", to: () => desk, event: () => ({ type: "ADD" }) } },
      LATER: { actions: { type: "xstate.send", to: () => desk, event: () => ({ type: "ADD" }), delay: 10 } },
      SPAWN: { actions: assign({ ref: () => __statebacked_rt.spawn({ machineName: "desk" }) }) },
      SPAWN_OLD: { actions: assign({ ref: () => __statebaked_rt.spawn({ machineName: "desk" }) }) },
      EPHEMERAL: { actions: assign({ ref: () => __statebacked_rt.spawn((send) => send("HELLO"), "e") }) },
      INVOKE: "b",
      HELLO: "c",
    } },
    b: { invoke: { id: "desk", src: invoked } },
    c: {},
  },
});
"""
)


@pytest.mark.parametrize("event", ["TELL", "LATER", "SPAWN", "SPAWN_OLD", "INVOKE"])
async def test_another_instance_is_refused_and_nothing_changes(rig: Rig, event: str) -> None:
    instance = await rig.start(V4)
    assert (await instance.fails(event)).reason == "UNKNOWN_EFFECT"
    assert instance.value == "a"


async def test_an_actor_of_ones_own_is_spawned_by_the_same_call(rig: Rig) -> None:
    instance = await rig.start(V4)
    await instance.send("EPHEMERAL")
    assert (await instance.hear()).view.value_json == '"c"'
