"""Every way a machine can fail: the reason it gets, and that nobody else is touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.hosts.kit import ALLOW, AUTH, Rig

from stateward_server.model.limits import HostLimits
from stateward_server.model.names import InstanceUid
from stateward_server.model.step import Denied, EventInput, Failed, Outcomes, Skipped, Step
from stateward_server.ports.host import Address, HostLost

V5 = ALLOW + 'import { assign, cancel, createMachine, fromPromise, raise, sendTo } from "xstate@5";\n'
V4 = ALLOW + 'import { actions, assign, createMachine, spawn } from "xstate@4";\n'
FIVE = V5 + "const keep = (f) => assign({ x: ({ event }) => f(event) });\n"
FOUR = V4 + "const keep = (f) => assign({ x: (context, event) => f(event) });\n"


@pytest.fixture
async def hasty() -> AsyncIterator[Rig]:
    """A rig whose processes must answer soon: at once would be too much for a busy machine."""
    rig = Rig(HostLimits(deadline_ms=1_000, authoriser_ms=200))
    yield rig
    await rig.pool.close()


def on_go(head: str, what: str, more: str = "") -> str:
    """A module whose machine does `what` on GO, and keeps still on STAY."""
    context = "predictableActionArguments: true, " if head.startswith(FOUR[:5]) and "xstate@4" in head else ""
    return (
        head
        + f"export default createMachine({{ {context} context: {{ n: 1 }}, on: {{ GO: {what} }}, {more} }});"
    )


@pytest.mark.parametrize("head", [FIVE, FOUR])
@pytest.mark.parametrize(
    ("expression", "where"),
    [
        ("new Date(0)", ".x is an instance of Date"),
        ("new Map()", ".x is an instance of Map"),
        ("10n", ".x is a bigint"),
        ("() => 1", ".x is a function"),
        ("NaN", ".x is NaN"),
        ("[1, [undefined]]", ".x[1][0] is a undefined"),
        ("({ a: { b: new (class Box {})() } })", ".x.a.b is an instance of Box"),
        ("(() => { const o = {}; o.o = o; return o; })()", "is circular or nested deeper"),
        ("Symbol('s')", ".x is a symbol"),
    ],
)
async def test_a_context_that_json_would_change_is_refused(
    rig: Rig, head: str, expression: str, where: str
) -> None:
    instance = await rig.start(on_go(head, f"{{ actions: keep(() => {expression}) }}"))
    failed = await instance.fails("GO")
    assert failed.reason == "CONTEXT_NOT_JSON"
    assert where in failed.message
    await instance.send("STAY")
    assert instance.context == {"n": 1}


async def test_a_creation_with_what_is_no_json_fails_and_hurts_nobody(rig: Rig) -> None:
    instance = await rig.start(on_go(FIVE, "{ actions: keep(() => 1) }"))
    # Another machine of the organisation can ask for a child with anything.
    stillborn = await rig.pool.start(Address(instance.at.version, InstanceUid(9_999)), "two", "no json", AUTH)
    assert isinstance(stillborn, Failed)
    await instance.send("GO")
    assert rig.listener.losses == []


async def test_undefined_properties_are_dropped(rig: Rig) -> None:
    instance = await rig.start(on_go(FIVE, "{ actions: keep(() => ({ a: undefined, b: null })) }"))
    await instance.send("GO")
    assert instance.context == {"n": 1, "x": {"b": None}}


@pytest.mark.parametrize("head", [FIVE, FOUR])
async def test_a_context_that_is_too_large_is_refused(head: str) -> None:
    rig = Rig(HostLimits(context_bytes=1000))
    try:
        instance = await rig.start(on_go(head, "{ actions: keep((event) => event.c.repeat(event.n)) }"))
        fits = 1000 - len('{"n":1,"x":""}')
        assert (await instance.fails({"type": "GO", "c": "x", "n": fits + 1})).reason == "CONTEXT_TOO_LARGE"
        assert (
            await instance.fails({"type": "GO", "c": "é", "n": fits // 2 + 1})
        ).reason == "CONTEXT_TOO_LARGE"
        await instance.send({"type": "GO", "c": "é", "n": fits // 2})
        await instance.send({"type": "GO", "c": "x", "n": fits})
    finally:
        await rig.pool.close()


@pytest.mark.parametrize(("head", "guard"), [(FIVE, "guard"), (FOUR, "cond")], ids=["v5", "v4"])
async def test_what_a_guard_throws_is_told(rig: Rig, head: str, guard: str) -> None:
    instance = await rig.start(on_go(head, f'{{ {guard}: () => {{ throw new TypeError("odd"); }} }}'))
    failed = await instance.fails("GO")
    assert failed.reason == "MACHINE_THREW"
    assert "odd" in failed.message
    await instance.send("STAY")


@pytest.mark.parametrize("head", [FIVE, FOUR], ids=["v5", "v4"])
async def test_a_start_that_throws_is_refused(rig: Rig, head: str) -> None:
    source = on_go(head, "{}", 'entry: assign(() => { throw new Error("stillborn"); })')
    outcome = await rig.failing_start(source)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, "stillborn" in outcome.message) == ("MACHINE_THREW", True)


@pytest.mark.parametrize("head", [FIVE, FOUR], ids=["v5", "v4"])
async def test_a_machine_that_goes_in_circles_is_stopped(rig: Rig, head: str) -> None:
    states = 'initial: "a", states: { a: { on: { RUN: "b" } }, b: { always: "c" }, c: { always: "b" } }'
    instance = await rig.start(on_go(head, "{}", states))
    assert (await instance.fails("RUN")).reason == "MACHINE_LOOPED"
    await instance.send("STAY")
    assert instance.value == "a"


async def test_a_delayed_event_must_survive_a_restart(rig: Rig) -> None:
    source = on_go(FIVE, '{ actions: raise({ type: "LATER", when: new Date() }, { delay: 5 }) }')
    assert (await (await rig.start(source)).fails("GO")).reason == "EVENT_UNSERIALIZABLE"
    source = on_go(FOUR, '{ actions: actions.send({ type: "LATER", f: () => 1 }, { delay: 5 }) }')
    assert (await (await rig.start(source)).fails("GO")).reason == "EVENT_UNSERIALIZABLE"


async def test_an_action_of_an_unknown_xstate_is_refused(rig: Rig) -> None:
    forged = """
        const later = () => {};
        later.type = "xstate.newInSix";
        later.resolve = (scope, snapshot) => [snapshot, {}, undefined];
        later.execute = () => console.log("ran");
    """
    instance = await rig.start(on_go(FIVE + forged, "{ actions: later }"))
    assert (await instance.fails("GO")).reason == "UNKNOWN_EFFECT"
    instance = await rig.start(on_go(FOUR, '{ actions: { type: "xstate.newInSix" } }'))
    assert (await instance.fails("GO")).reason == "UNKNOWN_EFFECT"


@pytest.mark.parametrize("head", [FIVE, FOUR], ids=["v5", "v4"])
async def test_an_endless_step_gets_the_blame(hasty: Rig, head: str) -> None:
    instance = await hasty.start(on_go(head, "{ actions: keep(() => { for (;;); }) }"))
    failed = await instance.fails("GO")
    assert failed.reason == "MACHINE_TIMED_OUT"
    assert set(hasty.listener.losses) == {instance.at.version}
    await instance.send("STAY")
    assert instance.context == {"n": 1}


async def test_among_many_requests_only_the_endless_one_fails(hasty: Rig) -> None:
    version = hasty.version(on_go(FIVE, "{ actions: keep(() => { for (;;); }) }"))
    good = [await hasty.instance(version) for _ in range(4)]
    bad = await hasty.instance(version)
    asked = [
        *(one.send("STAY") for one in good[:2]),
        bad.outcome("GO"),
        *(one.send("STAY") for one in good[2:]),
    ]
    results = await asyncio.gather(*asked)
    assert [type(one) for one in results] == [Step, Step, Failed, Step, Step]


async def test_in_a_batch_only_the_endless_event_fails(hasty: Rig) -> None:
    instance = await hasty.start(on_go(FIVE, "{ actions: keep(() => { for (;;); }) }"))
    batch = [EventInput(f'{{"type":"{kind}"}}', AUTH) for kind in ("STAY", "GO", "STAY")]
    got: list[type] = []
    while batch:
        reply = await instance.ask(*batch)
        assert isinstance(reply, Outcomes)
        instance.keep(reply.items)
        got += [type(one) for one in reply.items]
        batch = batch[len(reply.items) :]
    assert got == [Step, Failed, Step]


@pytest.mark.parametrize("spin", ["for (;;);", "const again = () => Promise.resolve().then(again); again();"])
async def test_a_process_that_spins_while_nobody_asks_is_ended(hasty: Rig, spin: str) -> None:
    instance = await hasty.start(on_go(FIVE, f"{{ actions: () => void setTimeout(() => {{ {spin} }}) }}"))
    await instance.send("GO")
    assert await hasty.listener.next_loss() == instance.at.version
    await instance.send("STAY")


async def test_an_endless_effect_is_nobodys_fault(hasty: Rig) -> None:
    instance = await hasty.start(on_go(FIVE, "{ actions: () => { for (;;); } }"))
    await instance.send("GO")
    assert await hasty.listener.next_loss() == instance.at.version
    await instance.send("STAY")
    assert any("an effect ended the process" in text for _, _, text in hasty.listener.logs)


async def test_a_step_that_takes_all_memory_gets_the_blame(rig: Rig) -> None:
    hog = "const a = []; for (;;) a.push(new Array(1000).fill(Math.random()));"
    instance = await rig.start(on_go(FIVE, f"{{ actions: keep(() => {{ {hog} }}) }}"))
    assert (await instance.fails("GO")).reason == "MACHINE_OUT_OF_MEMORY"
    await instance.send("STAY")


async def test_memory_outside_the_heap_is_bounded_too() -> None:
    rig = Rig(HostLimits(rss_mb=200))
    hog = "globalThis.a = []; for (let i = 0; i < 600; i++) a.push(new Uint8Array(1 << 20).fill(1));"
    try:
        instance = await rig.start(on_go(FIVE, f"{{ actions: () => {{ try {{ {hog} }} catch {{}} }} }}"))
        await instance.send("GO")
        assert await rig.listener.next_loss() == instance.at.version
        await instance.send("STAY")
    finally:
        await rig.pool.close()


async def test_a_killed_process_costs_one_retry(rig: Rig) -> None:
    instance = await rig.start(on_go(FIVE, "{ actions: () => {} }"))

    async def kill() -> None:
        rig.pool.kill(instance.at.version)

    step = rig.pool.step(instance.at, 1, [EventInput('"STAY"', AUTH)], None)
    asked, _ = await asyncio.gather(step, kill(), return_exceptions=True)
    assert isinstance(asked, HostLost)
    assert await rig.listener.next_loss() == instance.at.version
    await instance.send("STAY")


async def test_an_authoriser_may_promise(rig: Rig) -> None:
    source = """
        import { createMachine } from "xstate@5";
        const soon = async (value) => { await new Promise((done) => setTimeout(done, 1)); return value; };
        export const allowRead = ({ authContext }) => soon(authContext.sub === "ann");
        export const allowWrite = ({ type, event }) => soon(type === "initialization" || event.type !== "NO");
        export default createMachine({ initial: "a", states: { a: { on: { GO: "b" } }, b: {} } });
    """
    instance = await rig.start(source)
    outcomes = await asyncio.gather(
        rig.pool.step(instance.at, 1, [EventInput(f'"{k}"', AUTH) for k in ("NO", "GO", "NO")], None),
        rig.pool.allow_read(instance.at, 1, AUTH, None),
        rig.pool.allow_read(instance.at, 1, '{"sub":"bob"}', None),
    )
    assert isinstance(outcomes[0], Outcomes)
    assert [type(one) for one in outcomes[0].items] == [Denied, Step, Denied]
    assert list(outcomes[1:]) == [True, False]


async def test_an_authoriser_that_throws_or_dallies_denies(hasty: Rig) -> None:
    source = """
        import { createMachine } from "xstate@5";
        export const allowRead = () => { throw new Error("unreadable"); };
        export const allowWrite = ({ type, event }) => {
          if (type === "initialization") return 1;
          if (event.type === "THROW") throw new Error("not you");
          if (event.type === "REJECT") return Promise.reject(new Error("not now"));
          return event.type === "NEVER" ? new Promise(() => {}) : "";
        };
        export default createMachine({});
    """
    instance = await hasty.start(source)
    details = [(await instance.outcome(kind)) for kind in ("THROW", "REJECT", "NEVER", "EMPTY")]
    assert details == [
        Denied("allowWrite threw: not you"),
        Denied("allowWrite threw: not now"),
        Denied("allowWrite did not answer within 200 ms"),
        Denied(""),
    ]
    assert await hasty.pool.allow_read(instance.at, 1, AUTH, None) is False


async def test_an_authoriser_sees_what_it_is_to_judge(rig: Rig) -> None:
    source = """
        import { createMachine, assign } from "xstate@5";
        const asked = [];
        export const allowRead = (q) => q.authContext.want === JSON.stringify(asked.concat(q));
        export const allowWrite = (q) => { asked.push(structuredClone(q)); return true; };
        export default createMachine({ context: { n: 0 }, initial: "a", states: { a: {} } });
    """
    instance = await rig.start(source, {"n": 4})
    await instance.send({"type": "GO", "x": 1})
    created = (
        '{"type":"initialization","machineInstanceName":"one","context":{"n":4},"authContext":{"sub":"ann"}}'
    )
    written = (
        '{"type":"event","machineInstanceName":"one","state":"a","context":{"n":4},'
        '"event":{"type":"GO","x":1},"authContext":{"sub":"ann"}}'
    )
    read = '{"machineInstanceName":"one","state":"a","context":{"n":4},"authContext":{"want":"?"}}'
    # The answer is part of the question it is compared with, so only the two before it can be told apart.
    assert await rig.pool.allow_read(instance.at, 2, '{"want":"?"}', None) is False
    probe = source.replace(
        "q.authContext.want === JSON.stringify(asked.concat(q))",
        "(console.log(JSON.stringify([...asked, q])), true)",
    )
    instance = await rig.start(probe, {"n": 4})
    await instance.send({"type": "GO", "x": 1})
    assert await rig.pool.allow_read(instance.at, 2, '{"want":"?"}', None) is True
    assert (await rig.listener.next_log())[2] == f"[{created},{written},{read}]"


async def test_events_after_the_end_are_skipped(rig: Rig) -> None:
    instance = await rig.start(
        on_go(FIVE, "{}", 'initial: "a", states: { a: { on: { END: "z" } }, z: { type: "final" } }')
    )
    await instance.send("END")
    assert isinstance(await instance.outcome("STAY"), Skipped)


async def test_many_slow_steps_at_once_are_not_taken_for_an_endless_one() -> None:
    rig = Rig(HostLimits(deadline_ms=2_500))
    try:
        busy = "const end = Date.now() + 100; while (Date.now() < end); return true;"
        version = rig.version(on_go(FIVE, f"{{ guard: () => {{ {busy} }} }}"))
        instances = [await rig.instance(version) for _ in range(30)]
        await asyncio.gather(*(instance.send("GO") for instance in instances))
        assert rig.listener.losses == []
    finally:
        await rig.pool.close()
