// Bids until a deadline; a bid in the last minutes moves the deadline, so that nobody wins by waiting.
import { assign, cancel, enqueueActions, raise, setup } from "xstate";

type Bid = { by: string; amount: number };
type Context = { public: { best?: Bid; bids: number; extended: number } };
type Events = { type: "BID"; by: string; amount: number } | { type: "LAST_CALL" } | { type: "CLOSE" } | { type: "PAID" };

export const allowRead = () => true;
export const allowWrite = () => true;

const minute = 60_000;

export default setup({
  types: { context: {} as Context, events: {} as Events },
  guards: {
    isHigher: ({ context, event }) => event.type === "BID" && event.amount > (context.public.best?.amount ?? 99),
    hasWinner: ({ context }) => context.public.best !== undefined,
  },
  actions: {
    take: assign(({ context, event }) =>
      event.type === "BID"
        ? { public: { ...context.public, best: { by: event.by, amount: event.amount }, bids: context.public.bids + 1 } }
        : {}
    ),
    extend: enqueueActions(({ context, enqueue }) => {
      enqueue(cancel("close"));
      enqueue(raise({ type: "CLOSE" }, { id: "close", delay: 5 * minute }));
      enqueue(assign({ public: { ...context.public, extended: context.public.extended + 1 } }));
    }),
  },
}).createMachine({
  id: "auction",
  context: { public: { bids: 0, extended: 0 } },
  initial: "open",
  states: {
    open: {
      entry: [
        raise({ type: "LAST_CALL" }, { id: "last", delay: 55 * minute }),
        raise({ type: "CLOSE" }, { id: "close", delay: 60 * minute }),
      ],
      initial: "early",
      states: {
        early: {
          on: { LAST_CALL: "late", BID: { guard: "isHigher", actions: "take" } },
        },
        late: {
          tags: "hurry",
          on: { BID: { guard: "isHigher", actions: ["take", "extend"] } },
        },
      },
      on: { CLOSE: [{ guard: "hasWinner", target: "payment" }, { target: "unsold" }] },
    },
    payment: { on: { PAID: "sold" }, after: { [48 * 60 * minute]: "unsold" } },
    sold: { type: "final", output: ({ context }) => context.public.best },
    unsold: { type: "final" },
  },
  output: ({ event }) => (event as { output?: unknown }).output ?? null,
});
