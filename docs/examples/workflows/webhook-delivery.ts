// A webhook is tried again with growing pauses and given up after the sixth time, until somebody asks again.
import { assign, fromPromise, setup } from "xstate";

type Context = { public: { attempt: number; worksFrom: number; error?: string } };

export const allowRead = () => true;
export const allowWrite = () => true;

export default setup({
  types: {
    context: {} as Context,
    events: {} as { type: "AGAIN" },
    input: {} as { worksFrom: number },
  },
  actors: {
    // Stands in for the receiver, which answers from some attempt on.
    deliver: fromPromise<string, { attempt: number; worksFrom: number }>(async ({ input }) => {
      if (input.attempt < input.worksFrom) throw new Error(`503 at attempt ${input.attempt}`);
      return "200";
    }),
  },
  delays: { backoff: ({ context }) => 1000 * 2 ** (context.public.attempt - 1) },
  guards: { exhausted: ({ context }) => context.public.attempt % 6 === 0 },
}).createMachine({
  id: "webhook",
  context: ({ input }) => ({ public: { attempt: 0, worksFrom: input.worksFrom } }),
  initial: "sending",
  states: {
    sending: {
      entry: assign(({ context }) => ({ public: { ...context.public, attempt: context.public.attempt + 1 } })),
      invoke: {
        src: "deliver",
        input: ({ context }) => context.public,
        onDone: "delivered",
        onError: {
          target: "failed",
          actions: assign(({ context, event }) => ({
            public: { ...context.public, error: (event.error as Error).message },
          })),
        },
      },
    },
    failed: { always: [{ guard: "exhausted", target: "parked" }, { target: "waiting" }] },
    waiting: { tags: "retrying", after: { backoff: "sending" }, on: { AGAIN: "sending" } },
    parked: { tags: "human", on: { AGAIN: "sending" } },
    delivered: { type: "final" },
  },
});
