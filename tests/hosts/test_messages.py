# ruff: noqa: E501 - a machine on one line reads better than one in pieces
"""What machines say to other instances: recorded with the step, by both generations of XState."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from tests.hosts.kit import ALLOW, Driven, Rig

from stateward_server.model.step import (
    CancelTimer,
    EndInput,
    EventInput,
    Outcomes,
    Ref,
    SendParent,
    SendTo,
    SetTimer,
    Skipped,
    Spawn,
    Step,
    TimerInput,
)

DESK = Ref("desk", "one")
HI = '{"type":"HI"}'
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REF = '{ type: "statebacked.instance", id: "x", machineName: "desk", machineInstanceName: "one" }'


def v4(states: str, *, context: str = "{}", predictable: bool = True, more: str = "") -> str:
    """Return a machine of XState 4 that talks to others as `@statebacked/machine` does."""
    return f"""{ALLOW}
import {{ actions, assign, createMachine, send, sendParent, sendTo, spawn }} from "xstate@4";
const desk = {_REF};
const source = (of) => ({{ type: "statebacked.invoke", machineInstanceName: crypto.randomUUID(), ...of }});
const tell = (to, event, options) => ({{ type: "xstate.send", to, event: typeof event === "function" ? event : () => event, delay: options?.delay, id: options?.id }});
const make = (of, options) => globalThis.__statebaked_rt.spawn(of, options);
export default createMachine({{ predictableActionArguments: {str(predictable).lower()},
  context: {context}, initial: "a", {more} states: {states} }}, {{ delays: {{ SOON: (c) => c.wait ?? 5 }} }});
"""


def v5(states: str, *, context: str = "{}", more: str = "") -> str:
    return f"""{ALLOW}
import {{ instance, persistent }} from "@stateward/machine";
import {{ assign, cancel, createMachine, enqueueActions, forwardTo, fromCallback, raise, sendParent, sendTo, setup, spawnChild, stopChild }} from "xstate";
const desk = {_REF};
export default createMachine({{ context: {context}, initial: "a", {more} states: {states} }},
  {{ delays: {{ SOON: ({{ context: c }}) => c.wait ?? 5 }} }});
"""


async def told(instance: Driven, event: str) -> Step:
    return await instance.send({"type": event})


# ---------------------------------------------------------------------- the package of XState 4


@pytest.mark.parametrize("predictable", [True, False])
@pytest.mark.parametrize("runtime", ["__statebaked_rt", "__statebacked_rt"])
async def test_spawning_answers_with_a_reference_and_goes_with_the_step(
    rig: Rig, runtime: str, predictable: bool
) -> None:
    instance = await rig.start(
        v4(
            "{ a: { on: { GO: { actions: assign({ kid: () => globalThis."
            + runtime
            + '.spawn({ machineName: "desk", machineInstanceName: "one", machineVersionId: "ver_AAAAAAAAAAAAAAAAAAAAAA" }, { name: "kid", context: { n: 1 } }) }) },'
            ' HI: { actions: tell("kid", { type: "HI" }) } } } }',
            predictable=predictable,
        )
    )
    step = await told(instance, "GO")
    assert step.messages == (Spawn("kid", DESK, "ver_AAAAAAAAAAAAAAAAAAAAAA", '{"n":1}'),)
    assert (step.effects, step.view.settled) == (0, True)
    kid = {
        "type": "statebacked.instance",
        "id": "kid",
        "machineName": "desk",
        "machineInstanceName": "one",
    }
    assert instance.context == {"kid": kid}
    assert (await told(instance, "HI")).messages == (SendTo(DESK, HI),)


async def test_a_child_without_names_gets_new_ones(rig: Rig) -> None:
    instance = await rig.start(
        v4('{ a: { on: { GO: { actions: assign({ kid: () => make({ machineName: "desk" }) }) } } } }')
    )
    names: set[str] = set()
    for _ in range(2):
        (spawned,) = (await told(instance, "GO")).messages
        assert isinstance(spawned, Spawn)
        assert instance.context["kid"]["id"] == spawned.child
        assert instance.context["kid"]["machineInstanceName"] == spawned.to.instance
        names |= {spawned.child, spawned.to.instance}
    assert len(names) == 4
    assert all(_UUID.fullmatch(name) for name in names)


async def test_spawning_at_the_start_and_in_a_dropped_step(rig: Rig) -> None:
    source = v4(
        '{ a: { entry: assign({ kid: () => make({ machineName: "desk", machineInstanceName: "one" }, { name: "kid" }) }),'
        ' on: { BAD: { actions: [assign({ other: () => make({ machineName: "desk" }) }), assign(() => { throw new Error("no"); })] },'
        " NEXT: {} } } }"
    )
    instance = await rig.start(source)
    assert instance.step.messages == (Spawn("kid", DESK, None, None),)
    assert (await instance.fails("BAD")).reason == "MACHINE_THREW"
    assert (await told(instance, "NEXT")).messages == ()


async def test_an_actor_of_ones_own_is_spawned_by_the_same_call(rig: Rig) -> None:
    instance = await rig.start(
        v4(
            '{ a: { on: { GO: { actions: assign({ ref: () => make((send) => send("HELLO"), "e") }) }, HELLO: "b" } }, b: {} }'
        )
    )
    await instance.send("GO")
    assert (await instance.hear()).view.value_json == '"b"'


async def test_spawning_outside_of_an_assign_is_an_error(rig: Rig) -> None:
    instance = await rig.start(v4('{ a: { on: { GO: { actions: () => make({ machineName: "desk" }) } } } }'))
    assert (await told(instance, "GO")).messages == ()
    _, level, text = await rig.listener.next_log()
    assert level == "error"
    assert "only be spawned in an `assign`" in text


INVOKING4 = v4(
    '{ a: { on: { GO: "b" } }, b: { invoke: { id: "kid", src: source({ machineName: "desk", machineInstanceName: "one" }),'
    ' data: { n: (c, e) => c.n + e.by, fixed: 2 }, onDone: { target: "c", actions: assign({ got: (c, e) => e.data }) },'
    ' onError: { target: "d", actions: assign({ got: (c, e) => e.data }) } },'
    ' on: { LEAVE: "a", HI: { actions: sendTo("kid", { type: "HI" }) } } },'
    ' c: { on: { HI: { actions: sendTo("kid", { type: "HI" }) } } }, d: {} }',
    context="{ n: 1 }",
)
INVOKING5 = v5(
    '{ a: { on: { GO: "b" } }, b: { invoke: { id: "kid", src: persistent({ machine: "desk", instance: "one" }),'
    " input: ({ context, event }) => ({ n: context.n + event.by, fixed: 2 }),"
    ' onDone: { target: "c", actions: assign({ got: ({ event }) => event.output }) },'
    ' onError: { target: "d", actions: assign({ got: ({ event }) => event.error }) } },'
    ' on: { LEAVE: "a", HI: { actions: sendTo("kid", { type: "HI" }) } } },'
    " c: { on: { HI: { actions: ({ self }) => {} } } }, d: {} }",
    context="{ n: 1 }",
)
INVOKING = pytest.mark.parametrize("source", [INVOKING4, INVOKING5], ids=["v4", "v5"])


@INVOKING
@pytest.mark.parametrize("again", [False, True])
async def test_invoking_maps_the_context_and_keeps_the_child(rig: Rig, source: str, again: bool) -> None:
    instance = await rig.start(source)
    step = await instance.send({"type": "GO", "by": 4})
    assert step.messages == (Spawn("kid", DESK, None, '{"n":5,"fixed":2}'),)
    if again:
        rig.pool.evict(instance.at)
    assert (await told(instance, "HI")).messages == (SendTo(DESK, HI),)
    done = await instance.take(EndInput("kid", DESK, False, '{"sum":3}'))
    assert isinstance(done, Step)
    assert (instance.value, instance.context["got"]) == ("c", {"sum": 3})
    assert done.messages == ()


@INVOKING
async def test_a_failed_child_comes_with_its_error(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    await instance.send({"type": "GO", "by": 4})
    await instance.take(EndInput("kid", DESK, True, '{"message":"no"}'))
    assert (instance.value, instance.context["got"]) == ("d", {"message": "no"})


@pytest.mark.parametrize(
    ("source", "done", "failed"),
    [
        (
            INVOKING4,
            {"type": "done.invoke.kid", "data": 7},
            {"type": "error.platform.kid", "data": {"message": "no"}},
        ),
        (
            INVOKING5,
            {"type": "xstate.done.actor.kid", "output": 7, "actorId": "kid"},
            {"type": "xstate.error.actor.kid", "error": {"message": "no"}, "actorId": "kid"},
        ),
    ],
    ids=["v4", "v5"],
)
async def test_the_end_of_a_child_is_told_in_xstates_own_words(
    rig: Rig, source: str, done: object, failed: object
) -> None:
    for end, event in (
        (EndInput("kid", DESK, False, "7"), done),
        (EndInput("kid", DESK, True, '{"message":"no"}'), failed),
    ):
        instance = await rig.start(source)
        await instance.send({"type": "GO", "by": 4})
        step = await instance.take(end)
        assert isinstance(step, Step)
        assert json.loads(step.event_json) == event


@INVOKING
async def test_leaving_the_state_stops_the_routing_and_nothing_else(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    await instance.send({"type": "GO", "by": 1})
    step = await told(instance, "LEAVE")
    assert (step.messages, step.timers, step.effects) == ((), (), 0)
    assert await instance.take(EndInput("kid", DESK, False, "7")) == Skipped()
    assert "kid" not in json.loads(step.snapshot_json).get("children", {})


async def test_a_name_drawn_by_the_module_is_no_name_for_all_its_instances(rig: Rig) -> None:
    source = v4(
        '{ a: { invoke: { id: "kid", src: source({ machineName: "desk" }) }, on: { HI: { actions: sendTo("kid", "HI") } } } }'
    )
    version = rig.version(source)
    names = set()
    for _ in range(2):
        instance = await rig.instance(version)
        (spawned,) = instance.step.messages
        assert isinstance(spawned, Spawn)
        names.add(spawned.to.instance)
        # The stored child, not one of a fresh evaluation.
        rig.pool.evict(instance.at)
        assert (await told(instance, "HI")).messages == (SendTo(spawned.to, HI),)
    assert len(names) == 2


SENDS4 = [
    'tell(desk, { type: "HI" })',
    'tell((c) => desk, (c, e) => ({ type: "HI" }))',
    "sendTo(() => desk, { type: 'HI' })",
    "send('HI', { to: () => desk })",
    "actions.pure(() => tell(desk, { type: 'HI' }))",
]
SENDS5 = [
    'sendTo(desk, { type: "HI" })',
    'sendTo(() => desk, () => ({ type: "HI" }))',
    'sendTo(instance("desk", "one"), { type: "HI" })',
    'enqueueActions(({ enqueue }) => enqueue.sendTo(instance("desk", "one"), { type: "HI" }))',
]


@pytest.mark.parametrize(
    "source",
    [v4(f"{{ a: {{ on: {{ GO: {{ actions: {send} }} }} }} }}") for send in SENDS4]
    + [v5(f"{{ a: {{ on: {{ GO: {{ actions: {send} }} }} }} }}") for send in SENDS5],
)
async def test_any_instance_can_be_reached_by_a_reference(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    step = await told(instance, "GO")
    assert (step.messages, step.effects) == ((SendTo(DESK, HI),), 0)


@pytest.mark.parametrize(
    "source",
    [
        v4(
            '{ a: { on: { GO: { actions: sendParent("HI") }, ALSO: { actions: tell("#_parent", { type: "HI" }) } } } }'
        ),
        v5(
            '{ a: { on: { GO: { actions: sendParent({ type: "HI" }) }, ALSO: { actions: sendTo("#_parent", { type: "HI" }) } } } }'
        ),
    ],
    ids=["v4", "v5"],
)
async def test_the_parent_is_whoever_spawned_the_instance(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    for event in ("GO", "ALSO"):
        assert (await told(instance, event)).messages == (SendParent(HI),)


LATER = (
    'LATER: { actions: %s(desk, { type: "HI" }, { delay: 5, id: "x" }) },'
    ' NAMED: { actions: %s(desk, { type: "HI" }, { delay: "SOON", id: "x" }) },'
    ' FREE: { actions: %s(desk, { type: "HI" }, { delay: 5 }) },'
    ' NEVER: { actions: cancel("x") },'
    ' PARENT: { actions: %s("#_parent", { type: "HI" }, { delay: 5, id: "p" }) }'
)
DELAYING = pytest.mark.parametrize(
    "source",
    [
        v4("{ a: { on: { " + LATER.replace("%s", "tell").replace("cancel", "actions.cancel") + " } } }"),
        v5("{ a: { on: { " + LATER.replace("%s", "sendTo") + " } } }"),
    ],
    ids=["v4", "v5"],
)


@DELAYING
@pytest.mark.parametrize("event", ["LATER", "NAMED", "FREE"])
async def test_a_delayed_send_is_a_timer_of_the_server(rig: Rig, source: str, event: str) -> None:
    instance = await rig.start(source)
    (timer,) = (await told(instance, event)).timers
    assert isinstance(timer, SetTimer)
    assert (timer.delay_ms, timer.event_json, timer.to, timer.target) == (5, HI, DESK, None)


@DELAYING
async def test_a_delayed_send_is_cancelled_by_its_id_also_after_a_restart(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    (first,) = (await told(instance, "LATER")).timers
    (second,) = (await told(instance, "LATER")).timers
    assert isinstance(first, SetTimer)
    assert isinstance(second, SetTimer)
    assert first.id != second.id, "both are sent, as in XState"
    rig.pool.evict(instance.at)
    assert (await told(instance, "NEVER")).timers == (CancelTimer(second.id),)
    assert (await told(instance, "NEVER")).timers == ()
    await told(instance, "FREE")
    assert (await told(instance, "NEVER")).timers == ()


@DELAYING
async def test_what_was_sent_long_ago_is_forgotten(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    await told(instance, "LATER")
    for due, kept in (("9999999999999", 1), ("1", 0)):
        old = re.sub(r"@\d+", f"@{due}", instance.step.snapshot_json)
        instance.last = replace(instance.step, snapshot_json=old)
        rig.pool.evict(instance.at)
        timers = json.loads((await told(instance, "FREE")).snapshot_json).get("timers", {})
        assert len(timers) == kept


@DELAYING
async def test_a_delayed_word_to_the_parent_is_sent_when_it_is_due(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    (timer,) = (await told(instance, "PARENT")).timers
    assert isinstance(timer, SetTimer)
    rig.pool.evict(instance.at)
    due = TimerInput(timer.id, timer.event_json, timer.target)
    step = await instance.take(due)
    assert isinstance(step, Step)
    assert step.messages == (SendParent(HI),)
    assert await instance.take(due) == Skipped()


# ---------------------------------------------------------------------- actors of XState 5


@pytest.mark.parametrize(
    "action",
    [
        'spawnChild(persistent({ machine: "desk", instance: "one" }), { id: "kid", input: { n: 1 } })',
        'assign({ kid: ({ spawn }) => spawn(persistent({ machine: "desk", instance: ({ n }) => n === 1 ? "one" : "?" }), { id: "kid", input: { n: 1 } }) })',
        'enqueueActions(({ enqueue }) => enqueue.spawnChild(persistent({ machine: "desk", instance: "one" }), { id: "kid", input: { n: 1 } }))',
    ],
)
async def test_spawning_a_persistent_actor(rig: Rig, action: str) -> None:
    instance = await rig.start(
        v5(
            f"{{ a: {{ on: {{ GO: {{ actions: [{action}, sendTo('kid', {{ type: 'HI' }})] }},"
            " HI: { actions: sendTo(({ context }) => context.kid ?? 'kid', { type: 'HI' }) },"
            " FORWARD: { actions: forwardTo('kid') }, STOP: { actions: stopChild('kid') },"
            ' "xstate.done.actor.kid": "b" } }, b: {} }'
        )
    )
    step = await told(instance, "GO")
    assert step.messages == (Spawn("kid", DESK, None, '{"n":1}'), SendTo(DESK, HI))
    assert step.view.settled
    for _ in range(2):
        assert (await told(instance, "HI")).messages == (SendTo(DESK, HI),)
        rig.pool.evict(instance.at)
    assert (await told(instance, "FORWARD")).messages == (SendTo(DESK, '{"type":"FORWARD"}'),)
    await told(instance, "STOP")
    assert await instance.take(EndInput("kid", DESK, False, None)) == Skipped()
    await told(instance, "GO")
    await instance.take(EndInput("kid", DESK, False, None))
    assert instance.value == "b"


async def test_a_persistent_actor_can_have_a_system_id(rig: Rig) -> None:
    instance = await rig.start(
        v5(
            '{ a: { invoke: { id: "kid", systemId: "the-desk", src: persistent({ machine: "desk", instance: "one" }) },'
            ' on: { HI: { actions: sendTo(({ system }) => system.get("the-desk"), { type: "HI" }) } } } }'
        )
    )
    for _ in range(2):
        assert (await told(instance, "HI")).messages == (SendTo(DESK, HI),)
        rig.pool.evict(instance.at)


async def test_a_child_left_in_the_step_that_entered_it_is_never_made(rig: Rig) -> None:
    instance = await rig.start(
        v5(
            '{ a: { on: { GO: "b" } }, b: { invoke: { id: "kid", src: persistent({ machine: "desk" }) }, always: "c" }, c: {} }'
        )
    )
    assert (await told(instance, "GO")).messages == ()
    assert instance.value == "c"


async def test_what_is_said_to_a_child_on_leaving_it_is_sent(rig: Rig) -> None:
    instance = await rig.start(
        v5(
            '{ a: { invoke: { id: "kid", src: persistent({ machine: "desk", instance: "one" }) },'
            ' exit: sendTo("kid", { type: "HI" }), on: { GO: "b" } }, b: {} }'
        )
    )
    assert (await told(instance, "GO")).messages == (SendTo(DESK, HI),)


@pytest.mark.parametrize("options", ["{}", "{ delay: 5 }"])
async def test_a_stopped_child_is_reached_no_more_and_the_log_says_so(rig: Rig, options: str) -> None:
    instance = await rig.start(
        v5(
            '{ a: { entry: assign({ kid: ({ spawn }) => spawn(persistent({ machine: "desk" }), { id: "kid" }) }),'
            ' on: { GO: { actions: [stopChild("kid"), sendTo(({ context }) => context.kid, { type: "HI" }, OPTIONS)] } } } }'.replace(
                "OPTIONS", options
            )
        )
    )
    step = await told(instance, "GO")
    assert (step.messages, step.timers) == ((), ())
    _, level, text = await rig.listener.next_log()
    assert (level, "sending HI to the persistent child 'kid' failed" in text) == ("error", True)


@pytest.mark.parametrize(
    "action", ['({ context }) => context.kid.send({ type: "HI" })', 'raise({ type: "INNER" })']
)
async def test_what_would_pass_the_ledger_by_is_logged(rig: Rig, action: str) -> None:
    instance = await rig.start(
        v5(
            '{ a: { entry: assign({ kid: ({ spawn }) => spawn(persistent({ machine: "desk" }), { id: "kid" }) }),'
            f" on: {{ GO: {{ actions: {action} }}, INNER: 'b' }} }},"
            ' b: { invoke: { id: "m", src: createMachine({ entry: sendTo(() => desk, { type: "HI" }) }) } } }'
        )
    )
    await told(instance, "GO")
    _, level, text = await rig.listener.next_log()
    assert level == "error"
    assert "sending HI to the" in text


@pytest.mark.parametrize(
    "source",
    [
        v4(
            '{ a: { invoke: { id: "m", src: createMachine({ invoke: { src: source({ machineName: "desk" }) } }), onError: { target: "b", actions: assign({ why: (c, e) => e.data.message }) } } }, b: {} }'
        ),
        v5(
            '{ a: { invoke: { id: "m", src: createMachine({ invoke: { src: persistent({ machine: "desk" }) } }), onError: { target: "b", actions: assign({ why: ({ event }) => event.error.message }) } } }, b: {} }'
        ),
    ],
    ids=["v4", "v5"],
)
async def test_a_child_machine_cannot_have_persistent_children(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    await instance.hear()
    assert instance.value == "b"
    assert "only the machine itself can" in instance.context["why"]


async def test_a_child_spawned_and_stopped_in_one_step_is_never_made(rig: Rig) -> None:
    instance = await rig.start(
        v5(
            '{ a: { on: { GO: { target: "b", actions: [assign({ kid: ({ spawn }) => spawn(persistent({ machine: "desk" }), { id: "kid" }) }), stopChild("kid")] } } }, b: {} }'
        )
    )
    assert (await told(instance, "GO")).messages == ()
    await instance.send({"type": "NEXT"})
    assert rig.listener.logs == []


# ---------------------------------------------------------------------- refusals


def go4(actions: str) -> str:
    return v4(f"{{ a: {{ on: {{ GO: {{ actions: {actions} }} }} }} }}")


def go5(actions: str) -> str:
    return v5(f"{{ a: {{ on: {{ GO: {{ actions: {actions} }} }} }} }}")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            go4('tell({ ...desk, machineInstanceName: "a b" }, { type: "HI" })'),
            "'a b' is not a valid instance name",
        ),
        (go5('sendTo({ ...desk, machineName: undefined }, { type: "HI" })'), "is not a valid machine name"),
        (go4('assign({ k: () => make({ machineName: "" }) })'), "is not a valid machine name"),
        (
            go4('assign({ k: () => make({ machineName: "desk" }, { name: "" }) })'),
            "cannot be the id of a child",
        ),
        (
            go4('assign({ k: () => make({ machineName: "desk", machineVersionId: "v1" }) })'),
            "'v1' is not a version id",
        ),
        (
            go4('assign({ k: () => make({ machineName: "desk" }, { context: { at: new Date() } }) })'),
            "must be plain JSON, but it.at is",
        ),
        (
            go5('spawnChild(persistent({ machine: "desk" }), { id: "k", input: 7 })'),
            "must be plain JSON, but it is not an object",
        ),
        (
            go5('spawnChild(persistent({ machine: "desk", instance: "x".repeat(129) }), { id: "k" })'),
            "is not a valid instance name",
        ),
        (
            go5('spawnChild(persistent({ machine: "desk" }), { id: "x".repeat(257) })'),
            "cannot be the id of a child",
        ),
        (go5('sendTo(desk, { type: "HI", n: 1n })'), "must be plain JSON, but it.n is a bigint"),
        (go4('tell(desk, { type: "HI", text: "x".repeat(400_001) })'), "is larger than 400000 bytes"),
        (go5('sendTo(desk, { type: "xstate.done.actor.x" })'), "the name is XState's own"),
        (go5('sendParent({ type: "done.invoke.x" })'), "the name is XState's own"),
        (go4('actions.escalate("no")'), "the name is XState's own"),
        (go5('sendTo(desk, { type: "error.x" }, { delay: 5 })'), "the name is XState's own"),
        (
            go5(
                'enqueueActions(({ enqueue }) => { for (let i = 0; i < 1001; i++) enqueue.sendTo(desk, { type: "HI" }); })'
            ),
            "one step may send 1000 messages",
        ),
    ],
)
async def test_what_cannot_be_sent_refuses_the_step(rig: Rig, source: str, words: str) -> None:
    instance = await rig.start(source)
    failed = await instance.fails("GO")
    assert failed.reason == "MESSAGE_INVALID"
    assert words in failed.message


@pytest.mark.parametrize(
    ("source", "reason", "words"),
    [
        (
            v4(
                '{ a: { on: { GO: "b" } }, b: { invoke: { id: "kid", src: source({ machineName: "desk" }), autoForward: true } } }'
            ),
            "MESSAGE_INVALID",
            "autoForward does not reach",
        ),
        (
            v5(
                '{ a: { on: { GO: "b" } }, b: { invoke: { id: "kid", src: persistent({ machine: "desk" }), onSnapshot: {} } } }'
            ),
            "UNKNOWN_EFFECT",
            "no snapshots",
        ),
        (
            v5(
                '{ a: { on: { GO: "b" } }, b: { invoke: { id: "kid", src: persistent({ machine: "desk", instance: () => { throw new Error("no name"); } }) } } }'
            ),
            "MACHINE_THREW",
            "no name",
        ),
        (
            go5('assign({ k: () => globalThis.__statebacked_rt.spawn({ machineName: "desk" }) })'),
            "MESSAGE_INVALID",
            "XState 4",
        ),
        (go5('sendTo("nobody", { type: "HI" })'), "MACHINE_THREW", "nobody"),
    ],
)
async def test_what_means_nothing_between_instances_refuses_the_step(
    rig: Rig, source: str, reason: str, words: str
) -> None:
    instance = await rig.start(source)
    failed = await instance.fails("GO")
    assert (failed.reason, instance.value) == (reason, "a")
    assert words in failed.message


async def test_a_name_that_xstate_4_does_not_know_is_logged_as_there(rig: Rig) -> None:
    instance = await rig.start(go4('tell("nobody", { type: "HI" })'))
    assert (await told(instance, "GO")).messages == ()
    _, _, text = await rig.listener.next_log()
    assert "Unable to send event to child 'nobody'" in text


async def test_an_aborted_step_takes_its_child_with_it(rig: Rig) -> None:
    for source in (INVOKING4, INVOKING5):
        instance = await rig.start(source)
        go = EventInput('{"type":"GO","by":1}', "{}")
        first = await instance.ask(go)
        assert isinstance(first, Outcomes)
        rig.pool.abort(instance.at, instance.revision)
        assert await instance.take(EndInput("kid", DESK, False, None)) == Skipped()
        assert await instance.ask(go) == first
