# ruff: noqa: E501 - a machine on one line reads better than one in pieces
"""Rows about services and children."""

from __future__ import annotations

from tests.machines.features import same

_NOTE4 = "actions: x.assign({ public: (c, e) => ({ got: e.data }) })"
_NOTE5 = "actions: x.assign({ public: ({ event }) => ({ got: event.output }) })"

same(
    "invoke-promise",
    *("GO", "FAIL"),
    value="failed",
    public={"got": 7},
    v4='context: { public: {} }, initial: "a", states: { a: { on: { GO: "b" } },'
    f' b: {{ invoke: {{ src: async () => 7, onDone: {{ target: "c", {_NOTE4} }} }} }}, c: {{ on: {{ FAIL: "d" }} }},'
    ' d: { invoke: { src: async () => { throw new Error("no"); }, onError: "failed" } }, failed: {} }',
    v5='context: { public: {} }, initial: "a", states: { a: { on: { GO: "b" } },'
    f' b: {{ invoke: {{ src: x.fromPromise(async () => 7), onDone: {{ target: "c", {_NOTE5} }} }} }},'
    ' c: { on: { FAIL: "d" } }, d: { invoke: { src: x.fromPromise(async () => { throw new Error("no"); }),'
    ' onError: "failed" } }, failed: {} }',
)
same(
    "invoke-callback",
    *("PING",),
    value="b",
    v4='initial: "a", states: { a: { invoke: { id: "k", src: () => (send, receive) => {'
    ' receive((e) => send("PONG")); } }, on: { PONG: "b", PING: { actions: a.sendTo("k", { type: "PING" }) } } }, b: {} }',
)
same(
    "invoke-callback",
    *("PING",),
    value="b",
    v5='initial: "a", states: { a: { invoke: { id: "k", src: x.fromCallback(({ sendBack, receive }) => {'
    ' receive((e) => sendBack({ type: "PONG" })); }) }, on: { PONG: "b",'
    ' PING: { actions: x.sendTo("k", { type: "PING" }) } } }, b: {} }',
)
_COUNTING = """const three = { subscribe(o) {
  const next = o.next ? (v) => o.next(v) : o, end = o.complete ? () => o.complete() : arguments[2];
  queueMicrotask(() => { next(1); next(2); end?.(); });
  return { unsubscribe() {} };
} };"""
same(
    "invoke-observable",
    "GO",
    value="over",
    public={"seen": [1, 2]},
    before=_COUNTING,
    v5='context: { public: { seen: [] } }, initial: "a", states: { a: { on: { GO: "b" } }, b: { invoke: {'
    ' src: x.fromObservable(() => three), onDone: "over", onSnapshot: { actions: x.assign({'
    " public: ({ context: c, event: e }) => e.snapshot.context === undefined ? c.public :"
    " c.public.seen.includes(e.snapshot.context) ? c.public :"
    " ({ seen: [...c.public.seen, e.snapshot.context] }) }) } } }, over: {} }",
)
same(
    "invoke-observable",
    "GO",
    value="over",
    public={"seen": [1, 2]},
    before=_COUNTING.replace("next(1); next(2)", 'next({ type: "N", n: 1 }); next({ type: "N", n: 2 })'),
    v4='context: { public: { seen: [] } }, initial: "a", states: { a: { on: { GO: "b" } }, b: {'
    ' invoke: { src: () => three, onDone: "over" },'
    " on: { N: { actions: x.assign({ public: (c, e) => ({ seen: [...c.public.seen, e.n] }) }) } } }, over: {} }",
)
same(
    "invoke-transition",
    *("ADD", "ADD", "ASK"),
    value="a",
    public={"count": 2},
    v5='context: { public: {} }, initial: "a", states: { a: { invoke: { id: "k",'
    " src: x.fromTransition((s, e) => e.type === 'ADD' ? { n: s.n + 1 } : s, { n: 0 }),"
    " onSnapshot: { actions: x.assign({ public: ({ event }) => ({ count: event.snapshot.context.n }) }) } },"
    ' on: { ADD: { actions: x.sendTo("k", { type: "ADD" }) } } } }',
)
same(
    "invoke-machine",
    *("GO", "END"),
    value="c",
    public={"got": {"sum": 3}},
    before='const kid = x.createMachine({ context: ({ input }) => input, initial: "r", states: { r: {'
    ' on: { END: "f" } }, f: { type: "final" } }, output: ({ context }) => ({ sum: context.p + context.q }) });',
    v5='context: { public: {} }, initial: "a", states: { a: { on: { GO: "b" } },'
    f' b: {{ invoke: {{ id: "k", src: kid, input: {{ p: 1, q: 2 }}, onDone: {{ target: "c", {_NOTE5} }} }},'
    ' on: { END: { actions: x.sendTo("k", { type: "END" }) } } }, c: {} }',
)
same(
    "invoke-machine",
    *("GO", "END"),
    value="c",
    public={"got": {"sum": 3}},
    before='const kid = x.createMachine({ predictableActionArguments: true, context: { p: 0, q: 0 }, initial: "r",'
    ' states: { r: { on: { END: "f" } }, f: { type: "final", data: { sum: (c) => c.p + c.q } } } });',
    v4='context: { public: {} }, initial: "a", states: { a: { on: { GO: "b" } },'
    f' b: {{ invoke: {{ id: "k", src: kid, data: {{ p: 1, q: 2 }}, onDone: {{ target: "c", {_NOTE4} }} }},'
    ' on: { END: { actions: a.sendTo("k", { type: "END" }) } } }, c: {} }',
)
same(
    "spawn-in-assign",
    *("GO", "PING"),
    value="b",
    before='const echo = x.createMachine({ on: { PING: { actions: x.sendParent({ type: "PONG" }) } } });',
    v5='context: { public: {} }, initial: "a", states: { a: { on: { GO: { actions: x.assign({ kid: ({ spawn }) =>'
    ' spawn(echo, { id: "kid" }) }) }, PING: { actions: x.sendTo(({ context }) => context.kid, { type: "PING" }) },'
    ' PONG: "b" } }, b: {} }',
    public={},
)
same(
    "spawn-in-assign",
    *("GO", "PING"),
    value="b",
    before="const echo = x.createMachine({ predictableActionArguments: true,"
    ' on: { PING: { actions: x.sendParent("PONG") } } });',
    v4='context: { public: {} }, initial: "a", states: { a: { on: { GO: { actions: x.assign({ kid: () =>'
    ' x.spawn(echo, "kid") }) }, PING: { actions: a.sendTo((c) => c.kid, { type: "PING" }) }, PONG: "b" } }, b: {} }',
    public={},
)
same(
    "spawn-child",
    *("GO", "PING", "STOP", "PING"),
    value="a",
    public={"pongs": 1},
    before='const echo = x.createMachine({ on: { PING: { actions: x.sendParent({ type: "PONG" }) } } });',
    v5='context: { public: { pongs: 0 } }, initial: "a", states: { a: { on: {'
    ' GO: { actions: x.spawnChild(echo, { id: "kid" }) }, STOP: { actions: x.stopChild("kid") },'
    " PING: { actions: x.enqueueActions(({ self, enqueue }) => {"
    ' if (self.getSnapshot().children.kid) enqueue.sendTo("kid", { type: "PING" }); }) },'
    " PONG: { actions: x.assign({ public: ({ context: c }) => ({ pongs: c.public.pongs + 1 }) }) } } } }",
)
same(
    "stop",
    *("GO", "PING", "STOP", "PING"),
    value="a",
    public={"pongs": 1},
    before="const echo = x.createMachine({ predictableActionArguments: true,"
    ' on: { PING: { actions: x.sendParent("PONG") } } });',
    v4='context: { public: { pongs: 0 } }, initial: "a", states: { a: { on: { GO: { actions: x.assign({ kid: () =>'
    ' x.spawn(echo, "kid") }) }, STOP: { actions: a.stop("kid") },'
    ' PING: { actions: (c) => c.kid.send("PING") },'
    " PONG: { actions: x.assign({ public: (c) => ({ pongs: c.public.pongs + 1 }) }) } } } }",
)
same(
    "system-id",
    *("PING", "AGAIN", "PING"),
    value="a",
    public={"pongs": 2},
    before='const echo = x.createMachine({ on: { PING: { actions: x.sendParent({ type: "PONG" }) } } });',
    v5='context: { public: { pongs: 0 } }, initial: "a", states: { a: { invoke: { src: echo, systemId: "the-echo" },'
    ' on: { AGAIN: { target: "a", reenter: true },'
    ' PING: { actions: x.sendTo(({ system }) => system.get("the-echo"), { type: "PING" }) },'
    " PONG: { actions: x.assign({ public: ({ context: c }) => ({ pongs: c.public.pongs + 1 }) }) } } } }",
)
same(
    "on-snapshot",
    *("GO",),
    value={"a": "seen"},
    before='const kid = x.createMachine({ initial: "r", states: { r: { on: { GO: "s" } }, s: {} } });',
    v5='initial: "a", states: { a: { initial: "waiting", invoke: { id: "k", src: kid, onSnapshot: {'
    ' guard: ({ event }) => event.snapshot.value === "s", target: ".seen" } },'
    ' on: { GO: { actions: x.sendTo("k", { type: "GO" }) } }, states: { waiting: {}, seen: {} } } }',
)
same(
    "activities",
    *("GO", "STOP"),
    value="a",
    v4='initial: "a", states: { a: { on: { GO: "b" } }, b: { activities: ["beep"], on: { STOP: "a" } } } },'
    ' { activities: { beep: () => { console.log("on"); return () => console.log("off"); } }',
)
