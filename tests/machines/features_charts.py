# ruff: noqa: E501 - a machine on one line reads better than one in pieces
"""Rows about states and transitions."""

from __future__ import annotations

from tests.machines.features import same

_TWO = """
  initial: "a", states: {
    a: { initial: "a1", states: { a1: { on: { IN: "a2" } }, a2: {
           initial: "deep1", states: { deep1: { on: { DEEPER: "deep2" } }, deep2: {} } },
         back: { type: "history", history: "%s" } }, on: { OUT: "b" } },
    b: { on: { BACK: "a.back" } },
  }"""

same(
    "compound",
    *("GO", "INNER"),
    value={"b": {"c": "c2"}},
    v4='initial: "a", states: { a: { on: { GO: "b" } }, b: { initial: "c", states: {'
    ' c: { initial: "c1", states: { c1: { on: { INNER: "c2" } }, c2: {} } } } } }',
    v5='initial: "a", states: { a: { on: { GO: "b" } }, b: { initial: "c", states: {'
    ' c: { initial: "c1", states: { c1: { on: { INNER: "c2" } }, c2: {} } } } } }',
)
same(
    "final",
    *("END", "END"),
    value="over",
    v4='initial: "a", states: { a: { initial: "x", states: { x: { on: { END: "y" } }, y: { type: "final" } },'
    ' onDone: "b" }, b: { on: { END: "over" } }, over: { type: "final" } }',
    v5='initial: "a", states: { a: { initial: "x", states: { x: { on: { END: "y" } }, y: { type: "final" } },'
    ' onDone: "b" }, b: { on: { END: "over" } }, over: { type: "final" } }',
)
same(
    "parallel",
    *("ONE", "BOTH", "TWO"),
    value="joined",
    v4='initial: "p", states: { joined: {}, p: { type: "parallel", onDone: "joined", states: {'
    ' l: { initial: "1", states: { 1: { on: { ONE: "2" } }, 2: { on: { BOTH: "3" } }, 3: { type: "final" } } },'
    ' r: { initial: "1", states: { 1: { on: { BOTH: "2" } }, 2: { on: { TWO: "3" } },'
    ' 3: { type: "final" } } } } } }',
    v5='initial: "p", states: { joined: {}, p: { type: "parallel", onDone: "joined", states: {'
    ' l: { initial: "1", states: { 1: { on: { ONE: "2" } }, 2: { on: { BOTH: "3" } }, 3: { type: "final" } } },'
    ' r: { initial: "1", states: { 1: { on: { BOTH: "2" } }, 2: { on: { TWO: "3" } },'
    ' 3: { type: "final" } } } } } }',
)
same(
    "history-shallow",
    *("IN", "DEEPER", "OUT", "BACK"),
    value={"a": {"a2": "deep1"}},
    v4=_TWO % "shallow",
    v5=_TWO % "shallow",
)
same(
    "history-deep",
    *("IN", "DEEPER", "OUT", "BACK"),
    value={"a": {"a2": "deep2"}},
    v4=_TWO % "deep",
    v5=_TWO % "deep",
)
same(
    "always",
    *("UP", "UP"),
    value="high",
    public={"n": 2},
    v4='context: { public: { n: 0 } }, initial: "low", states: { low: { always: { cond: (c) => c.public.n > 1,'
    ' target: "high" }, on: { UP: { actions: x.assign({ public: (c) => ({ n: c.public.n + 1 }) }) } } },'
    " high: {} }",
    v5='context: { public: { n: 0 } }, initial: "low", states: { low: { always: {'
    ' guard: ({ context: c }) => c.public.n > 1, target: "high" },'
    " on: { UP: { actions: x.assign({ public: ({ context: c }) => ({ n: c.public.n + 1 }) }) } } }, high: {} }",
)
same(
    "reenter",
    *("INTERNAL", "EXTERNAL"),
    value={"a": "a1"},
    public={"n": 2},
    v4='context: { public: { n: 0 } }, initial: "a", states: { a: { initial: "a1",'
    " entry: x.assign({ public: (c) => ({ n: c.public.n + 1 }) }), states: { a1: {}, a2: {} },"
    ' on: { INTERNAL: { target: ".a2" }, EXTERNAL: { target: "a", internal: false } } } }',
    v5='context: { public: { n: 0 } }, initial: "a", states: { a: { initial: "a1",'
    " entry: x.assign({ public: ({ context: c }) => ({ n: c.public.n + 1 }) }), states: { a1: {}, a2: {} },"
    ' on: { INTERNAL: { target: ".a2" }, EXTERNAL: { target: "a", reenter: true } } } }',
)
same(
    "wildcard",
    *("KNOWN", "anything"),
    value="other",
    v4='initial: "a", states: { a: { on: { KNOWN: "b", "*": "other" } }, b: { on: { "*": "other" } }, other: {} }',
    v5='initial: "a", states: { a: { on: { KNOWN: "b", "*": "other" } }, b: { on: { "*": "other" } }, other: {} }',
)
same(
    "partial-wildcard",
    *("mousey", "mouse.click.left"),
    value="b",
    v5='initial: "a", states: { a: { on: { "mouse.*": "b" } }, b: {} }',
)
same(
    "forbidden",
    "STOP",
    value={"a": "inner"},
    v4='initial: "a", on: { STOP: ".b" }, states: { a: { initial: "inner", states: { inner: {'
    " on: { STOP: undefined } } } }, b: {} }",
    v5='initial: "a", on: { STOP: ".b" }, states: { a: { initial: "inner", states: { inner: {'
    " on: { STOP: undefined } } } }, b: {} }",
)
same(
    "guards",
    *({"type": "GO", "n": 1}, {"type": "GO", "n": 9}),
    value="big",
    v4='initial: "a", states: { a: { on: { GO: [{ cond: (_c, e) => e.n > 5, target: "big" }] } }, big: {} }',
    v5='initial: "a", states: { a: { on: { GO: [{ guard: ({ event }) => event.n > 5, target: "big" }] } },'
    " big: {} }",
)
same(
    "guard-params",
    *({"type": "GO", "n": 3}, {"type": "GO", "n": 9}),
    value="big",
    v5="""initial: "a", states: { a: { on: { GO: { guard: { type: "over", params: { than: 5 } }, target: "big" } } },
       big: {} } }, { guards: { over: ({ event }, { than }) => event.n > than }""",
    v4="""initial: "a", states: { a: { on: { GO: { cond: { type: "over", than: 5 }, target: "big" } } },
       big: {} } }, { guards: { over: (_c, event, { cond }) => event.n > cond.than }""",
)
same(
    "guard-combinators",
    *({"type": "GO", "n": 3}, {"type": "GO", "n": 12}, {"type": "GO", "n": 8}),
    value="b",
    v5="""initial: "a", states: { a: { on: { GO: { guard: x.and(["over", x.not("tooBig"), x.or(["never", "over"])]),
       target: "b" } } }, b: {} } }, { guards: { over: ({ event }) => event.n > 5,
       tooBig: ({ event }) => event.n > 10, never: () => false }""",
)
same(
    "state-in",
    *("GO", "OPEN", "GO"),
    value={"door": "open", "me": "in"},
    v5='type: "parallel", states: { door: { initial: "shut", states: { shut: { on: { OPEN: "open" } }, open: {} } },'
    ' me: { initial: "out", states: { out: { on: { GO: { guard: x.stateIn({ door: "open" }), target: "in" } } },'
    " in: {} } } }",
    v4='type: "parallel", states: { door: { initial: "shut", states: { shut: { on: { OPEN: "open" } }, open: {} } },'
    ' me: { initial: "out", states: { out: { on: { GO: { in: { door: "open" }, target: "in" } } }, in: {} } } }',
)
same(
    "tags",
    "GO",
    value="b",
    v4='initial: "a", states: { a: { tags: ["x", "y"], on: { GO: "b" } }, b: { tags: "z" } }',
    v5='initial: "a", states: { a: { tags: ["x", "y"], on: { GO: "b" } }, b: { tags: "z" } }',
)
same(
    "unknown-event",
    "NEVER_HEARD",
    value="a",
    v4='initial: "a", states: { a: { on: { GO: "b" } }, b: {} }',
    v5='initial: "a", states: { a: { on: { GO: "b" } }, b: {} }',
)
same(
    "context-factory",
    value="a",
    public={"list": [1]},
    v4='context: () => ({ public: { list: [1] } }), initial: "a", states: { a: {} }',
    v5='context: () => ({ public: { list: [1] } }), initial: "a", states: { a: {} }',
)
same(
    "after",
    *(999, "NOTHING", 1),
    value="b",
    v4='initial: "a", states: { a: { after: { 1000: "b" } }, b: {} }',
    v5='initial: "a", states: { a: { after: { 1000: "b" } }, b: {} }',
)
same(
    "dynamic-delays",
    *({"type": "GO", "ms": 700}, 699, 1),
    value="c",
    v4="""context: { public: { ms: 0 } }, initial: "a", states: { a: { on: { GO: { target: "b",
       actions: x.assign({ public: (_c, e) => ({ ms: e.ms }) }) } } }, b: { after: { SOON: "c" } }, c: {} } },
       { delays: { SOON: (c) => c.public.ms }""",
    v5="""context: { public: { ms: 0 } }, initial: "a", states: { a: { on: { GO: { target: "b",
       actions: x.assign({ public: ({ event: e }) => ({ ms: e.ms }) }) } } }, b: { after: { SOON: "c" } }, c: {} } },
       { delays: { SOON: ({ context: c }) => c.public.ms }""",
    public={"ms": 700},
)
