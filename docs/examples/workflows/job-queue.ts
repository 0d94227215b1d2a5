// At most two jobs at a time and five in a minute. Each job is an actor of its own, spawned when there is room,
// that tells the queue when it has finished.
import { type AnyActorRef, assign, enqueueActions, fromPromise, sendParent, setup } from "xstate";

type Context = {
  running: Record<string, AnyActorRef>;
  public: { waiting: string[]; done: string[]; failed: string[]; started: number; tokens: number };
};
type Events =
  | { type: "ADD"; job: string }
  | { type: "FINISH"; job: string }
  | { type: "JOB_DONE"; job: string }
  | { type: "JOB_FAILED"; job: string };

export const allowRead = () => true;
export const allowWrite = () => true;

const job = setup({
  types: {
    context: {} as { job: string },
    input: {} as { job: string },
    events: {} as { type: "FINISH" },
  },
  actors: {
    // Stands in for the work; a job called "bad…" fails.
    work: fromPromise<void, { job: string }>(async ({ input }) => {
      if (input.job.startsWith("bad")) throw new Error("bad job");
    }),
  },
}).createMachine({
  context: ({ input }) => ({ job: input.job }),
  initial: "idle",
  states: {
    idle: { on: { FINISH: "working" } },
    working: {
      invoke: { src: "work", input: ({ context }) => context, onDone: "done", onError: "failed" },
    },
    done: {
      type: "final",
      entry: sendParent(({ context }) => ({ type: "JOB_DONE", job: context.job })),
    },
    failed: {
      type: "final",
      entry: sendParent(({ context }) => ({ type: "JOB_FAILED", job: context.job })),
    },
  },
});

export default setup({
  types: { context: {} as Context, events: {} as Events },
  actors: { job },
  guards: {
    room: ({ context }) =>
      context.public.waiting.length > 0 && context.public.tokens > 0 && Object.keys(context.running).length < 2,
  },
  actions: {
    start: assign(({ context, spawn }) => {
      const [next, ...waiting] = context.public.waiting;
      const actor = spawn("job", { id: next, input: { job: next } });
      return {
        running: { ...context.running, [next]: actor },
        public: { ...context.public, waiting, started: context.public.started + 1, tokens: context.public.tokens - 1 },
      };
    }),
    leave: enqueueActions(({ context, event, enqueue }, { list }: { list: "done" | "failed" }) => {
      if (event.type !== "JOB_DONE" && event.type !== "JOB_FAILED") return;
      const { [event.job]: gone, ...running } = context.running;
      enqueue.stopChild(gone);
      enqueue.assign({ running, public: { ...context.public, [list]: [...context.public[list], event.job] } });
    }),
    refill: assign(({ context }) => ({ public: { ...context.public, tokens: 5 } })),
  },
}).createMachine({
  id: "queue",
  context: { running: {}, public: { waiting: [], done: [], failed: [], started: 0, tokens: 5 } },
  initial: "open",
  states: {
    open: {
      always: { guard: "room", actions: "start" },
      on: {
        ADD: {
          actions: assign(({ context, event }) => ({
            public: { ...context.public, waiting: [...context.public.waiting, event.job] },
          })),
        },
        FINISH: { actions: ({ context, event }) => context.running[event.job]?.send({ type: "FINISH" }) },
        JOB_DONE: { actions: { type: "leave", params: { list: "done" } } },
        JOB_FAILED: { actions: { type: "leave", params: { list: "failed" } } },
        "xstate.error.actor.*": {},
      },
      after: { 60_000: { target: "open", reenter: true, actions: "refill" } },
    },
  },
});
