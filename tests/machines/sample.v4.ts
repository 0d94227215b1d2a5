// The sample machine of the host suite, for XState 4. `stateward_server.testing.fake_host` has it in Python.
import { actions, assign, createMachine } from "xstate";

type Auth = { ok?: boolean };
type Context = { count?: number; public: { count: number } };

export const allowRead = ({ authContext }: { authContext: Auth }) => authContext.ok === true;
export const allowWrite = ({ authContext }: { authContext: Auth }) => authContext.ok === true;

export default createMachine<Context>({
  predictableActionArguments: true,
  id: "sample",
  context: { public: { count: 0 } },
  entry: assign({ public: (context) => ({ count: context.count ?? context.public.count }) }),
  initial: "off",
  on: {
    SHOUT: { actions: actions.log(() => "shout") },
    BOOM: {
      actions: assign(() => {
        throw new Error("boom");
      }),
    },
    FINISH: "over",
  },
  states: {
    off: {
      tags: ["calm"],
      on: {
        TOGGLE: {
          target: "on",
          actions: assign({ public: (context) => ({ count: context.public.count + 1 }) }),
        },
        WAIT: "waiting",
        WORK: "working",
        STICK: "sticking",
      },
    },
    on: { on: { TOGGLE: "off" } },
    waiting: { after: { 1000: "off" }, on: { STOP: "off" } },
    working: {
      invoke: { id: "work", src: async () => 42, onDone: "off", onError: "failed" },
    },
    sticking: {
      invoke: { id: "stuck", src: () => new Promise(() => {}), onDone: "off", onError: "failed" },
    },
    failed: {},
    over: { type: "final" },
  },
});
