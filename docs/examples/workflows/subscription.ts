// A subscription that renews every thirty days for years. A card that fails is tried three more times; then the
// subscription ends, unless the customer brings a new card.
import { assign, fromPromise, setup } from "xstate";

type Context = { public: { card: string; periods: number; paid: number; attempts: number } };
type Events = { type: "NEW_CARD"; card: string } | { type: "CANCEL" };

export const allowRead = () => true;
export const allowWrite = () => true;

const day = 24 * 3_600_000;

export default setup({
  types: { context: {} as Context, events: {} as Events },
  actors: {
    // Stands in for the payment provider: "expires-at-3" pays three times and no more.
    charge: fromPromise<number, { card: string; paid: number }>(async ({ input }) => {
      const limit = /^expires-at-(\d+)$/.exec(input.card);
      if (limit && input.paid >= Number(limit[1])) throw new Error("the card was declined");
      return 9;
    }),
  },
  guards: { triedEnough: ({ context }) => context.public.attempts >= 3 },
  actions: {
    book: assign(({ context }) => ({
      public: { ...context.public, periods: context.public.periods + 1, paid: context.public.paid + 1, attempts: 0 },
    })),
    countAttempt: assign(({ context }) => ({ public: { ...context.public, attempts: context.public.attempts + 1 } })),
    takeCard: assign(({ context, event }) =>
      event.type === "NEW_CARD" ? { public: { ...context.public, card: event.card, attempts: 0 } } : {}
    ),
  },
  delays: { period: 30 * day, dunning: ({ context }) => context.public.attempts * 2 * day },
}).createMachine({
  id: "subscription",
  context: { public: { card: "good", periods: 0, paid: 0, attempts: 0 } },
  initial: "charging",
  on: { CANCEL: ".ended" },
  states: {
    charging: {
      invoke: {
        src: "charge",
        input: ({ context }) => ({ card: context.public.card, paid: context.public.paid }),
        onDone: { target: "running", actions: "book" },
        onError: [{ guard: "triedEnough", target: "ended" }, { target: "overdue", actions: "countAttempt" }],
      },
    },
    running: { tags: "active", after: { period: "charging" }, on: { NEW_CARD: { actions: "takeCard" } } },
    overdue: {
      tags: "active",
      after: { dunning: "charging" },
      on: { NEW_CARD: { target: "charging", actions: "takeCard" } },
    },
    ended: { type: "final" },
  },
  output: ({ context }) => ({ periods: context.public.periods }),
});
