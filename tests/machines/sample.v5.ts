// The sample machine of the host suite, for XState 5. `stateward_server.testing.fake_host` has it in Python.
import { assign, fromPromise, log, setup } from "xstate";

type Auth = { ok?: boolean };

export const allowRead = ({ authContext }: { authContext: Auth }) => authContext.ok === true;
export const allowWrite = ({ authContext }: { authContext: Auth }) => authContext.ok === true;

export default setup({
  types: {} as {
    context: { public: { count: number }; note?: string };
    input: { count?: number } | undefined;
  },
  actors: {
    work: fromPromise(async () => 42),
    stuck: fromPromise(() => new Promise(() => {})),
  },
}).createMachine({
  id: "sample",
  context: ({ input }) => ({ public: { count: input?.count ?? 0 } }),
  initial: "off",
  on: {
    SHOUT: { actions: log("shout") },
    BOOM: {
      actions: assign(() => {
        throw new Error("boom");
      }),
    },
    FINISH: ".over",
  },
  states: {
    off: {
      tags: ["calm"],
      on: {
        TOGGLE: {
          target: "on",
          actions: assign({ public: ({ context }) => ({ count: context.public.count + 1 }) }),
        },
        WAIT: "waiting",
        WORK: "working",
        STICK: "sticking",
      },
    },
    on: { on: { TOGGLE: "off" } },
    waiting: { after: { 1000: "off" }, on: { STOP: "off" } },
    working: {
      invoke: { id: "work", src: "work", onDone: "off", onError: "failed" },
    },
    sticking: {
      invoke: { id: "stuck", src: "stuck", onDone: "off", onError: "failed" },
    },
    failed: {},
    over: { type: "final" },
  },
});
