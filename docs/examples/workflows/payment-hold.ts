// Money is held, then captured in parts or given back. The hold ends by itself after seven days; every capture
// starts the clock anew, which is a delayed event that is cancelled and set again.
import { assign, cancel, enqueueActions, fromPromise, raise, setup } from "xstate";

type Context = { public: { amount: number; captured: number; released: number } };
type Events = { type: "CAPTURE"; amount: number } | { type: "RELEASE" } | { type: "HOLD_EXPIRED" };

export const allowRead = () => true;
export const allowWrite = () => true;

const week = 7 * 24 * 3_600_000;

export default setup({
  types: {
    context: {} as Context,
    events: {} as Events,
    input: {} as { amount: number },
  },
  actors: {
    // Stands in for the payment provider: it holds anything below a thousand.
    hold: fromPromise<{ held: number }, { amount: number }>(async ({ input }) => {
      if (input.amount >= 1000) throw new Error("over the limit");
      return { held: input.amount };
    }),
  },
  guards: {
    tooMuch: ({ context, event }) => event.type === "CAPTURE" && event.amount > context.public.amount - context.public.captured,
    lastPart: ({ context, event }) => event.type === "CAPTURE" && event.amount === context.public.amount - context.public.captured,
  },
  actions: {
    capture: assign(({ context, event }) =>
      event.type === "CAPTURE" ? { public: { ...context.public, captured: context.public.captured + event.amount } } : {}
    ),
    release: assign(({ context }) => ({
      public: { ...context.public, released: context.public.amount - context.public.captured },
    })),
    startClock: enqueueActions(({ enqueue }) => {
      enqueue(cancel("hold"));
      enqueue(raise({ type: "HOLD_EXPIRED" }, { id: "hold", delay: week }));
    }),
  },
}).createMachine({
  id: "payment",
  context: ({ input }) => ({ public: { amount: input.amount, captured: 0, released: 0 } }),
  initial: "holding",
  states: {
    holding: {
      invoke: {
        src: "hold",
        input: ({ context }) => ({ amount: context.public.amount }),
        onDone: "held",
        onError: "declined",
      },
    },
    held: {
      tags: "money",
      entry: "startClock",
      exit: cancel("hold"),
      on: {
        CAPTURE: [
          { guard: "tooMuch" },
          { guard: "lastPart", target: "captured", actions: "capture" },
          { actions: ["capture", "startClock"] },
        ],
        RELEASE: { target: "released", actions: "release" },
        HOLD_EXPIRED: { target: "expired", actions: "release" },
      },
    },
    captured: { type: "final" },
    released: { type: "final" },
    expired: { type: "final" },
    declined: { type: "final" },
  },
});
