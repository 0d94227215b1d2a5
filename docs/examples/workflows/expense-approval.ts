// An expense waits for its approver. Small ones pass by themselves, slow ones are escalated, and only the right
// role may decide: `allowWrite` sees the state that the event would change.
import { assign, log, setup } from "xstate";

type Context = { public: { amount: number; approver: string; reminders: number; decidedBy?: string } };
type Events = { type: "SUBMIT"; amount: number } | { type: "APPROVE" } | { type: "REJECT" } | { type: "WITHDRAW" };
type Auth = { role?: "employee" | "lead" | "director" };

export const allowRead = () => true;

export const allowWrite = (
  { type, context, event, authContext }: { type: string; context: Context; event?: Events; authContext: Auth },
) => {
  if (type === "initialization") return true;
  const decides = event?.type === "APPROVE" || event?.type === "REJECT";
  return decides ? authContext.role === context.public.approver : authContext.role === "employee";
};

export default setup({
  types: { context: {} as Context, events: {} as Events },
  guards: {
    isSmall: ({ context }) => context.public.amount <= 50,
    isEscalated: ({ context }) => context.public.approver === "director",
  },
  actions: {
    remind: assign(({ context }) => ({ public: { ...context.public, reminders: context.public.reminders + 1 } })),
    escalate: assign(({ context }) => ({ public: { ...context.public, approver: "director" } })),
    decide: assign(({ context }) => ({ public: { ...context.public, decidedBy: context.public.approver } })),
  },
  delays: { reminderPause: 24 * 3_600_000, patience: 3 * 24 * 3_600_000 },
}).createMachine({
  id: "expense",
  context: { public: { amount: 0, approver: "lead", reminders: 0 } },
  initial: "draft",
  states: {
    draft: {
      tags: "open",
      on: {
        SUBMIT: {
          target: "checking",
          actions: assign(({ context, event }) => ({ public: { ...context.public, amount: event.amount } })),
        },
      },
    },
    checking: { always: [{ guard: "isSmall", target: "approved" }, { target: "waiting" }] },
    waiting: {
      tags: ["open", "undecided"],
      initial: "quiet",
      states: {
        quiet: { after: { reminderPause: { target: "quiet", reenter: true, actions: ["remind", log("reminder")] } } },
      },
      after: {
        patience: [
          { guard: "isEscalated", target: "rejected", actions: log("nobody decided") },
          { target: "waiting", reenter: true, actions: "escalate" },
        ],
      },
      on: {
        APPROVE: { target: "approved", actions: "decide" },
        REJECT: { target: "rejected", actions: "decide" },
        WITHDRAW: "draft",
      },
    },
    approved: { type: "final" },
    rejected: { type: "final" },
  },
  output: ({ context }) => ({ decidedBy: context.public.decidedBy ?? "the rules" }),
});
