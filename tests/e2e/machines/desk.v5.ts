// A machine with something of everything that a caller can see, and a secret that nobody may. For XState 5.
import { assign, fromPromise, setup } from "xstate";

type Auth = { sub?: string };
type Input = { secret?: string; holdMs?: number; payMs?: number } | undefined;
type Context = { public: { count: number; last: string }; secret: string; holdMs: number; payMs: number; seen: string[] };

export const allowRead = ({ authContext }: { authContext: Auth }) => authContext.sub !== "stranger";
export const allowWrite = ({ authContext }: { authContext: Auth }) => authContext.sub !== "stranger";

export default setup({
  types: {} as { context: Context; input: Input; events: { type: string; by?: number; note?: string } },
  delays: { hold: ({ context }) => context.holdMs },
  actors: {
    pay: fromPromise(({ input }: { input: number }) => new Promise((paid) => setTimeout(() => paid("ok"), input))),
    never: fromPromise(() => new Promise(() => {})),
  },
}).createMachine({
  id: "desk",
  context: ({ input }) => ({
    public: { count: 0, last: "" },
    secret: input?.secret ?? "",
    holdMs: input?.holdMs ?? 3_600_000,
    payMs: input?.payMs ?? 1,
    seen: [],
  }),
  initial: "idle",
  on: {
    ADD: {
      actions: assign({
        public: ({ context, event }) => ({ count: context.public.count + (event.by ?? 1), last: event.type }),
        seen: ({ context, event }) => [...context.seen.slice(-3), event.note ?? ""],
      }),
    },
  },
  states: {
    idle: {
      tags: ["calm"],
      on: { HOLD: "holding", PAY: "paying", STICK: "stuck", NEST: "flow", END: "over" },
    },
    holding: { after: { hold: "idle" }, on: { RELEASE: "idle" } },
    paying: {
      tags: ["busy"],
      invoke: { id: "pay", src: "pay", input: ({ context }) => context.payMs, onDone: "paid", onError: "failed" },
    },
    stuck: { tags: ["busy"], invoke: { id: "never", src: "never", onError: "failed" }, on: { RELEASE: "idle" } },
    paid: { tags: ["calm", "paid"], on: { END: "over", RELEASE: "idle" } },
    failed: { on: { RELEASE: "idle" } },
    flow: {
      type: "parallel",
      tags: ["nested"],
      on: { RELEASE: "idle" },
      states: {
        form: { initial: "empty", states: { empty: { on: { FILL: "full" } }, full: { tags: ["ready"] } } },
        mail: { initial: "unsent", states: { unsent: {} } },
      },
    },
    over: { type: "final" },
  },
});
