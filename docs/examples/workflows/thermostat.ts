// A device connection as a callback service: it hears commands and reports. It runs as long as its state is
// active, so it is lost with its process or when the settle limit is over; the machine then connects anew.
import { assign, fromCallback, sendTo, setup } from "xstate";

type Context = { public: { target: number; actual?: number; lost: number } };
type Events =
  | { type: "CONNECT" | "DISCONNECT" }
  | { type: "SET"; target: number }
  | { type: "REPORT"; actual: number };

export const allowRead = () => true;
export const allowWrite = () => true;

export default setup({
  types: { context: {} as Context, events: {} as Events },
  actors: {
    // Stands in for a socket to the device, which takes every target at once.
    device: fromCallback<{ type: "SET"; target: number }>(({ sendBack, receive }) => {
      receive((event) => sendBack({ type: "REPORT", actual: event.target }));
      return () => console.log("the connection is closed");
    }),
  },
}).createMachine({
  id: "thermostat",
  context: { public: { target: 19, lost: 0 } },
  initial: "offline",
  states: {
    offline: { on: { CONNECT: "online" } },
    online: {
      tags: "connected",
      invoke: { id: "device", src: "device", onError: "waiting" },
      entry: sendTo("device", ({ context }) => ({ type: "SET", target: context.public.target })),
      on: {
        DISCONNECT: "offline",
        SET: {
          actions: [
            assign(({ context, event }) => ({ public: { ...context.public, target: event.target } })),
            sendTo("device", ({ event }) => event),
          ],
        },
        REPORT: { actions: assign(({ context, event }) => ({ public: { ...context.public, actual: event.actual } })) },
      },
    },
    waiting: {
      entry: assign(({ context }) => ({ public: { ...context.public, lost: context.public.lost + 1 } })),
      on: { CONNECT: "online" },
      after: { [24 * 3_600_000]: "offline" },
    },
  },
});
