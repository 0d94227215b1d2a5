// The sample machine of the host suite, for XState 5. `stateward_server.testing.fake_host` has it in Python.
import { persistent } from "@stateward/machine";
import { assign, cancel, fromPromise, log, sendParent, sendTo, setup } from "xstate";

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
    kid: persistent({ machine: "sample", instance: "kid-1" }),
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
    REPORT: { actions: sendParent({ type: "REPORTED" }) },
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
        PARENT: "parenting",
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
    parenting: {
      invoke: { id: "kid", src: "kid", input: { count: 7 }, onDone: "off", onError: "failed" },
      on: {
        TELL: { actions: sendTo("kid", { type: "TOGGLE" }) },
        LATER: { actions: sendTo("kid", { type: "TOGGLE" }, { delay: 1000, id: "later" }) },
        NEVER: { actions: cancel("later") },
        LEAVE: "off",
      },
    },
    failed: {},
    over: { type: "final" },
  },
});
