// One child machine used three times with different input: a check that tries twice before it says no.
import { assign, fromPromise, setup } from "xstate";

type Subject = "identity" | "address" | "sanctions";
type Context = { public: { doubts: Subject[]; passed: Subject[]; failed?: Subject } };

export const allowRead = () => true;
export const allowWrite = () => true;

const check = setup({
  types: {
    context: {} as { subject: Subject; doubts: Subject[]; tries: number },
    input: {} as { subject: Subject; doubts: Subject[] },
    output: {} as { subject: Subject; ok: boolean; tries: number },
  },
  actors: {
    // Stands in for the register that is asked: it is wrong the first time, and right about real doubts.
    ask: fromPromise<boolean, { subject: Subject; doubts: Subject[]; tries: number }>(async ({ input }) =>
      input.tries > 1 && !input.doubts.includes(input.subject)
    ),
  },
}).createMachine({
  id: "check",
  context: ({ input }) => ({ ...input, tries: 0 }),
  initial: "asking",
  states: {
    asking: {
      entry: assign({ tries: ({ context }) => context.tries + 1 }),
      invoke: {
        src: "ask",
        input: ({ context }) => context,
        onDone: [
          { guard: ({ event }) => event.output, target: "passed" },
          { guard: ({ context }) => context.tries < 2, target: "asking", reenter: true },
          { target: "failed" },
        ],
        onError: "failed",
      },
    },
    passed: { type: "final", output: true },
    failed: { type: "final", output: false },
  },
  output: ({ context, event }) => ({
    subject: context.subject,
    ok: (event as unknown as { output: boolean }).output,
    tries: context.tries,
  }),
});

const checking = (subject: Subject, next: string) => ({
  tags: ["checking"],
  invoke: {
    id: `${subject}-check`,
    src: "check" as const,
    input: ({ context }: { context: Context }) => ({ subject, doubts: context.public.doubts }),
    onDone: [
      { guard: { type: "passed" as const }, target: next, actions: { type: "pass" as const, params: { subject } } },
      { target: "refused", actions: { type: "fail" as const, params: { subject } } },
    ],
    onError: { target: "review" },
  },
});

export default setup({
  types: { context: {} as Context, events: {} as { type: "OPEN" } | { type: "DECIDE"; ok: boolean } },
  actors: { check },
  guards: { passed: ({ event }) => (event as unknown as { output: { ok: boolean } }).output.ok },
  actions: {
    pass: assign(({ context }, { subject }: { subject: Subject }) => ({
      public: { ...context.public, passed: [...context.public.passed, subject] },
    })),
    fail: assign(({ context }, { subject }: { subject: Subject }) => ({ public: { ...context.public, failed: subject } })),
  },
}).createMachine({
  id: "account",
  context: { public: { doubts: [], passed: [] } },
  initial: "applied",
  states: {
    applied: { on: { OPEN: "identity" } },
    identity: checking("identity", "address"),
    address: checking("address", "sanctions"),
    sanctions: checking("sanctions", "opened"),
    review: {
      tags: ["human"],
      on: { DECIDE: [{ guard: ({ event }) => event.ok, target: "opened" }, { target: "refused" }] },
    },
    opened: { type: "final" },
    refused: { type: "final" },
  },
});
