# ruff: noqa: E501 - a machine on one line reads better than one in pieces
"""The rows of docs/xstate.md where a server cannot, or should not, do what XState does: what happens instead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.machines.features import DIFFERENCES, covers, source

from stateward_server.model.errors import FailedPrecondition, InvalidArgument, StatewardError
from stateward_server.testing.lab import Lab, LabInstance

__all__ = ["DIFFERENCES"]

DIALECTS = pytest.mark.parametrize("dialect", ["v4", "v5"])


@asynccontextmanager
async def an(
    dialect: str, config: str, before: str = "", context: object = None
) -> AsyncIterator[tuple[Lab, LabInstance]]:
    async with Lab.open() as lab:
        machine = await lab.machine(source(dialect, config, before), dialect=dialect)
        yield lab, await machine.create("one", context=context)


def assigning(dialect: str, value: str) -> str:
    return (
        f"x.assign({{ public: (c) => ({value}) }})"
        if dialect == "v4"
        else f"x.assign({{ public: ({{ context: c }}) => ({value}) }})"
    )


@covers("always-loop")
@DIALECTS
async def test_a_loop_is_refused(dialect: str) -> None:
    async with an(
        dialect,
        'initial: "a", states: { a: { on: { GO: "b", STAY: "a" } }, b: { always: "c" }, c: { always: "b" } }',
    ) as (_, one):
        with pytest.raises(FailedPrecondition) as refusal:
            await one.send("GO")
        assert refusal.value.reason == "MACHINE_LOOPED"
        assert one.value == "a"
        await one.send("STAY")


@covers("max-iterations")
async def test_a_machine_may_ask_for_less() -> None:
    config = """context: { public: { n: 0 } }, options: { maxIterations: LIMIT }, initial: "a", states: {
        a: { on: { GO: "b" } }, b: { always: [{ guard: ({ context: c }) => c.public.n >= 50, target: "c" },
        { target: "b", reenter: true, actions: x.assign({ public: ({ context: c }) => ({ n: c.public.n + 1 }) }) }] },
        c: {} }"""
    async with an("v5", config.replace("LIMIT", "10")) as (_, one):
        with pytest.raises(FailedPrecondition) as refusal:
            await one.send("GO")
        assert refusal.value.reason == "MACHINE_LOOPED"
    async with an("v5", config.replace("LIMIT", "1e9")) as (_, one):
        assert (await one.send("GO")).value == "c"


@covers("non-json-context")
@DIALECTS
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("{ when: new Date(0) }", "is an instance of Date"),
        ("{ all: new Map() }", "is an instance of Map"),
        ("{ n: 1n }", "is a bigint"),
        ("{ n: NaN }", "is NaN"),
        ("{ f: () => 1 }", "is a function"),
    ],
)
async def test_a_context_that_json_would_change_is_refused(dialect: str, value: str, fault: str) -> None:
    config = (
        'context: { public: {} }, initial: "a", states: { a: { on: { GO: { target: "b", actions: '
        f"{assigning(dialect, value)} }} }} }}, b: {{}} }}"
    )
    async with an(dialect, config) as (_, one):
        with pytest.raises(FailedPrecondition, match=fault) as refusal:
            await one.send("GO")
        assert refusal.value.reason == "CONTEXT_NOT_JSON"
        assert one.value == "a"


@covers("undefined-in-context")
@DIALECTS
async def test_undefined_properties_are_dropped(dialect: str) -> None:
    config = (
        'context: { public: {} }, initial: "a", states: { a: { on: { GO: { actions: '
        f"{assigning(dialect, '{ gone: undefined, kept: null }')} }} }} }} }}"
    )
    async with an(dialect, config) as (_, one):
        assert (await one.send("GO")).public == {"kept": None}


@covers("unserialisable-event")
@DIALECTS
async def test_a_delayed_event_must_be_json(dialect: str) -> None:
    later = (
        'a.send({ type: "L", f: () => 1 }, { delay: 9 })'
        if dialect == "v4"
        else 'x.raise({ type: "L", f: () => 1 }, { delay: 9 })'
    )
    config = (
        f'initial: "a", states: {{ a: {{ on: {{ GO: {{ target: "b", actions: {later} }} }} }}, b: {{}} }}'
    )
    async with an(dialect, config) as (_, one):
        with pytest.raises(StatewardError) as refusal:
            await one.send("GO")
        assert refusal.value.reason == "EVENT_UNSERIALIZABLE"
        assert one.value == "a"


@covers("service-event")
async def test_what_a_service_says_need_not_be_json() -> None:
    config = (
        'context: { public: {} }, initial: "a", states: { a: { invoke: { src: x.fromPromise(async () => new Date(5)),'
        ' onDone: { target: "b", actions: x.assign({ public: ({ event }) => ({ t: event.output.getTime() }) }) } } },'
        " b: {} }"
    )
    async with an("v5", config) as (_, one):
        assert one.public == {"t": 5}
        assert one.state.event["output"] == "1970-01-01T00:00:00.005Z"


@covers("reserved-events")
@DIALECTS
@pytest.mark.parametrize("event", ["xstate.init", "done.invoke.k", "error.platform.k", "xstate.done.actor.k"])
async def test_callers_cannot_speak_for_services(dialect: str, event: str) -> None:
    async with an(dialect, 'initial: "a", states: { a: {} }') as (_, one):
        with pytest.raises(InvalidArgument) as refusal:
            await one.send(event)
        assert refusal.value.reason == "EVENT_RESERVED"


@covers("input")
async def test_what_is_given_at_creation() -> None:
    given = {"n": 3}
    async with an(
        "v5",
        'context: ({ input }) => ({ public: { twice: input.n * 2 } }), initial: "a", states: { a: {} }',
        context=given,
    ) as (_, one):
        assert one.public == {"twice": 6}
    async with an(
        "v5",
        'context: { public: { n: 1 }, m: 1 }, initial: "a", states: { a: {} }',
        context={"public": given},
    ) as (_, one):
        assert one.state.context == {"public": {"n": 3}, "m": 1}
    async with an(
        "v4",
        'context: { public: { n: 1 }, m: 1 }, initial: "a", states: { a: {} }',
        context={"public": given},
    ) as (_, one):
        assert one.state.context == {"public": {"n": 3}, "m": 1}


@covers("output")
async def test_the_output_of_a_machine() -> None:
    config = (
        'initial: "a", states: { a: { on: { GO: "z" } }, z: { type: "final" } }, output: () => ({ sum: 3 })'
    )
    async with an("v5", config) as (_, one):
        await one.send("GO")
        assert (one.state.status, one.state.output) == ("done", {"sum": 3})
        with pytest.raises(FailedPrecondition) as refusal:
            await one.send("GO")
        assert refusal.value.reason == "INSTANCE_ENDED"


@covers("meta")
@DIALECTS
async def test_meta_stays_inside(dialect: str) -> None:
    read = (
        "(c, e, { state }) => console.log(state.meta['m.a'].text)"
        if dialect == "v4"
        else "({ self }) => console.log(self.getSnapshot().getMeta()['m.a'].text)"
    )
    # Version 4 hands the state to actions only without this option.
    option = "predictableActionArguments: false, " if dialect == "v4" else ""
    config = f'{option}id: "m", initial: "a", states: {{ a: {{ meta: {{ text: "hi" }}, on: {{ GO: {{ actions: {read} }} }} }} }}'
    async with an(dialect, config) as (_, one):
        await one.send("GO")
        assert one.logs == ["hi"]


@covers("custom-actions", "log")
@DIALECTS
async def test_actions_run_in_order_after_the_commit(dialect: str) -> None:
    log = 'a.log("two")' if dialect == "v4" else 'x.log("two")'
    throws = "() => { throw new Error('too late'); }"
    config = (
        'initial: "a", states: { a: { on: { GO: { target: "b",'
        f' actions: [() => console.log("one"), {log}, () => console.log("three")] }},'
        f' NO: {{ target: "b", actions: [() => console.log("never"), {assigning(dialect, f"({throws})()")}] }} }} }}, b: {{}} }}'
    )
    async with an(dialect, config) as (lab, one):
        with pytest.raises(FailedPrecondition):
            await one.send("NO")
        assert one.logs == []
        await one.send("GO")
        assert one.logs == ["one", "two", "three"]
        await lab.restart()
        assert one.logs == ["one", "two", "three"]


@covers("action-throws")
@DIALECTS
async def test_an_action_that_throws_is_logged(dialect: str) -> None:
    config = (
        'initial: "a", states: { a: { on: { GO: { target: "b", actions: [() => { throw new Error("oh no"); },'
        ' () => console.log("next")] } } }, b: {} }'
    )
    async with an(dialect, config) as (_, one):
        assert (await one.send("GO")).value == "b"
        assert one.state.status == "active"
        assert "oh no" in one.logs[0]
        assert one.logs[1] == "next"


@covers("guard-throws")
@DIALECTS
async def test_a_guard_that_throws_refuses_the_event(dialect: str) -> None:
    word = "cond" if dialect == "v4" else "guard"
    config = f'initial: "a", states: {{ a: {{ on: {{ GO: {{ target: "b", {word}: () => {{ throw new Error("oh no"); }} }} }} }}, b: {{}} }}'
    async with an(dialect, config) as (_, one):
        with pytest.raises(FailedPrecondition, match="oh no") as refusal:
            await one.send("GO")
        assert refusal.value.reason == "MACHINE_THREW"
        assert (one.value, one.state.status) == ("a", "active")


@covers("strict")
async def test_a_strict_machine_refuses_unknown_events() -> None:
    async with an("v4", 'strict: true, initial: "a", states: { a: { on: { GO: "a" } } }') as (_, one):
        with pytest.raises(FailedPrecondition) as refusal:
            await one.send("WHAT")
        assert refusal.value.reason == "MACHINE_THREW"


@covers("predictable-action-arguments")
async def test_without_it_version_4_assigns_first() -> None:
    config = """context: { public: { n: 0 } }, initial: "a", states: { a: { on: { GO: { actions: [
        (c) => console.log(`saw ${c.public.n}`), x.assign({ public: (c) => ({ n: c.public.n + 1 }) }) ] } } } }"""
    async with an("v4", config) as (_, one):
        await one.send("GO")
        assert one.logs == ["saw 0"]
    async with an("v4", f"predictableActionArguments: false, {config}") as (_, one):
        await one.send("GO")
        assert one.logs == ["saw 1"]


@covers("emit")
async def test_emitted_events_stay_in_the_process() -> None:
    config = """initial: "a", states: { a: { entry: ({ self }) => self.on("told", (e) => console.log(`told ${e.n}`)),
        on: { GO: { target: "b", actions: x.emit({ type: "told", n: 1 }) } } }, b: {} }"""
    async with an("v5", config) as (_, one):
        assert (await one.send("GO")).value == "b"
        assert one.logs == ["told 1"]


@covers("unknown-action")
@DIALECTS
async def test_an_action_only_a_newer_xstate_knows_is_refused(dialect: str) -> None:
    config = 'initial: "a", states: { a: { on: { GO: { target: "b", actions: { type: "xstate.future" } } } }, b: {} }'
    async with an(dialect, config) as (_, one):
        with pytest.raises(FailedPrecondition) as refusal:
            await one.send("GO")
        assert refusal.value.reason == "UNKNOWN_EFFECT"


ECHO = {
    "v4": """const echo = x.createMachine({ predictableActionArguments: true, initial: "e", states: { e: {
        on: { PING: { actions: x.sendParent("PONG") } }, after: { 10: { actions: x.sendParent("TICK") } } } } });""",
    "v5": """const echo = x.createMachine({ initial: "e", states: { e: {
        on: { PING: { actions: x.sendParent({ type: "PONG" }) } },
        after: { 10: { actions: x.sendParent({ type: "TICK" }) } } } } });""",
}


@covers("send-to-delayed")
@DIALECTS
async def test_a_delayed_event_for_a_child_is_a_timer_of_the_instance(dialect: str) -> None:
    send_to = "a.sendTo" if dialect == "v4" else "x.sendTo"
    config = (
        'initial: "a", states: { a: { invoke: { id: "e", src: echo }, on: { PONG: "b",'
        f' GO: {{ actions: {send_to}("e", {{ type: "PING" }}, {{ delay: 500 }}) }} }} }}, b: {{}} }}'
    )
    # The child's own timer is real time: it must not come first on a busy machine.
    async with an(dialect, config, ECHO[dialect].replace("10:", "1e9:")) as (lab, one):
        await one.send("GO")
        assert [timer.in_ms for timer in await one.timers()] == [500]
        await lab.advance(500)
        assert [state.event["type"] for state in one.history][-2:] == ["PING", "PONG"]
        assert one.value == "b"


@covers("child-timers")
@DIALECTS
async def test_the_timers_inside_a_child_are_those_of_its_process(dialect: str) -> None:
    config = 'initial: "a", states: { a: { invoke: { id: "e", src: echo }, on: { TICK: "b" } }, b: {} }'
    async with an(dialect, config, ECHO[dialect]) as (_, one):
        assert await one.timers() == []
        await one.until("b")


@covers("child-is-not-kept", "lost-services")
@DIALECTS
async def test_a_child_does_not_outlive_its_process(dialect: str) -> None:
    config = 'initial: "a", states: { a: { invoke: { id: "e", src: echo, onError: "b" }, on: { TICK: {} } }, b: {} }'
    async with an(dialect, config, ECHO[dialect].replace("10:", "1e9:")) as (lab, one):
        assert not one.state.settled
        await lab.restart()
        assert one.value == "b"
        assert one.state.cause == "lost"


@covers("lost-unhandled")
@DIALECTS
async def test_a_loss_nobody_handles_changes_nothing(dialect: str) -> None:
    config = 'initial: "a", states: { a: { invoke: { id: "e", src: echo } } }'
    async with an(dialect, config, ECHO[dialect].replace("10:", "1e9:")) as (lab, one):
        await lab.restart()
        assert (one.value, one.state.status, one.state.settled) == ("a", "active", True)


@covers("failed-unhandled")
@DIALECTS
async def test_a_failure_nobody_handles(dialect: str) -> None:
    src = 'async () => { throw new Error("oh no"); }'
    src = src if dialect == "v4" else f"x.fromPromise({src})"
    async with an(dialect, f'initial: "a", states: {{ a: {{ invoke: {{ src: {src} }} }} }}') as (_, one):
        assert one.state.status == ("active" if dialect == "v4" else "error")
        assert "oh no" in " ".join(one.logs)


@covers("settle-limit")
@DIALECTS
async def test_services_end_at_the_settle_limit(dialect: str) -> None:
    config = 'initial: "a", states: { a: { invoke: { id: "e", src: echo, onError: "b" } }, b: {} }'
    async with an(dialect, config, ECHO[dialect].replace("10:", "1e9:")) as (lab, one):
        await lab.advance("89s")
        assert one.value == "a"
        await lab.advance("1s")
        assert one.value == "b"


@covers("actor-references")
@DIALECTS
async def test_a_reference_in_the_context_survives_as_one(dialect: str) -> None:
    spawn = (
        'x.assign({ kid: () => x.spawn(echo, "kid") })'
        if dialect == "v4"
        else 'x.assign({ kid: ({ spawn }) => spawn(echo, { id: "kid" }) })'
    )
    tell = (
        "(c) => c.kid.send({ type: 'PING' })"
        if dialect == "v4"
        else "({ context: c }) => c.kid.send({ type: 'PING' })"
    )
    config = (
        'context: { public: {} }, initial: "a", states: { a: { on: {'
        f' GO: {{ actions: {spawn} }}, PING: {{ actions: {tell} }}, PONG: "b", "*": {{}} }} }}, b: {{}} }}'
    )
    async with an(dialect, config, ECHO[dialect].replace("10:", "1e9:")) as (lab, one):
        await one.send("GO")
        await lab.restart()
        assert one.state.context["kid"] == {"xstate$$type": 1, "id": "kid"} or "kid" in one.state.context
        await one.send("PING")
        assert (one.value, one.logs) == ("a", [])


@covers("timer-order")
@DIALECTS
async def test_timers_of_one_moment_fire_by_their_ids(dialect: str) -> None:
    later = (
        'a.send("{0}", {{ delay: {1}, id: "{2}" }})'
        if dialect == "v4"
        else 'x.raise({{ type: "{0}" }}, {{ delay: {1}, id: "{2}" }})'
    )
    config = (
        'initial: "a", states: { a: { entry: '
        f"[{later.format('LAST', 500, 'z')}, {later.format('FIRST', 500, 'y')}], on: {{ FIRST: {{}}, LAST: {{}} }} }} }}"
    )
    async with an(dialect, config) as (lab, one):
        await lab.advance(500)
        assert [state.event["type"] for state in one.history][1:] == ["FIRST", "LAST"]


@covers("timers-are-durable", "long-delays")
@DIALECTS
async def test_a_timer_may_wait_for_years(dialect: str) -> None:
    config = f'initial: "a", states: {{ a: {{ after: {{ {400 * 86_400_000}: "b" }} }}, b: {{}} }}'
    async with an(dialect, config) as (lab, one):
        await lab.advance("399d")
        assert one.value == "a"
        await lab.restart(down="2d")
        assert one.value == "b"
