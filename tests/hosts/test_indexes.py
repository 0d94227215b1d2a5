"""What the selectors of a version find in a context comes with each step, from both generations of XState."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.hosts.kit import ALLOW, Driven, Rig

from stateward_server.model.index import Selectors
from stateward_server.model.step import Failed

V5 = 'import { assign, createMachine } from "npm:xstate@5"; const put = ({ event }) => event.at;\n'
V4 = 'import { assign, createMachine } from "npm:xstate@4"; const put = (_, event) => event.at;\n'
HEADS = pytest.mark.parametrize("head", [V4, V5], ids=["v4", "v5"])

MACHINE = """
export default createMachine({ predictableActionArguments: true, initial: "a",
  context: { at: "start", secret: "s", public: { owner: "ann" } },
  states: { a: { on: { PUT: { actions: assign({ at: put }) } } } } });
"""


async def started(rig: Rig, head: str, selectors: Selectors) -> Driven:
    version = rig.version(ALLOW + head + MACHINE)
    rig.modules[version] = replace(rig.modules[version], selectors=selectors)
    return await rig.instance(version)


@HEADS
async def test_values_come_with_every_step(rig: Rig, head: str) -> None:
    selectors = (("at", "$.at"), ("owner", "$['public'].owner"), ("secret", "$.secret"))
    instance = await started(rig, head, selectors)
    always = {("owner", "ann"), ("secret", "s")}
    assert instance.step.indexes == {("at", "start"), *always}
    assert (await instance.send({"type": "PUT", "at": "end"})).indexes == {("at", "end"), *always}


@HEADS
async def test_a_machine_without_selectors_has_no_values(rig: Rig, head: str) -> None:
    instance = await started(rig, head, ())
    assert (await instance.send({"type": "PUT", "at": "end"})).indexes == frozenset()


@pytest.mark.parametrize(
    ("selector", "at", "values"),
    [
        ("$.at", "x", {"x"}),
        ("$.at", "", {""}),
        ("$.at", ["x", "y", "x"], {"x", "y"}),
        ("$.at", ["x", 1], set()),
        ("$.at", [], set()),
        ("$.at", 1, set()),
        ("$.at", None, set()),
        ("$.at", {"x": "y"}, set()),
        ("$.at", "\ud83d\ude00", {"\U0001f600"}),
        ("$.at.x", {"x": "y"}, {"y"}),
        ("$.at.x", "no object", set()),
        ("$.at.length", ["x"], set()),
        ("$.at.toString", {}, set()),
        ("$.at[1]", ["x", "y"], {"y"}),
        ("$.at[2]", ["x", "y"], set()),
        ("$.at[0]", {"0": "x"}, set()),
        ("$.at[0]", "text", set()),
        ("$.at[*]", ["x", ["y", "z"], 1], {"x", "y", "z"}),
        ("$.at[*]", {"a": "x", "b": "y"}, {"x", "y"}),
        ("$.at[*].sku", [{"sku": "x"}, {"sku": ["y"]}, {}, "z"], {"x", "y"}),
    ],
)
async def test_strings_and_arrays_of_strings_are_values(
    rig: Rig, selector: str, at: object, values: set[str]
) -> None:
    instance = await started(rig, V5, (("found", selector),))
    step = await instance.send({"type": "PUT", "at": at})
    assert step.indexes == {("found", value) for value in values}


async def test_half_a_character_does_not_break_the_frame(rig: Rig) -> None:
    head = V5.replace("event.at", 'event.at.repeat(1) + "\\ud800"')
    instance = await started(rig, head, (("at", "$.at"),))
    assert (await instance.send({"type": "PUT", "at": "x"})).indexes == {("at", "x\ufffd")}


@HEADS
@pytest.mark.parametrize("at", ["x" * 1025, "é" * 513, ["x"] * 101], ids=["long", "wide", "many"])
async def test_too_much_for_an_index_changes_nothing(rig: Rig, head: str, at: object) -> None:
    instance = await started(rig, head, (("at", "$.at"),))
    failed = await instance.outcome({"type": "PUT", "at": at})
    assert isinstance(failed, Failed)
    assert failed.reason == "INDEX_TOO_LARGE"
    assert "'at'" in failed.message
    assert instance.context["at"] == "start"


@pytest.mark.parametrize("at", ["x" * 1024, "é" * 512, [f"{n}" for n in range(100)]])
async def test_as_much_as_is_allowed_is_taken(rig: Rig, at: object) -> None:
    instance = await started(rig, V5, (("at", "$.at"),))
    step = await instance.send({"type": "PUT", "at": at})
    assert step.indexes == {("at", value) for value in (at if isinstance(at, list) else [at])}


async def test_an_actor_in_the_context_is_no_value(rig: Rig) -> None:
    head = V5 + 'import { fromCallback } from "npm:xstate@5";\n'
    source = (
        ALLOW
        + head
        + "export default createMachine({ initial: 'a', context: ({ spawn }) =>"
        + " ({ child: spawn(fromCallback(() => {}), { id: 'kid' }) }), states: { a: {} } });"
    )
    version = rig.version(source)
    rig.modules[version] = replace(rig.modules[version], selectors=(("id", "$.child.id"),))
    assert (await rig.instance(version)).step.indexes == frozenset()
