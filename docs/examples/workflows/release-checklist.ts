// Subtasks side by side with a join, a deadline over all of them, and a gate that looks into the regions.
import { and, assign, not, setup, stateIn } from "xstate";

type Context = { public: { signed: string[] } };
type Events = { type: "DOCS" | "TESTS" | "TESTS_FAILED" | "FIXED" | "SHIP" } | { type: "SIGN"; by: string };

export const allowRead = () => true;
export const allowWrite = () => true;

export default setup({
  types: { context: {} as Context, events: {} as Events },
  guards: {
    enoughSignatures: ({ context }) => context.public.signed.length >= 2,
    docsWritten: stateIn({ preparing: { docs: "done" } }),
    testsBroken: stateIn({ preparing: { tests: "broken" } }),
  },
}).createMachine({
  id: "release",
  context: { public: { signed: [] } },
  initial: "preparing",
  states: {
    preparing: {
      type: "parallel",
      states: {
        docs: { initial: "todo", states: { todo: { on: { DOCS: "done" } }, done: { type: "final" } } },
        tests: {
          initial: "todo",
          states: {
            todo: { on: { TESTS: "done", TESTS_FAILED: "broken" } },
            broken: { tags: "blocked", on: { FIXED: "todo" } },
            done: { type: "final" },
          },
        },
        signatures: {
          initial: "collecting",
          states: {
            collecting: {
              always: { guard: "enoughSignatures", target: "done" },
              on: {
                SIGN: {
                  guard: not("testsBroken"),
                  actions: assign(({ context, event }) => ({ public: { signed: [...context.public.signed, event.by] } })),
                },
              },
            },
            done: { type: "final" },
          },
        },
      },
      on: { SHIP: { guard: and(["docsWritten", not("testsBroken")]), target: "shipped" } },
      after: { [14 * 24 * 3_600_000]: "late" },
      onDone: "ready",
    },
    ready: { on: { SHIP: "shipped" } },
    late: { tags: "blocked", on: { SHIP: "shipped" } },
    shipped: { type: "final" },
  },
});
