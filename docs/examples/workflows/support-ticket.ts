// A ticket waits for an answer. Each level has its time; nobody answering moves it up, and the customer may
// reopen what was closed within a week.
import { assign, setup } from "xstate";

type Context = { public: { level: number; answers: number; reopened: number } };
type Events = { type: "ANSWER" | "REPLY" | "SOLVED" } | { type: "agent.note"; text: string } | { type: "agent.away" };

export const allowRead = () => true;
export const allowWrite = () => true;

const hour = 3_600_000;

export default setup({
  types: { context: {} as Context, events: {} as Events },
  guards: { topLevel: ({ context }) => context.public.level >= 3 },
  actions: {
    raiseLevel: assign(({ context }) => ({ public: { ...context.public, level: context.public.level + 1 } })),
    countAnswer: assign(({ context }) => ({ public: { ...context.public, answers: context.public.answers + 1 } })),
    countReopening: assign(({ context }) => ({ public: { ...context.public, reopened: context.public.reopened + 1, level: 1 } })),
  },
  delays: { patience: ({ context }) => [8, 4, 1][context.public.level - 1] * hour },
}).createMachine({
  id: "ticket",
  context: { public: { level: 1, answers: 0, reopened: 0 } },
  initial: "open",
  on: { "agent.*": { actions: "countAnswer" } },
  states: {
    open: {
      tags: "ours",
      on: { ANSWER: { target: "answered", actions: "countAnswer" }, SOLVED: "closed" },
      after: {
        patience: [
          { guard: "topLevel", target: "breached" },
          { target: "open", reenter: true, actions: "raiseLevel" },
        ],
      },
    },
    answered: { tags: "theirs", on: { REPLY: "open", SOLVED: "closed" }, after: { [72 * hour]: "closed" } },
    breached: { tags: ["ours", "urgent"], on: { ANSWER: { target: "answered", actions: "countAnswer" } } },
    closed: {
      on: { REPLY: { target: "open", actions: "countReopening" } },
      after: { [7 * 24 * hour]: "archived" },
    },
    archived: { type: "final" },
  },
});
