// What a clerk has done by a child: it reports, and is back after a while. For XState 5.
import { sendParent, setup } from "xstate";

export const allowRead = () => true;
export const allowWrite = () => true;

export default setup({
  types: {} as { context: { public: { id: string } }; input: { id: string } },
}).createMachine({
  context: ({ input }) => ({ public: { id: input.id } }),
  initial: "out",
  entry: sendParent(({ context }) => ({ type: "REPORT", id: context.public.id })),
  states: { out: { after: { 20: "back" } }, back: { type: "final" } },
  output: ({ context }) => context.public,
});
