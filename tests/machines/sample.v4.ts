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
    REPORT: { actions: actions.sendParent({ type: "REPORTED" }) },
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
        PARENT: "parenting",
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
    parenting: {
      invoke: {
        id: "kid",
        src: { type: "statebacked.invoke", machineName: "sample", machineInstanceName: "kid-1" },
        data: { count: 7 },
        onDone: "off",
        onError: "failed",
      },
      on: {
        TELL: { actions: actions.sendTo("kid", { type: "TOGGLE" }) },
        LATER: { actions: actions.sendTo("kid", { type: "TOGGLE" }, { delay: 1000, id: "later" }) },
        NEVER: { actions: actions.cancel("later") },
        LEAVE: "off",
      },
    },
    failed: {},
    over: { type: "final" },
  },
});
