// A loop that looks every five minutes. Three bad readings in a row raise the alarm; a silent sensor does too.
import { assign, setup } from "xstate";

type Context = { public: { checks: number; bad: number; last?: number } };
type Events = { type: "READING"; value: number } | { type: "ACKNOWLEDGE" } | { type: "DISCHARGE" };

export const allowRead = () => true;
export const allowWrite = () => true;

export default setup({
  types: { context: {} as Context, events: {} as Events },
  guards: {
    alarming: ({ context }) => context.public.bad >= 3,
    isBad: ({ event }) => event.type === "READING" && (event.value < 60 || event.value > 100),
  },
  actions: {
    ask: assign(({ context }) => ({ public: { ...context.public, checks: context.public.checks + 1 } })),
    keep: assign(({ context, event }) =>
      event.type === "READING" ? { public: { ...context.public, last: event.value } } : {}
    ),
    countBad: assign(({ context }) => ({ public: { ...context.public, bad: context.public.bad + 1 } })),
    forget: assign(({ context }) => ({ public: { ...context.public, bad: 0 } })),
  },
  delays: { pause: 5 * 60_000, silence: 60_000 },
}).createMachine({
  id: "monitor",
  context: { public: { checks: 0, bad: 0 } },
  initial: "watching",
  on: { DISCHARGE: ".discharged" },
  states: {
    watching: {
      initial: "idle",
      states: {
        idle: { tags: "calm", after: { pause: { target: "asking", actions: "ask" } } },
        asking: {
          on: {
            READING: [
              { guard: "isBad", target: "judging", actions: ["keep", "countBad"] },
              { target: "judging", actions: ["keep", "forget"] },
            ],
          },
          after: { silence: "#monitor.alarm.silent" },
        },
        judging: { always: [{ guard: "alarming", target: "#monitor.alarm" }, { target: "idle" }] },
      },
    },
    alarm: {
      tags: ["urgent"],
      initial: "readings",
      states: { readings: {}, silent: { tags: ["technical"] } },
      on: { ACKNOWLEDGE: { target: "watching", actions: "forget" } },
    },
    discharged: { type: "final" },
  },
});
