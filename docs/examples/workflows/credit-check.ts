// Three bureaus are asked side by side; the join scores what they said. One that fails counts for nothing.
import { assign, fromPromise, setup } from "xstate";

type Scores = Record<string, number>;
type Context = { public: { applicant: string; scores: Scores; average?: number } };

export const allowRead = () => true;
export const allowWrite = () => true;

// Stands in for a call over the network: the applicant's name decides what the bureau says.
const bureau = (name: string) =>
  fromPromise<number, { applicant: string }>(async ({ input }) => {
    if (input.applicant === "unlucky" && name === "west") throw new Error("the bureau is closed");
    const base = input.applicant === "poor" ? 300 : input.applicant === "fair" ? 600 : 800;
    return base + name.length;
  });

const asking = (name: string) => ({
  initial: "asking",
  states: {
    asking: {
      invoke: {
        src: `${name}Bureau` as const,
        input: ({ context }: { context: Context }) => ({ applicant: context.public.applicant }),
        onDone: { target: "answered", actions: { type: "note" as const, params: ({ event }: any) => ({ name, score: event.output }) } },
        onError: "failed",
      },
    },
    answered: { type: "final" as const },
    failed: { type: "final" as const },
  },
});

export default setup({
  types: {
    context: {} as Context,
    events: {} as { type: "REVIEWED"; ok: boolean },
    input: {} as { applicant: string },
  },
  actors: { northBureau: bureau("north"), westBureau: bureau("west"), eastBureau: bureau("east") },
  actions: {
    note: assign(({ context }, { name, score }: { name: string; score: number }) => ({
      public: { ...context.public, scores: { ...context.public.scores, [name]: score } },
    })),
    score: assign(({ context }) => {
      const all = Object.values(context.public.scores);
      const average = all.length === 0 ? 0 : Math.round(all.reduce((sum, one) => sum + one, 0) / all.length);
      return { public: { ...context.public, average } };
    }),
  },
  guards: {
    good: ({ context }) => (context.public.average ?? 0) >= 700 && Object.keys(context.public.scores).length === 3,
    bad: ({ context }) => (context.public.average ?? 0) < 500,
    reviewedWell: ({ event }) => event.ok,
  },
}).createMachine({
  id: "credit",
  context: ({ input }) => ({ public: { applicant: input.applicant, scores: {} } }),
  initial: "asking",
  states: {
    asking: {
      type: "parallel",
      states: { north: asking("north"), west: asking("west"), east: asking("east") },
      onDone: { target: "deciding", actions: "score" },
    } as any,
    deciding: { always: [{ guard: "good", target: "granted" }, { guard: "bad", target: "refused" }, { target: "review" }] },
    review: {
      tags: "human",
      on: { REVIEWED: [{ guard: "reviewedWell", target: "granted" }, { target: "refused" }] },
      after: { [5 * 24 * 3_600_000]: "refused" },
    },
    granted: { type: "final" },
    refused: { type: "final" },
  },
  output: ({ context }) => ({ average: context.public.average }),
});
