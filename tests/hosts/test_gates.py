"""Nothing runs before its commit, and then in XState's own order: actions, children, timers."""

from __future__ import annotations

import json

import pytest
from tests.hosts.kit import ALLOW, AUTH, Driven, Rig

from stateward_server.model.step import (
    CancelTimer,
    EventInput,
    InboxInput,
    LostChildren,
    LostInput,
    Outcomes,
    SetTimer,
    Skipped,
    Status,
    Step,
    TimerInput,
)

V5 = (
    ALLOW
    + """
import { assign, cancel, createMachine, emit, enqueueActions, fromCallback, fromObservable, fromPromise, log,
  raise, sendParent, sendTo, spawnChild, stopChild } from "xstate@5";
const say = (text) => () => console.log(text);
"""
)
V4 = (
    ALLOW
    + """
import { actions, assign, createMachine, send, sendParent, spawn } from "xstate@4";
const { cancel, choose, log, pure, raise, respond, sendTo, stop } = actions;
const define = (config) => createMachine({ predictableActionArguments: true, ...config });
const say = (text) => () => console.log(text);
"""
)


async def logged(instance: Driven) -> list[str]:
    """What the instance has printed, once all it was sent has run."""
    await instance.rig.pool.allow_read(instance.at, instance.revision, AUTH, None)
    texts = [text for _, _, text in instance.rig.listener.logs]
    instance.rig.listener.logs.clear()
    return texts


@pytest.mark.parametrize(
    "source",
    [
        V5
        + """export default createMachine({ context: { n: 0 }, initial: "a", states: {
            a: { exit: say("exit a"), on: { GO: { target: "b", actions: [say("one"), assign({ n: 1 }),
              ({ context }) => console.log("n", context.n), log("two"), raise({ type: "MORE" })] } } },
            b: { entry: say("enter b"), on: { MORE: { actions: say("more") } } } } });""",
        V4
        + """export default define({ context: { n: 0 }, initial: "a",
            states: {
            a: { exit: say("exit a"), on: { GO: { target: "b", actions: [say("one"), assign({ n: 1 }),
              (context) => console.log("n", context.n), log(() => "two"), raise("MORE")] } } },
            b: { entry: say("enter b"), on: { MORE: { actions: say("more") } } } } });""",
    ],
    ids=["v5", "v4"],
)
async def test_effects_run_in_their_order(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    step = await instance.send("GO")
    assert step.effects == 6
    assert await logged(instance) == ["exit a", "one", "n 1", "two", "enter b", "more"]


async def test_version_4_without_predictable_arguments_assigns_first(rig: Rig) -> None:
    instance = await rig.start(
        V4
        + """export default createMachine({ context: { n: 0 }, on: { GO: { actions: [
              (context) => console.log("before", context.n), assign({ n: 1 })] } } });"""
    )
    await instance.send("GO")
    assert (await logged(instance))[-1] == "before 1"


async def test_effects_of_the_start_wait_too(rig: Rig) -> None:
    version = rig.version(V5 + 'export default createMachine({ entry: say("born") });')
    one, two = await rig.instance(version), await rig.instance(version)
    assert await logged(two) == ["born", "born"]
    assert one.step.effects == two.step.effects == 1


CHILD = """const child = createMachine({ id: "child", initial: "on", entry: () => console.log("child up"),
  exit: () => console.log("child down"),
  states: { on: { on: { PING: { actions: sendParent({ type: "PONG" }) }, END: "over" } },
    over: { type: "final" } } });
"""
V5_CHILD = (
    V5
    + CHILD
    + """export default createMachine({ context: { pongs: 0 }, initial: "idle", on: {
      PONG: { actions: assign({ pongs: ({ context }) => context.pongs + 1 }) } }, states: {
      idle: { on: { GO: "with" } },
      with: { invoke: { id: "kid", src: child, onDone: "done", onError: "lost" },
        on: { PING: { actions: sendTo("kid", { type: "PING" }) },
          END: { actions: sendTo("kid", { type: "END" }) },
          LATER: { actions: sendTo("kid", { type: "PING" }, { delay: 500, id: "p" }) }, LEAVE: "idle" } },
      done: {}, lost: {} } });"""
)
V4_CHILD = (
    V4
    + CHILD.replace("createMachine", "define")
    + """export default define({ context: { pongs: 0 }, initial: "idle",
      on: { PONG: { actions: assign({ pongs: (context) => context.pongs + 1 }) } }, states: {
      idle: { on: { GO: "with" } },
      with: { invoke: { id: "kid", src: child, onDone: "done", onError: "lost" },
        on: { PING: { actions: sendTo("kid", { type: "PING" }) },
          END: { actions: sendTo("kid", { type: "END" }) },
          LATER: { actions: sendTo("kid", { type: "PING" }, { delay: 500, id: "p" }) }, LEAVE: "idle" } },
      done: {}, lost: {} } });"""
)
CHILDREN = pytest.mark.parametrize("source", [V5_CHILD, V4_CHILD], ids=["v5", "v4"])


@CHILDREN
async def test_a_child_machine_lives_between_commits(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    step = await instance.send("GO")
    assert not step.view.settled
    assert await logged(instance) == ["child up"]
    await instance.send("PING")
    await instance.hear()
    assert instance.context == {"pongs": 1}
    await instance.send("END")
    assert not instance.step.view.settled
    done = await instance.hear()
    assert (instance.value, done.view.settled) == ("done", True)


@CHILDREN
async def test_leaving_the_state_stops_the_child_after_the_commit(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    await instance.send("GO")
    await logged(instance)
    reply = await instance.ask(EventInput('"LEAVE"', AUTH))
    assert isinstance(reply, Outcomes)
    assert await logged(instance) == []
    rig.pool.abort(instance.at, instance.revision)
    await instance.send("PING")
    await instance.hear()
    left = await instance.send("LEAVE")
    assert left.view.settled
    # A stopped machine of version 5 runs no exit actions.
    assert await logged(instance) == (["child down"] if source == V4_CHILD else [])


@CHILDREN
async def test_a_delayed_event_for_a_child_is_a_timer(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    await instance.send("GO")
    step = await instance.send("LATER")
    assert step.timers == (SetTimer("p", 500, '{"type":"PING"}', "kid"),)
    due = TimerInput("p", '{"type":"PING"}', "kid")
    forwarded = await instance.take(due)
    assert isinstance(forwarded, Step)
    assert (forwarded.view, forwarded.effects) == (step.view, 1)
    await instance.hear()
    assert instance.context == {"pongs": 1}
    assert isinstance(await instance.take(due), Skipped)


@CHILDREN
async def test_a_timer_of_a_child_that_is_gone_is_skipped(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    await instance.send("GO")
    await instance.send("LATER")
    await instance.send("LEAVE")
    assert isinstance(await instance.take(TimerInput("p", '{"type":"PING"}', "kid")), Skipped)


@CHILDREN
async def test_a_lost_child_is_an_error_event(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    await instance.send("GO")
    rig.pool.kill(instance.at.version)
    await rig.listener.next_loss()
    assert await instance.ask(EventInput('"PING"', AUTH), resume=True) == LostChildren(("kid",))
    step = await instance.take(LostInput("kid"))
    assert isinstance(step, Step)
    assert json.loads(step.event_json)["type"] in ("xstate.error.actor.kid", "error.platform.kid")
    assert "ServiceLost" in step.event_json
    assert (instance.value, step.view.settled) == ("lost", True)
    await instance.send("PING")


SOON_OVER = """({ initial: "a", states: { a: { on: { GO: "b" } }, c: {}, lost: {},
    b: { invoke: { id: "kid", src: %s, onDone: "c", onError: "lost" }, on: { PING: {} } } } });"""


@pytest.mark.parametrize(
    "source",
    [
        V5 + "export default createMachine" + SOON_OVER % "fromPromise(async () => 1)",
        V4 + "export default define" + SOON_OVER % "async () => 1",
    ],
    ids=["v5", "v4"],
)
async def test_a_child_whose_end_was_not_heard_is_lost_with_its_process(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    await instance.send("GO")
    await rig.listener.next_inbox()
    for _ in range(2):
        assert not (await instance.send("PING")).view.settled
    rig.pool.evict(instance.at)
    assert await instance.ask(EventInput('"PING"', AUTH), resume=True) == LostChildren(("kid",))
    await instance.take(LostInput("kid"))
    assert (instance.value, instance.step.view.settled) == ("lost", True)


@pytest.mark.parametrize(
    "source",
    [
        V5
        + """const job = fromPromise(() => new Promise(() => {}));
        export default createMachine({ context: { lost: 0 }, initial: "a", states: { a: { invoke: [
          { id: "one", src: job, onError: { target: "a", reenter: true,
            actions: assign({ lost: ({ context }) => context.lost + 1 }) } },
          { id: "two", src: job, onError: "b" }] }, b: {} } });""",
        V4
        + """const job = () => new Promise(() => {});
        export default define({ context: { lost: 0 }, initial: "a", states: { a: { invoke: [
          { id: "one", src: job, onError: { target: "a", internal: false,
            actions: assign({ lost: (context) => context.lost + 1 }) } },
          { id: "two", src: job, onError: "b" }] }, b: {} } });""",
    ],
    ids=["v5", "v4"],
)
async def test_a_child_that_was_begun_anew_is_not_lost(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    rig.pool.kill(instance.at.version)
    await rig.listener.next_loss()
    assert await instance.ask(EventInput('"GO"', AUTH), resume=True) == LostChildren(("one", "two"))
    assert isinstance(await instance.take(LostInput("one")), Step)
    assert isinstance(await instance.take(LostInput("two")), Skipped)
    assert (instance.value, instance.context, instance.step.view.settled) == ("a", {"lost": 1}, False)


UNHEARD = [
    V5
    + """export default createMachine({ initial: "a", states: { a: { on: { GO: { target: "b" }, OUT: "c" },
        invoke: [{ id: "one", src: fromPromise(() => new Promise(() => {})) },
                 { id: "two", src: fromPromise(() => new Promise(() => {})) }] }, b: {}, c: {} } });""",
    V4
    + """export default define({ initial: "a", states: { a: {
        on: { GO: { target: "b" }, OUT: "c" }, invoke: [{ id: "one", src: () => new Promise(() => {}) },
        { id: "two", src: () => new Promise(() => {}) }] }, b: {}, c: {} } });""",
]


@pytest.mark.parametrize("source", UNHEARD, ids=["v5", "v4"])
async def test_an_unhandled_loss_leaves_the_machine_as_it_was(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    rig.pool.stop_children(instance.at)
    assert await instance.ask() == LostChildren(("one", "two"))
    for child in ("one", "two"):
        assert isinstance(await instance.take(LostInput(child)), Step)
    assert (instance.value, instance.step.view.status, instance.step.view.settled) == (
        "a",
        Status.ACTIVE,
        True,
    )
    assert await instance.ask(resume=True) == Outcomes(())
    await instance.send("GO")
    assert instance.value == "b"


async def test_a_failed_service_without_a_handler_ends_a_version_5_machine(rig: Rig) -> None:
    instance = await rig.start(
        V5
        + """export default createMachine({ invoke: { id: "bad", src: fromPromise(async () => {
             throw new Error("no luck"); }) } });"""
    )
    step = await instance.hear()
    assert step.view.status is Status.ERROR
    assert "no luck" in step.event_json
    assert isinstance(await instance.outcome("GO"), Skipped)
    assert any("no luck" in text for text in await logged(instance))


async def test_a_failed_service_without_a_handler_is_logged_in_version_4(rig: Rig) -> None:
    instance = await rig.start(
        V4
        + """export default define({ invoke: { id: "bad",
             src: async () => { throw new Error("no luck"); } }, on: { GO: {} } });"""
    )
    step = await instance.hear()
    assert (step.view.status, step.view.settled) == (Status.ACTIVE, True)
    assert any("no luck" in text for text in await logged(instance))
    await instance.send("GO")


async def test_a_service_that_throws_at_once_fails(rig: Rig) -> None:
    instance = await rig.start(
        V4
        + """export default define({ initial: "a", states: {
             a: { invoke: { id: "bad", src: () => { throw new Error("now"); }, onError: "b" } },
             b: {} } });"""
    )
    await instance.hear()
    assert instance.value == "b"


SPAWN = [
    V5
    + CHILD
    + """export default createMachine({ context: {}, on: {
        PONG: { actions: assign({ got: ({ context }) => (context.got ?? 0) + 1 }) },
        UP: { actions: assign({ kid: ({ spawn }) => spawn(child, { id: "kid" }) }) },
        PING: { actions: sendTo(({ context }) => context.kid, { type: "PING" }) },
        DOWN: { actions: stopChild(({ context }) => context.kid) } } });""",
    V4
    + CHILD.replace("createMachine", "define")
    + """export default define({ context: {}, on: {
        PONG: { actions: assign({ got: (context) => (context.got ?? 0) + 1 }) },
        UP: { actions: assign({ kid: () => spawn(child, "kid") }) },
        PING: { actions: sendTo((context) => context.kid, { type: "PING" }) },
        DOWN: { actions: stop((context) => context.kid) } } });""",
]


@pytest.mark.parametrize("source", SPAWN, ids=["v5", "v4"])
async def test_a_spawned_child_starts_at_the_commit(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    reply = await instance.ask(EventInput('"UP"', AUTH))
    assert isinstance(reply, Outcomes)
    assert await logged(instance) == []
    rig.pool.abort(instance.at, 1)
    await instance.send("UP")
    assert await logged(instance) == ["child up"]
    assert instance.context["kid"] == {"xstate$$type": 1, "id": "kid"}
    await instance.send("PING")
    await instance.hear()
    assert instance.context["got"] == 1
    step = await instance.send("DOWN")
    assert step.view.settled
    assert await logged(instance) == (["child down"] if source == SPAWN[1] else [])


@pytest.mark.parametrize("source", SPAWN, ids=["v5", "v4"])
async def test_a_reference_outlives_the_child(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    await instance.send("UP")
    rig.pool.evict(instance.at)
    assert await instance.ask(EventInput('"PING"', AUTH), resume=True) == LostChildren(("kid",))
    assert isinstance(await instance.take(LostInput("kid")), Step)
    assert instance.context["kid"] == {"xstate$$type": 1, "id": "kid"}
    await instance.send("PING")
    await logged(instance)
    await instance.send("UP")
    assert await logged(instance) == ["child up"]


async def test_a_system_id_is_free_again_after_an_abort(rig: Rig) -> None:
    instance = await rig.start(
        V5
        + """export default createMachine({ initial: "a", states: { a: { entry: say("in"),
             invoke: { id: "s", systemId: "sys", src: fromCallback(() => () => console.log("out")) },
             on: { AGAIN: { target: "a", reenter: true } } } } });"""
    )
    for _ in range(3):
        assert isinstance(await instance.ask(EventInput('"AGAIN"', AUTH)), Outcomes)
        rig.pool.abort(instance.at, 1)
    assert await logged(instance) == ["in"]
    await instance.send("AGAIN")
    assert await logged(instance) == ["in", "out"]
    rig.pool.evict(instance.at)
    assert await instance.ask(resume=True) == LostChildren(("s",))
    assert isinstance(await instance.take(LostInput("s")), Step)
    await instance.send("AGAIN")


async def test_a_system_id_goes_through_several_hands_and_back(rig: Rig) -> None:
    instance = await rig.start(
        V5
        + """const job = fromPromise(() => new Promise(() => {}));
        export default createMachine({ initial: "idle", states: { idle: { on: { GO: "a" } },
          a: { invoke: { src: job, systemId: "job" }, always: "b" },
          b: { invoke: { src: job, systemId: "job" } } } });"""
    )
    for _ in range(2):
        reply = await instance.ask(EventInput('{"type":"GO"}', AUTH))
        assert isinstance(reply, Outcomes)
        assert isinstance(reply.items[0], Step), reply.items
        rig.pool.abort(instance.at, instance.revision)
    assert (await instance.send("GO")).view.states == ("b",)


@pytest.mark.parametrize(
    "source",
    [
        V5
        + """const kid = createMachine({ on: { PING: { actions: sendParent({ type: "PONG" }) } } });
        const born = assign({ kid: ({ spawn }) => spawn(kid, { id: "k" }) });
        export default createMachine({ context: {}, entry: born, on: {
          LATER: { actions: sendTo(({ context }) => context.kid, { type: "PING" }, { delay: 500 }) },
          AGAIN: { actions: [stopChild(({ context }) => context.kid), born] } } });""",
        V4
        + """const kid = define({ on: { PING: { actions: sendParent("PONG") } } });
        const born = assign({ kid: () => spawn(kid, "k") });
        export default define({ context: {}, entry: born, on: {
          LATER: { actions: sendTo((context) => context.kid, { type: "PING" }, { delay: 500 }) },
          AGAIN: { actions: [stop((context) => context.kid), born] } } });""",
    ],
    ids=["v5", "v4"],
)
async def test_a_delayed_event_for_a_child_is_not_for_the_next_one_of_its_id(rig: Rig, source: str) -> None:
    instance = await rig.start(source)
    (timer,) = (await instance.send("LATER")).timers
    assert isinstance(timer, SetTimer)
    await instance.send("AGAIN")
    fired = await instance.take(TimerInput(timer.id, timer.event_json, timer.target))
    assert fired == Skipped()


async def test_a_machine_sees_itself_as_the_event_before_in_a_batch_left_it(rig: Rig) -> None:
    instance = await rig.start(
        V5
        + """export default createMachine({ context: { n: 0, seen: [] }, on: { GO: { actions: assign({
          n: ({ context }) => context.n + 1,
          seen: ({ context, self }) => [...context.seen, self.getSnapshot().context.n] }) } } });"""
    )
    go = EventInput('{"type":"GO"}', AUTH)
    reply = await instance.ask(go, go, go)
    assert isinstance(reply, Outcomes)
    instance.keep(reply.items)
    assert instance.context["seen"] == [0, 1, 2]


async def test_callbacks_and_observables_report_to_the_inbox(rig: Rig) -> None:
    instance = await rig.start(
        V5
        + """const three = { subscribe(o) {
          for (const n of [1, 2, 3]) o.next(n);
          o.complete();
          return { unsubscribe() {} };
        } };
        export default createMachine({ context: { seen: [] }, initial: "a", states: {
          a: { on: { GO: "b" } },
          b: { invoke: [{ src: fromCallback(({ sendBack, receive }) => { sendBack({ type: "SAID", n: 0 });
                 receive((event) => sendBack({ type: "SAID", n: event.n })); }), id: "cb" },
               { src: fromObservable(() => three), id: "obs", onDone: "c" }],
            on: { SAID: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) },
              TELL: { actions: sendTo("cb", { type: "X", n: 9 }) } } },
          c: {} } });"""
    )
    await instance.send("GO")
    await instance.send("TELL")
    while not instance.step.view.settled:
        await instance.hear()
    assert instance.value == "c"
    assert instance.context["seen"][:1] == [0]


async def test_what_a_machine_sends_itself_is_an_event_of_its_own(rig: Rig) -> None:
    for source in (
        V5
        + """export default createMachine({ initial: "a", states: { a: { on: {
             GO: { actions: [sendTo(({ self }) => self, { type: "NEXT" }), say("sent")] },
             NEXT: "b" } }, b: {} } });""",
        V4
        + """export default define({ initial: "a", states: { a: {
             on: { GO: { actions: [send("NEXT"), say("sent")] }, NEXT: "b" } }, b: {} } });""",
    ):
        instance = await rig.start(source)
        await instance.send("GO")
        assert instance.value == "a"
        await instance.hear()
        assert instance.value == "b"


async def test_version_4_forwards_and_responds(rig: Rig) -> None:
    instance = await rig.start(
        V4
        + """const child = define({ id: "c", initial: "a", states: { a: {
              on: { ASK: { actions: respond("ANSWER") }, ALSO: { actions: sendParent("HEARD") } } } } });
        export default define({ initial: "a", context: { heard: [] },
          invoke: { id: "c", src: child, autoForward: true }, states: { a: {} }, on: {
            ASK: { actions: send("ASK", { to: "c" }) },
            ANSWER: { actions: assign({ heard: (c) => [...c.heard, "answer"] }) },
            HEARD: { actions: assign({ heard: (c) => [...c.heard, "heard"] }) } } });"""
    )
    await instance.send("ALSO")
    await instance.hear()
    assert instance.context["heard"] == ["heard"]
    await instance.send("ASK")
    await instance.hear()
    assert "answer" in instance.context["heard"]


@pytest.mark.parametrize(
    ("source", "timer"),
    [
        (
            V5
            + """export default createMachine({ on: {
                 SET: { actions: raise({ type: "T" }, { delay: 9, id: "x" }) },
                 ANON: { actions: raise({ type: "T" }, { delay: 9.2 }) },
                 CANCEL: { actions: cancel("x") } } });""",
            "x",
        ),
        (
            V4
            + """export default define({ on: {
                 SET: { actions: send("T", { delay: 9, id: "x" }) },
                 ANON: { actions: raise("T", { delay: 9.2 }) }, CANCEL: { actions: cancel("x") } } });""",
            "x",
        ),
    ],
    ids=["v5", "v4"],
)
async def test_timers_of_one_id_are_several(rig: Rig, source: str, timer: str) -> None:
    instance = await rig.start(source)
    first = await instance.send("SET")
    second = await instance.send("SET")
    assert first.timers == (SetTimer(timer, 9, '{"type":"T"}', None),)
    (again,) = second.timers
    assert again.id != timer
    # XState has no hold on the older one any more.
    assert (await instance.send("CANCEL")).timers == (CancelTimer(again.id),)
    assert (await instance.send("CANCEL")).timers == ()
    assert isinstance(await instance.take(TimerInput(timer, '{"type":"T"}', None)), Step)
    assert isinstance(await instance.take(TimerInput(timer, '{"type":"T"}', None)), Skipped)
    assert isinstance(await instance.take(TimerInput(again.id, '{"type":"T"}', None)), Skipped)
    (anonymous,) = (await instance.send("ANON")).timers
    assert isinstance(anonymous, SetTimer)
    assert anonymous.delay_ms == 10
    assert isinstance(await instance.take(TimerInput(anonymous.id, '{"type":"T"}', None)), Step)


async def test_the_end_cancels_what_is_pending(rig: Rig) -> None:
    for source in (
        V5
        + """export default createMachine({ after: { 1000: {} }, initial: "a",
             states: { a: { on: { END: "z" } }, z: { type: "final" } },
             invoke: { id: "s", src: fromCallback(() => () => console.log("stopped")) } });""",
        V4
        + """export default define({ after: { 1000: {} }, initial: "a",
             states: { a: { on: { END: "z" } }, z: { type: "final" } },
             invoke: { id: "s", src: () => () => () => console.log("stopped") } });""",
    ):
        instance = await rig.start(source)
        (timer,) = instance.step.timers
        step = await instance.send("END")
        assert step.view.status is Status.DONE
        assert step.timers == (CancelTimer(timer.id),)
        assert step.view.settled
        assert await logged(instance) == ["stopped"]


async def test_context_given_at_the_start(rig: Rig) -> None:
    factory = "export default createMachine({ context: ({ input }) => ({ twice: input.n * 2 }) });"
    assert (await rig.start(V5 + factory, {"n": 2})).context == {"twice": 4}
    plain = "context: { n: 0, list: [] }, on: { ADD: { actions: ({ context }) => context.list.push(1) } }"
    version = rig.version(V5 + f"export default createMachine({{ {plain} }});")
    assert (await rig.instance(version, {"n": 2, "m": 3})).context == {"n": 2, "list": [], "m": 3}
    first = await rig.instance(version)
    await first.send("ADD")
    assert (await rig.instance(version)).context == {"n": 0, "list": []}
    four = "predictableActionArguments: true, context: { n: 0, list: [] }"
    assert (
        await rig.start(V4 + f"export default createMachine({{ {four} }});", {"n": 2, "m": 3})
    ).context == {
        "n": 2,
        "list": [],
        "m": 3,
    }


async def test_parallel_states_are_shown_in_document_order(rig: Rig) -> None:
    for head, extra in ((V5, ""), (V4, "predictableActionArguments: true,")):
        instance = await rig.start(
            head
            + f"""export default createMachine({{ {extra} type: "parallel", states: {{
              b: {{ initial: "y", tags: ["tb"], states: {{ x: {{}}, y: {{ tags: ["ty"] }} }} }},
              a: {{ initial: "x", states: {{
                x: {{ initial: "deep", states: {{ deep: {{ tags: ["ta"] }} }} }} }} }} }} }});"""
        )
        view = instance.step.view
        assert view.states == ("b", "b.y", "a", "a.x", "a.x.deep")
        assert view.tags == ("ta", "tb", "ty")
        assert json.loads(view.value_json) == {"b": "y", "a": {"x": "deep"}}


async def test_a_flood_from_a_child_is_announced_once_at_a_time(rig: Rig) -> None:
    instance = await rig.start(
        V5
        + """export default createMachine({ context: { n: 0 }, invoke: { src: fromCallback(({ sendBack }) => {
             for (let i = 0; i < 1000; i++) sendBack({ type: "N" }); }) },
             on: { N: { actions: assign({ n: ({ context }) => context.n + 1 }) } } });"""
    )
    await logged(instance)
    assert rig.listener.inboxes == [instance.at.uid]
    reply = await instance.ask(*[InboxInput()] * 100)
    assert isinstance(reply, Outcomes)
    instance.keep(reply.items)
    assert instance.context == {"n": 100}
    await logged(instance)
    assert len(rig.listener.inboxes) == 2


async def test_a_service_that_outlives_its_machine_is_not_heard(rig: Rig) -> None:
    instance = await rig.start(
        V5
        + """export default createMachine({ initial: "a", states: { a: { on: { END: "z" },
             invoke: { src: fromPromise(async () => 1), onDone: "z" } }, z: { type: "final" } } });"""
    )
    reply = await instance.ask(EventInput('"END"', AUTH))
    assert isinstance(reply, Outcomes)
    await rig.listener.next_inbox()
    instance.keep(reply.items)
    assert await instance.ask(InboxInput()) == Outcomes((Skipped(),))
