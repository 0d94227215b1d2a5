// The same as clerk.v5.ts, for XState 4.
import { actions, createMachine } from "npm:xstate@4";

type Event = { type: string; id: string; ms?: number; n?: number; machine?: string; to?: string };

export const allowRead = () => true;
export const allowWrite = () => true;

// What `instance`, `persistentInvocableSource` of @statebacked/machine return.
const instance = (machine: string, name: string) => (
  { type: "statebacked.instance", id: name, machineName: machine, machineInstanceName: name }
);
const errand = { type: "statebacked.invoke", machineName: "errand-v4", machineInstanceName: crypto.randomUUID() };

const to = (_: object, event: Event) => instance(event.machine ?? "", event.to ?? "") as never;
const got = (_: object, event: Event) => ({ type: "GOT", id: event.id });
const post = actions.sendTo(to, got);
const mail = actions.sendTo(to, got, { delay: (_: object, event: Event) => event.ms ?? 1 });

export default createMachine<object, Event>(
  {
    predictableActionArguments: true,
    id: "clerk",
    type: "parallel",
    context: { public: {} },
    on: { NOTE: { actions: "note" }, GOT: { actions: "note" }, POST: { actions: post }, MAIL: { actions: mail } },
    states: {
      desk: {
        initial: "free",
        states: {
          free: { on: { WORK: "working", TALK: "talking", REST: "resting" } },
          working: { invoke: { id: "job", src: "work", onDone: "free", onError: "free" } },
          talking: {
            invoke: { id: "job", src: "talk", onError: "free" },
            on: { SAID: { cond: "last", target: "free" } },
          },
          resting: { after: { 30: "free" } },
        },
      },
      staff: {
        initial: "alone",
        states: {
          alone: { on: { HIRE: "helped" } },
          helped: {
            invoke: { id: "errand", src: errand, data: { id: (_: object, event: Event) => event.id }, onDone: "alone" },
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
                actions: actions.send((_, event) => ({ type: "RANG", id: event.id }), {
                  delay: (_, event) => event.ms ?? 1,
                  id: "ring",
                }),
              },
            },
          },
          waiting: {
            on: {
              RANG: { target: "quiet", actions: "note" },
              DROP: { target: "quiet", actions: actions.cancel("ring") },
            },
          },
        },
      },
    },
  },
  {
    actions: { note: (_, event) => console.log(`noted ${event.id}`) },
    guards: { last: (_, event) => event.n === 3 },
    services: {
      work: (_, event) => {
        console.log(`ran ${event.id}`);
        return new Promise((done) => setTimeout(() => done({ id: event.id }), event.ms ?? 1));
      },
      talk: (_, event) => (sendBack: (event: Event) => void) => {
        console.log(`ran ${event.id}`);
        for (const n of [1, 2, 3]) {
          setTimeout(() => sendBack({ type: "SAID", id: event.id, n }), n * (event.ms ?? 1));
        }
      },
    },
  },
);
