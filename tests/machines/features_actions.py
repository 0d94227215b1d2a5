# ruff: noqa: E501 - a machine on one line reads better than one in pieces
"""Rows about actions, and about what machines say to each other."""

from __future__ import annotations

from tests.machines.features import same

_ADD4 = "const add = (w) => x.assign({ public: (c) => ({ said: [...c.public.said, w] }) });"
_ADD5 = "const add = (w) => x.assign({ public: ({ context: c }) => ({ said: [...c.public.said, w] }) });"
_SAID = 'context: { public: { said: [] } }, initial: "a"'

same(
    "assign",
    {"type": "SET", "n": 4},
    value="a",
    public={"n": 4},
    v4='context: { public: {} }, initial: "a", states: { a: { on: {'
    " SET: { actions: x.assign((c, e) => ({ public: { n: e.n } })) } } } }",
    v5='context: { public: {} }, initial: "a", states: { a: { on: {'
    " SET: { actions: x.assign(({ event }) => ({ public: { n: event.n } })) } } } }",
)
same(
    "action-order",
    *("GO",),
    value="b",
    public={"said": ["exit", "move", "entry"]},
    v4=f'{_SAID}, states: {{ a: {{ exit: ADD("exit"), on: {{ GO: {{ target: "b", actions: ADD("move") }} }} }},'
    ' b: { entry: ADD("entry") } }',
    before="const ADD = (w) => x.assign({ public: (...a) => {"
    " const c = a[0].context ?? a[0]; return { said: [...c.public.said, w] }; } });",
    v5=f'{_SAID}, states: {{ a: {{ exit: ADD("exit"), on: {{ GO: {{ target: "b", actions: ADD("move") }} }} }},'
    ' b: { entry: ADD("entry") } }',
)
same(
    "action-params",
    "GO",
    value="a",
    public={"n": 5},
    v5='context: { public: { n: 0 } }, initial: "a", states: { a: { on: { GO: { actions: { type: "add",'
    " params: { by: 5 } } } } } } }, { actions: { add: x.assign(({ context: c }, { by }) => ({"
    " public: { n: c.public.n + by } })) }",
    v4='context: { public: { n: 0 } }, initial: "a", states: { a: { on: { GO: { actions: { type: "add",'
    " by: 5 } } } } } }, { actions: { add: x.assign((c, e, { action }) => ({"
    " public: { n: c.public.n + (action.by ?? 5) } })) }",
)
same(
    "raise",
    "GO",
    value="c",
    v4='initial: "a", states: { a: { on: { GO: { target: "b", actions: a.raise("ON") } } }, b: { on: { ON: "c" } }, c: {} }',
    v5='initial: "a", states: { a: { on: { GO: { target: "b", actions: x.raise({ type: "ON" }) } } },'
    ' b: { on: { ON: "c" } }, c: {} }',
)
same(
    "raise-delayed",
    *("GO", 499, 1),
    value="c",
    v4='initial: "a", states: { a: { on: { GO: { target: "b", actions: a.send("ON", { delay: 500 }) } } },'
    ' b: { on: { ON: "c" } }, c: {} }',
    v5='initial: "a", states: { a: { on: { GO: { target: "b", actions: x.raise({ type: "ON" }, { delay: 500 }) } } },'
    ' b: { on: { ON: "c" } }, c: {} }',
)
same(
    "cancel",
    *("GO", "CANCEL", 500),
    value="b",
    v4='initial: "a", states: { a: { on: { GO: { target: "b", actions: a.send("ON", { delay: 500, id: "t" }) } } },'
    ' b: { on: { ON: "c", CANCEL: { actions: a.cancel("t") } } }, c: {} }',
    v5='initial: "a", states: { a: { on: { GO: { target: "b",'
    ' actions: x.raise({ type: "ON" }, { delay: 500, id: "t" }) } } },'
    ' b: { on: { ON: "c", CANCEL: { actions: x.cancel("t") } } }, c: {} }',
)
_ECHO4 = """const echo = x.createMachine({ predictableActionArguments: true, initial: "e", states: { e: {
  on: { PING: { actions: x.sendParent("PONG") } } } } });"""
_ECHO5 = """const echo = x.createMachine({ initial: "e", states: { e: {
  on: { PING: { actions: x.sendParent({ type: "PONG" }) } } } } });"""
same(
    "send-to",
    "GO",
    value="b",
    before=_ECHO4,
    v4='initial: "a", states: { a: { invoke: { id: "e", src: echo }, on: { PONG: "b",'
    ' GO: { actions: a.sendTo("e", { type: "PING" }) } } }, b: {} }',
)
same(
    "send-to",
    "GO",
    value="b",
    before=_ECHO5,
    v5='initial: "a", states: { a: { invoke: { id: "e", src: echo }, on: { PONG: "b",'
    ' GO: { actions: x.sendTo("e", { type: "PING" }) } } }, b: {} }',
)
same(
    "send-parent",
    value="b",
    before='const kid = x.createMachine({ predictableActionArguments: true, entry: x.sendParent("HELLO") });',
    v4='initial: "a", states: { a: { invoke: { src: kid }, on: { HELLO: "b" } }, b: {} }',
)
same(
    "send-parent",
    value="b",
    before='const kid = x.createMachine({ entry: x.sendParent({ type: "HELLO" }) });',
    v5='initial: "a", states: { a: { invoke: { src: kid }, on: { HELLO: "b" } }, b: {} }',
)
same(
    "enqueue-actions",
    *("GO", {"type": "GO", "loud": True}),
    value="a",
    public={"said": ["quiet", "loud", "more"]},
    before=_ADD5,
    v5=f"""{_SAID}, states: {{ a: {{ on: {{ GO: {{ actions: x.enqueueActions(({{ event, enqueue, check }}) => {{
       if (check("loud")) {{ enqueue(add("loud")); enqueue(add("more")); }} else enqueue(add("quiet"));
       }}) }} }} }} }} }}, {{ guards: {{ loud: ({{ event }}) => event.loud === true }}""",
)
same(
    "pure-choose",
    *("GO", {"type": "GO", "loud": True}),
    value="a",
    public={"said": ["quiet", "pure", "loud", "pure"]},
    before=_ADD4,
    v4=f"""{_SAID}, states: {{ a: {{ on: {{ GO: {{ actions: [
       a.choose([{{ cond: (c, e) => e.loud, actions: [add("loud")] }}, {{ actions: [add("quiet")] }}]),
       a.pure(() => [add("pure")])] }} }} }} }}""",
)
same(
    "escalate",
    value="failed",
    public={"why": "no"},
    before='const kid = x.createMachine({ predictableActionArguments: true, initial: "e", states: {'
    ' e: { entry: a.escalate({ message: "no" }) } } });',
    v4='context: { public: {} }, initial: "a", states: { a: { invoke: { src: kid, onError: { target: "failed",'
    " actions: x.assign({ public: (c, e) => ({ why: e.data.message }) }) } } }, failed: {} }",
)
same(
    "respond",
    "ASK",
    value="answered",
    before='const kid = x.createMachine({ predictableActionArguments: true, initial: "e", states: {'
    ' e: { on: { ASK: { actions: a.respond("YES") } } } } });',
    v4='initial: "a", states: { a: { invoke: { id: "k", src: kid }, on: { YES: "answered",'
    ' ASK: { actions: a.sendTo("k", { type: "ASK" }) } } }, answered: {} }',
)
same(
    "respond",
    value="answered",
    before='const kid = x.createMachine({ predictableActionArguments: true, initial: "e", states: {'
    ' e: { on: { ASK: { actions: a.respond("YES") } } } } });',
    v4='context: {}, entry: [x.assign({ kid: () => x.spawn(kid, "k") }),'
    ' a.sendTo((c) => c.kid, { type: "ASK" })], initial: "a", states: { a: { on: { YES: "answered" } }, answered: {} }',
)
same(
    "auto-forward",
    "PING",
    value="b",
    before=_ECHO4,
    v4='initial: "a", states: { a: { invoke: { src: echo, autoForward: true }, on: { PONG: "b" } }, b: {} }',
)
same(
    "forward-to",
    "PING",
    value="b",
    before=_ECHO4,
    v4='initial: "a", states: { a: { invoke: { id: "e", src: echo }, on: { PONG: "b",'
    ' PING: { actions: a.forwardTo("e") } } }, b: {} }',
)
same(
    "forward-to",
    "PING",
    value="b",
    before=_ECHO5,
    v5='initial: "a", states: { a: { invoke: { id: "e", src: echo }, on: { PONG: "b",'
    ' PING: { actions: x.forwardTo("e") } } }, b: {} }',
)
same(
    "assert-event",
    {"type": "GO", "n": 2},
    value="a",
    public={"n": 2},
    v5='context: { public: {} }, initial: "a", states: { a: { on: { GO: { actions: x.assign(({ event }) => {'
    ' x.assertEvent(event, "GO"); return { public: { n: event.n } }; }) } } } }',
)
