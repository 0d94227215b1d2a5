// The same as desk.v5.ts, for XState 4.
import { assign, createMachine } from "npm:xstate@4";

type Auth = { sub?: string };
type Context = { public: { count: number; last: string }; secret: string; holdMs: number; payMs: number; seen: string[] };
type Event = { type: string; by?: number; note?: string };

export const allowRead = ({ authContext }: { authContext: Auth }) => authContext.sub !== "stranger";
export const allowWrite = ({ authContext }: { authContext: Auth }) => authContext.sub !== "stranger";

export default createMachine<Context, Event>(
  {
    predictableActionArguments: true,
    id: "desk",
    context: { public: { count: 0, last: "" }, secret: "", holdMs: 3_600_000, payMs: 1, seen: [] },
    initial: "idle",
    on: {
      ADD: {
        actions: assign({
          public: (context, event) => ({ count: context.public.count + (event.by ?? 1), last: event.type }),
          seen: (context, event) => [...context.seen.slice(-3), event.note ?? ""],
        }),
      },
    },
    states: {
      idle: {
        tags: ["calm"],
        on: { HOLD: "holding", PAY: "paying", STICK: "stuck", NEST: "flow", END: "over" },
      },
      holding: { after: { hold: "idle" }, on: { RELEASE: "idle" } },
      paying: { tags: ["busy"], invoke: { id: "pay", src: "pay", onDone: "paid", onError: "failed" } },
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
  },
  {
    delays: { hold: (context) => context.holdMs },
    services: {
      pay: (context) => new Promise((paid) => setTimeout(() => paid("ok"), context.payMs)),
      never: () => new Promise(() => {}),
    },
  },
);
