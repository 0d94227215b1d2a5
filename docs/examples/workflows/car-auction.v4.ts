// XState 4: a car goes through inspection, bidding with a deadline, and payment.
import { assign, createMachine, sendParent } from "xstate";

type Context = { public: { fair?: boolean; bid: number; bidder?: string; rounds: number } };
type Events =
  | { type: "INSPECT"; mileage: number }
  | { type: "BID"; by: string; amount: number }
  | { type: "GOING"; round: number }
  | { type: "PAY" };

export const allowRead = () => true;
export const allowWrite = () => true;

/** Calls "going once, twice, gone"; runs inside the auction. */
const hammer = createMachine<{ round: number }>({
  predictableActionArguments: true,
  id: "hammer",
  context: { round: 0 },
  initial: "calling",
  states: {
    calling: {
      entry: [
        assign({ round: (context) => context.round + 1 }),
        sendParent((context: { round: number }) => ({ type: "GOING", round: context.round })) as any,
      ],
      always: { cond: (context) => context.round >= 3, target: "gone" },
      on: { AGAIN: { target: "calling", internal: false } },
    },
    gone: { type: "final", data: (context: { round: number }) => ({ rounds: context.round }) },
  },
});

export default createMachine<Context, Events>({
  predictableActionArguments: true,
  id: "car",
  context: { public: { bid: 0, rounds: 0 } },
  initial: "arrived",
  states: {
    arrived: {
      on: {
        INSPECT: {
          target: "inspecting",
          actions: assign({ public: (context, event) => ({ ...context.public, fair: event.mileage < 100_000 }) }),
        },
      },
    },
    inspecting: { always: [{ cond: (context) => context.public.fair === true, target: "bidding" }, { target: "scrapped" }] },
    bidding: {
      tags: ["public"],
      on: {
        BID: {
          cond: (context, event) => event.amount > context.public.bid,
          actions: assign({
            public: (context, event) => ({ ...context.public, bid: event.amount, bidder: event.by }),
          }),
        },
      },
      after: { 3_600_000: [{ cond: (context) => context.public.bid > 0, target: "hammer" }, { target: "scrapped" }] },
    },
    hammer: {
      invoke: {
        id: "hammer",
        src: hammer,
        autoForward: true,
        onDone: {
          target: "sold",
          actions: assign({ public: (context: Context, event: any) => ({ ...context.public, rounds: event.data.rounds }) }),
        },
        onError: "bidding",
      },
      on: { GOING: { actions: assign({ public: (context, event) => ({ ...context.public, rounds: event.round }) }) } },
    },
    sold: { on: { PAY: "paid" }, after: { [3 * 24 * 3_600_000]: "bidding" } },
    paid: { type: "final" },
    scrapped: { type: "final" },
  },
});
