// XState 4: two things are set up side by side; stepping out for help and back is a history state.
import { assign, createMachine } from "xstate";

type Context = { public: { helped: number } };
type Events = { type: "WIFI" | "SIGNAL" | "ACCOUNT" | "CODE" | "HELP" | "THANKS" | "RESET" };

export const allowRead = () => true;
export const allowWrite = () => true;

export default createMachine<Context, Events>({
  predictableActionArguments: true,
  id: "device",
  context: { public: { helped: 0 } },
  initial: "setup",
  states: {
    setup: {
      type: "parallel",
      states: {
        network: {
          initial: "off",
          states: {
            off: { on: { WIFI: "connecting" } },
            connecting: { tags: ["waiting"], on: { SIGNAL: "on" }, after: { 30_000: "off" } },
            on: { type: "final" },
          },
        },
        account: {
          initial: "none",
          states: {
            none: { on: { ACCOUNT: "unconfirmed" } },
            unconfirmed: { tags: ["waiting"], on: { CODE: "confirmed" }, after: { 900_000: "none" } },
            confirmed: { type: "final" },
          },
        },
        back: { type: "history", history: "deep" },
      },
      on: { HELP: "help" },
      onDone: "ready",
    },
    help: {
      entry: assign({ public: (context) => ({ helped: context.public.helped + 1 }) }),
      on: { THANKS: "setup.back" },
    },
    ready: { on: { RESET: "setup" }, meta: { text: "You are all set." } },
  },
});
