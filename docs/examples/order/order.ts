// An order that has its shipment carried by another instance. In a test of your own, put the real machine in its
// place: `createActor(order.provide({ actors: { shipment } }))`.
import { instance, persistent } from "@stateward/machine";
import { assign, sendTo, setup } from "xstate";
import type shipment from "./shipment.ts";

type Auth = { role?: string; stateBackedSender?: { machineName: string } };
type Asked = { authContext: Auth };

export const allowRead = ({ authContext }: Asked) => authContext.role !== undefined;
/** What a shipment says is taken from shipments only. */
export const allowWrite = ({ authContext, event }: Asked & { event?: { type: string } }) =>
  event?.type === "SHIPPED" || event?.type === "LATE"
    ? authContext.stateBackedSender?.machineName === "shipment"
    : authContext.role === "customer";

type Public = { id: string; address: string; tracking?: string; signedBy?: string; late?: boolean };

export default setup({
  types: {} as {
    context: { public: Public };
    input: { id: string; address: string };
    events:
      | { type: "PAY" }
      | { type: "MOVE"; address: string }
      | { type: "SHIPPED"; tracking: string }
      | { type: "LATE" };
  },
  actors: {
    shipment: persistent<typeof shipment>({
      machine: "shipment",
      instance: ({ order }) => `shipment-${order}`,
    }),
  },
}).createMachine({
  id: "order",
  context: ({ input }) => ({ public: input }),
  initial: "open",
  states: {
    open: { on: { PAY: "shipping" } },
    shipping: {
      invoke: {
        id: "shipment",
        src: "shipment",
        input: ({ context: { public: { id, address } } }) => ({ order: id, address }),
        onDone: {
          target: "delivered",
          actions: assign({
            public: ({ context, event }) => ({ ...context.public, signedBy: event.output.signedBy }),
          }),
        },
        onError: "refunding",
      },
      on: {
        MOVE: {
          actions: [
            assign({ public: ({ context, event }) => ({ ...context.public, address: event.address }) }),
            sendTo("shipment", ({ event }) => ({ type: "ADDRESS", address: event.address })),
          ],
        },
        SHIPPED: {
          actions: assign({
            public: ({ context, event }) => ({ ...context.public, tracking: event.tracking }),
          }),
        },
        LATE: { actions: assign({ public: ({ context }) => ({ ...context.public, late: true }) }) },
      },
    },
    delivered: {
      type: "final",
      // The shop's books are an instance that orders neither create nor own.
      entry: sendTo(
        instance("ledger", "books"),
        ({ context }) => ({ type: "SOLD", order: context.public.id }),
      ),
    },
    refunding: {},
  },
});
