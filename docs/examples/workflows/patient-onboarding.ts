// A form in pages that can be left and taken up again (shallow history), a consent dialogue as a machine of its
// own, and reminders until it is finished or given up.
import { assign, sendTo, setup } from "xstate";

type Context = { public: { name?: string; insured?: string; signed?: string; reminders: number } };
type Events =
  | { type: "NAME"; name: string }
  | { type: "INSURANCE"; number: string }
  | { type: "BACK" | "PAUSE" | "CONTINUE" | "DECLINE" }
  | { type: "SIGN"; by: string };

export const allowRead = () => true;
export const allowWrite = () => true;

const consent = setup({
  types: {
    context: {} as { patient: string; by?: string },
    events: {} as { type: "SIGN"; by: string } | { type: "DECLINE" },
    input: {} as { patient: string },
    output: {} as { signed: string | null },
  },
}).createMachine({
  id: "consent",
  context: ({ input }) => ({ patient: input.patient }),
  initial: "reading",
  states: {
    reading: {
      on: { SIGN: { target: "signed", actions: assign({ by: ({ event }) => event.by }) }, DECLINE: "declined" },
    },
    signed: { type: "final" },
    declined: { type: "final" },
  },
  output: ({ context }) => ({ signed: context.by ? `${context.by} for ${context.patient}` : null }),
});

export default setup({
  types: { context: {} as Context, events: {} as Events },
  actors: { consent },
}).createMachine({
  id: "onboarding",
  context: { public: { reminders: 0 } },
  initial: "filling",
  states: {
    filling: {
      initial: "name",
      states: {
        name: {
          on: {
            NAME: {
              target: "insurance",
              actions: assign(({ context, event }) => ({ public: { ...context.public, name: event.name } })),
            },
          },
        },
        insurance: {
          on: {
            BACK: "name",
            INSURANCE: {
              target: "#onboarding.consenting",
              actions: assign(({ context, event }) => ({ public: { ...context.public, insured: event.number } })),
            },
          },
        },
        last: { type: "history" },
      },
      on: { PAUSE: "paused" },
    },
    paused: {
      tags: "away",
      on: { CONTINUE: "filling.last" },
      after: {
        [2 * 24 * 3_600_000]: [
          {
            guard: ({ context }) => context.public.reminders < 3,
            target: "paused",
            reenter: true,
            actions: assign(({ context }) => ({ public: { ...context.public, reminders: context.public.reminders + 1 } })),
          },
          { target: "given-up" },
        ],
      },
    },
    consenting: {
      invoke: {
        id: "dialogue",
        src: "consent",
        input: ({ context }) => ({ patient: context.public.name ?? "" }),
        onDone: [
          {
            guard: ({ event }) => event.output.signed !== null,
            target: "admitted",
            actions: assign(({ context, event }) => ({
              public: { ...context.public, signed: event.output.signed ?? undefined },
            })),
          },
          { target: "given-up" },
        ],
        onError: { target: "filling.last" },
      },
      on: {
        SIGN: { actions: sendTo("dialogue", ({ event }) => event) },
        DECLINE: { actions: sendTo("dialogue", { type: "DECLINE" }) },
      },
    },
    admitted: { type: "final" },
    "given-up": { type: "final" },
  },
});
