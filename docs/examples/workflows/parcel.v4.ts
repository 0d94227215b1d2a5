// XState 4: a parcel that is packed and posted, with a way back, and an update the customer gets in between.
import { actions, assign, createMachine } from "xstate";

const { pure, send } = actions;

type Context = { public: { items: string[]; packed: string[]; undone: string[]; broken?: string } };
type Events = { type: "PACK"; items: string[] } | { type: "PACKED"; item: string } | { type: "RETURNED" };

export const allowRead = () => true;
export const allowWrite = () => true;

export default createMachine<Context, Events>({
  predictableActionArguments: true,
  id: "parcel",
  context: { public: { items: [], packed: [], undone: [] } },
  initial: "new",
  states: {
    new: {
      on: {
        PACK: {
          target: "packing",
          actions: assign({ public: (context, event) => ({ ...context.public, items: event.items }) }),
        },
      },
    },
    packing: {
      // One event for each thing to be packed.
      entry: pure<Context, any>((context) => context.public.items.map((item) => send({ type: "PACKED", item }))) as any,
      on: {
        PACKED: {
          actions: assign({
            public: (context, event) => ({ ...context.public, packed: [...context.public.packed, event.item] }),
          }),
        },
      },
      always: {
        cond: (context) => context.public.items.length > 0 && context.public.packed.length === context.public.items.length,
        target: "posting",
      },
    },
    posting: {
      invoke: { id: "post", src: "post", onDone: "posted", onError: { target: "unpacking", actions: "explain" } },
    },
    posted: { on: { RETURNED: "unpacking" }, after: { WEEK: "arrived" } },
    unpacking: {
      always: [{ cond: (context) => context.public.packed.length === 0, target: "back" }],
      invoke: {
        id: "unpack",
        src: "unpack",
        onDone: {
          target: "unpacking",
          internal: false,
          actions: assign({
            public: (context: Context, event: any) => ({
              ...context.public,
              packed: context.public.packed.slice(0, -1),
              undone: [...context.public.undone, event.data],
            }),
          }),
        },
      },
    },
    arrived: { type: "final" },
    back: { type: "final" },
  },
}, {
  actions: {
    explain: assign({ public: (context: Context, event: any) => ({ ...context.public, broken: event.data.message }) }),
  },
  delays: { WEEK: 7 * 24 * 3_600_000 },
  services: {
    // Stand in for the carrier and the warehouse.
    post: async (context) => {
      if (context.public.items.includes("glass")) throw new Error("glass is not taken");
    },
    unpack: async (context) => context.public.packed[context.public.packed.length - 1],
  },
});
