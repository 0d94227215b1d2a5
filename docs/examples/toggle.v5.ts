import { assign, setup } from "xstate";
import type { AllowRead, AllowWrite, AnonymousAuthContext } from "@statebacked/machine";

type Context = {
  public: {
    toggleCount?: number;
  };
};

// Whoever holds a session may read and write the instance that is named after it.
export const allowRead: AllowRead<Context, AnonymousAuthContext> = ({ machineInstanceName, authContext }) =>
  machineInstanceName === authContext.sid;

export const allowWrite: AllowWrite<Context, AnonymousAuthContext> = ({ machineInstanceName, authContext }) =>
  machineInstanceName === authContext.sid;

export default setup({
  types: {
    context: {} as Context,
    events: {} as { type: "toggle" },
  },
}).createMachine({
  id: "toggle",
  context: { public: {} },
  initial: "on",
  states: {
    on: {
      on: {
        toggle: {
          target: "off",
          actions: assign({
            // everything under `public` is visible to whoever may read the instance
            public: ({ context }) => ({
              ...context.public,
              toggleCount: (context.public.toggleCount ?? 0) + 1,
            }),
          }),
        },
      },
    },
    off: {
      on: {
        toggle: "on",
      },
    },
  },
});
