// A machine is ordered and asked for every seventeen seconds until it is there, for ten minutes at most. What was
// ordered is taken down when it fails.
import { assign, fromPromise, setup } from "xstate";

type Context = { public: { polls: number; readyAfter: number; address?: string } };

export const allowRead = () => true;
export const allowWrite = () => true;

export default setup({
  types: {
    context: {} as Context,
    events: {} as { type: "ABORT" },
    input: {} as { readyAfter: number },
  },
  actors: {
    // Stand in for the cloud's interface.
    look: fromPromise<string | null, { polls: number; readyAfter: number }>(async ({ input }) =>
      input.polls >= input.readyAfter ? "192.0.2.7" : null
    ),
    tearDown: fromPromise(async () => "gone"),
  },
}).createMachine({
  id: "provisioning",
  context: ({ input }) => ({ public: { polls: 0, readyAfter: input.readyAfter } }),
  initial: "coming",
  states: {
    coming: {
      tags: "pending",
      initial: "looking",
      states: {
        looking: {
          entry: assign(({ context }) => ({ public: { ...context.public, polls: context.public.polls + 1 } })),
          invoke: {
            src: "look",
            input: ({ context }) => context.public,
            onDone: [
              {
                guard: ({ event }) => event.output !== null,
                target: "#provisioning.ready",
                actions: assign(({ context, event }) => ({
                  public: { ...context.public, address: event.output ?? undefined },
                })),
              },
              { target: "pausing" },
            ],
            onError: "pausing",
          },
        },
        pausing: { after: { 17_000: "looking" } },
      },
      on: { ABORT: "leaving" },
      after: { [10 * 60_000]: "leaving" },
    },
    ready: { on: { ABORT: "leaving" } },
    leaving: { invoke: { src: "tearDown", onDone: "gone", onError: "stuck" } },
    stuck: { tags: "human" },
    gone: { type: "final" },
  },
});
