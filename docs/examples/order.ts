// An order that can be found by its customer, by its articles and by the day it is due: see docs/indexes.md.
import { assign, setup } from "xstate";

type Line = { sku: string };
type Context = { customer: string; lines: Line[]; public: { due: string } };
type Events = { type: "ADD"; sku: string } | { type: "POSTPONE"; due: string } | { type: "SHIP" };

export const allowRead = () => true;
export const allowWrite = () => true;

export default setup({
  types: {
    context: {} as Context,
    events: {} as Events,
    input: {} as { customer: string; lines?: Line[]; due: string },
  },
}).createMachine({
  id: "order",
  context: ({ input }) => ({ customer: input.customer, lines: input.lines ?? [], public: { due: input.due } }),
  initial: "open",
  states: {
    open: {
      on: {
        ADD: { actions: assign({ lines: ({ context, event }) => [...context.lines, { sku: event.sku }] }) },
        POSTPONE: { actions: assign({ public: ({ event }) => ({ due: event.due }) }) },
        SHIP: "shipped",
      },
    },
    shipped: { type: "final" },
  },
});
