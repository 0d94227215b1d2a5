// A machine with something of everything that a crash must not lose or repeat. For XState 5.
//
// Its console is its witness: an action or a service says there that it has run. What it does with its events:
// NOTE runs an action; LATER sets a timer, DROP cancels it; REST waits for an `after`; WORK runs a promise, TALK
// a callback that says three things; POST sends to another clerk at once, MAIL after a while; HIRE has an errand
// done by a child. What comes while it is busy with the same is taken and changes nothing.
import { instance, persistent } from "@stateward/machine";
import { cancel, fromCallback, fromPromise, raise, sendTo, setup } from "xstate";

type Event = { type: string; id: string; ms?: number; n?: number; machine?: string; to?: string };
type Job = { id: string; ms: number };

export const allowRead = () => true;
export const allowWrite = () => true;

const job = ({ event }: { event: Event }): Job => ({ id: event.id, ms: event.ms ?? 1 });

export default setup({
  types: {} as { events: Event },
  actors: {
    work: fromPromise(({ input }: { input: Job }) => {
      console.log(`ran ${input.id}`);
      return new Promise((done) => setTimeout(() => done({ id: input.id }), input.ms));
    }),
    errand: persistent<{ id: string }>({ machine: "errand-v5", instance: ({ id }) => id }),
    talk: fromCallback(({ input, sendBack }: { input: Job; sendBack: (event: Event) => void }) => {
      console.log(`ran ${input.id}`);
      for (const n of [1, 2, 3]) {
        setTimeout(() => sendBack({ type: "SAID", id: input.id, n }), n * input.ms);
      }
    }),
  },
  actions: {
    note: ({ event }) => console.log(`noted ${event.id}`),
    send: sendTo(
      ({ event }) => instance(event.machine ?? "", event.to ?? ""),
      ({ event }) => ({ type: "GOT", id: event.id }),
      { delay: ({ event }) => (event.type === "MAIL" ? event.ms ?? 1 : undefined) },
    ),
  },
  guards: { last: ({ event }) => event.n === 3 },
}).createMachine({
  type: "parallel",
  context: { public: {} },
  on: { NOTE: { actions: "note" }, GOT: { actions: "note" }, POST: { actions: "send" }, MAIL: { actions: "send" } },
  states: {
    desk: {
      initial: "free",
      states: {
        free: { on: { WORK: "working", TALK: "talking", REST: "resting" } },
        working: { invoke: { id: "job", src: "work", input: job, onDone: "free", onError: "free" } },
        talking: {
          invoke: { id: "job", src: "talk", input: job, onError: "free" },
          on: { SAID: { guard: "last", target: "free" } },
        },
        resting: { after: { 30: "free" } },
      },
    },
    staff: {
      initial: "alone",
      states: {
        alone: { on: { HIRE: "helped" } },
        helped: {
          invoke: { id: "errand", src: "errand", input: ({ event }) => ({ id: event.id }), onDone: "alone" },
        },
      },
    },
    clock: {
      initial: "quiet",
      states: {
        quiet: {
          on: {
            LATER: {
              target: "waiting",
              actions: raise(({ event }) => ({ type: "RANG", id: event.id }), {
                delay: ({ event }) => event.ms ?? 1,
                id: "ring",
              }),
            },
          },
        },
        waiting: {
          on: {
            RANG: { target: "quiet", actions: "note" },
            DROP: { target: "quiet", actions: cancel("ring") },
          },
        },
      },
    },
  },
});
