// A machine that behaves as badly as it can, when told to. For XState 5.
import { assign, fromPromise, setup } from "xstate";

type Event = { type: string; ms?: number };

export const allowRead = () => true;
export const allowWrite = () => true;

const spin = (ms: number) => {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    // nothing: the processor is held
  }
};

/** Keeps more and more, until the heap is full; slowly enough that others can be looked at meanwhile. */
const eat = () => {
  const kept: number[][] = [];
  while (true) {
    kept.push(new Array(100_000).fill(0.5));
    spin(4);
  }
};

export default setup({
  types: {} as { events: Event },
  actors: { never: fromPromise(() => new Promise(() => {})) },
  guards: {
    spins: () => {
      spin(Infinity);
      return true;
    },
  },
}).createMachine({
  context: { public: {} },
  initial: "calm",
  on: {
    SPIN: { guard: "spins" },
    EAT: { actions: assign({ kept: eat }) },
    BUSY: { actions: ({ event }) => spin(event.ms ?? 0) },
  },
  states: {
    calm: { on: { SERVE: "serving" } },
    serving: { invoke: { src: "never", onError: "calm" } },
  },
});
