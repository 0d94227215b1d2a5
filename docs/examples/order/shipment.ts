// A shipment: the child of an order, but an instance of its own, which the carrier's system talks to.
import { assign, sendParent, setup } from "xstate";

type Auth = { role?: string; stateBackedSender?: { machineName: string } };
type Asked = { authContext: Auth };

export const allowRead = ({ authContext }: Asked) => authContext.role !== undefined;
/** Orders create shipments and correct their address; the rest is the carrier's. */
export const allowWrite = ({ authContext, ...asked }: Asked & { type: string; event?: { type: string } }) =>
  authContext.stateBackedSender?.machineName === "order"
    ? asked.type === "initialization" || asked.event?.type === "ADDRESS"
    : asked.type === "event" && authContext.role === "carrier";

export default setup({
  types: {} as {
    context: { public: { order: string; address: string; signedBy?: string } };
    input: { order: string; address: string };
    events:
      | { type: "ADDRESS"; address: string }
      | { type: "PICKED_UP"; tracking: string }
      | { type: "DELIVERED"; signedBy: string };
    output: { signedBy?: string };
  },
}).createMachine({
  id: "shipment",
  context: ({ input }) => ({ public: input }),
  initial: "packed",
  output: ({ context }) => ({ signedBy: context.public.signedBy }),
  states: {
    packed: {
      on: {
        ADDRESS: {
          actions: assign({
            public: ({ context, event }) => ({ ...context.public, address: event.address }),
          }),
        },
        PICKED_UP: {
          target: "underWay",
          actions: sendParent(({ event }) => ({ type: "SHIPPED", tracking: event.tracking })),
        },
      },
      after: { 172_800_000: { actions: sendParent({ type: "LATE" }) } }, // two days
    },
    underWay: {
      on: {
        DELIVERED: {
          target: "delivered",
          actions: assign({
            public: ({ context, event }) => ({ ...context.public, signedBy: event.signedBy }),
          }),
        },
      },
    },
    delivered: { type: "final" },
  },
});
