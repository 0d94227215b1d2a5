// An order in three steps, each with a way back. When a step fails, what was done is undone in reverse order.
import { assign, fromPromise, log, setup } from "xstate";

type Step = "stock" | "payment" | "shipping";
type Context = { public: { failAt?: Step; done: Step[]; undone: Step[]; reason?: string } };

export const allowRead = () => true;
export const allowWrite = () => true;

const order: Step[] = ["stock", "payment", "shipping"];

// Stand in for calls over the network.
const perform = fromPromise<Step, { step: Step; failAt?: Step }>(async ({ input }) => {
  if (input.step === input.failAt) throw new Error(`${input.step} is not possible`);
  return input.step;
});
const compensate = fromPromise<Step, { step: Step }>(async ({ input }) => input.step);

export default setup({
  types: {
    context: {} as Context,
    events: {} as { type: "PLACE" } | { type: "CANCEL" },
    input: {} as { failAt?: Step } | undefined,
  },
  actors: { perform, compensate },
  guards: {
    allDone: ({ context }) => context.public.done.length === order.length,
    nothingDone: ({ context }) => context.public.done.length === 0,
  },
}).createMachine({
  id: "order",
  context: ({ input }) => ({ public: { failAt: input?.failAt, done: [], undone: [] } }),
  initial: "cart",
  states: {
    cart: { on: { PLACE: "performing" } },
    performing: {
      tags: "busy",
      always: { guard: "allDone", target: "placed" },
      invoke: {
        id: "step",
        src: "perform",
        input: ({ context }) => ({ step: order[context.public.done.length], failAt: context.public.failAt }),
        onDone: {
          target: "performing",
          reenter: true,
          actions: assign(({ context, event }) => ({
            public: { ...context.public, done: [...context.public.done, event.output] },
          })),
        },
        onError: {
          target: "compensating",
          actions: assign(({ context, event }) => ({
            public: { ...context.public, reason: (event.error as Error).message },
          })),
        },
      },
    },
    placed: {
      on: { CANCEL: { target: "compensating", actions: log("cancelled by the customer") } },
      after: { [30 * 60_000]: "delivered" },
    },
    compensating: {
      tags: "busy",
      always: { guard: "nothingDone", target: "failed" },
      invoke: {
        id: "undo",
        src: "compensate",
        input: ({ context }) => ({ step: context.public.done[context.public.done.length - 1] }),
        onDone: {
          target: "compensating",
          reenter: true,
          actions: assign(({ context, event }) => ({
            public: {
              ...context.public,
              done: context.public.done.slice(0, -1),
              undone: [...context.public.undone, event.output],
            },
          })),
        },
        onError: "stuck",
      },
    },
    stuck: { tags: "human" },
    failed: { type: "final" },
    delivered: { type: "final" },
  },
});
