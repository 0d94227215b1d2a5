// A batch worked off one item after the other, each by a service; what cannot be reckoned is kept apart.
import { assign, fromPromise, setup } from "xstate";

type Context = { public: { todo: string[]; results: Record<string, number>; errors: string[] } };

export const allowRead = () => true;
export const allowWrite = () => true;

export default setup({
  types: {
    context: {} as Context,
    events: {} as { type: "START"; items: string[] },
    output: {} as { sum: number; errors: number },
  },
  actors: {
    reckon: fromPromise<number, { item: string }>(async ({ input }) => {
      const [, a, sign, b] = /^(\d+)([+*/])(\d+)$/.exec(input.item) ?? [];
      if (sign === undefined || (sign === "/" && b === "0")) throw new Error(`${input.item} makes no sense`);
      return sign === "+" ? Number(a) + Number(b) : sign === "*" ? Number(a) * Number(b) : Number(a) / Number(b);
    }),
  },
  guards: { empty: ({ context }) => context.public.todo.length === 0 },
}).createMachine({
  id: "batch",
  context: { public: { todo: [], results: {}, errors: [] } },
  initial: "idle",
  states: {
    idle: {
      on: {
        START: {
          target: "next",
          actions: assign(({ context, event }) => ({ public: { ...context.public, todo: event.items } })),
        },
      },
    },
    next: { always: [{ guard: "empty", target: "finished" }, { target: "reckoning" }] },
    reckoning: {
      tags: "busy",
      invoke: {
        src: "reckon",
        input: ({ context }) => ({ item: context.public.todo[0] }),
        onDone: {
          target: "next",
          actions: assign(({ context: { public: { todo: [item, ...todo], ...rest } }, event }) => ({
            public: { ...rest, todo, results: { ...rest.results, [item]: event.output } },
          })),
        },
        onError: {
          target: "next",
          actions: assign(({ context: { public: { todo: [item, ...todo], ...rest } } }) => ({
            public: { ...rest, todo, errors: [...rest.errors, item] },
          })),
        },
      },
    },
    finished: { type: "final" },
  },
  output: ({ context }) => ({
    sum: Object.values(context.public.results).reduce((sum, one) => sum + one, 0),
    errors: context.public.errors.length,
  }),
});
