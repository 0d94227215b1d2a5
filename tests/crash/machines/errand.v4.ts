// The same as errand.v5.ts, for XState 4.
import { actions, assign, createMachine } from "npm:xstate@4";

type Context = { public: { id: string }; id: string };

export const allowRead = () => true;
export const allowWrite = () => true;

export default createMachine<Context>({
  predictableActionArguments: true,
  id: "errand",
  initial: "out",
  entry: [
    assign({ public: ({ id }) => ({ id }) }),
    actions.sendParent((context: Context) => ({ type: "REPORT", id: context.id })),
  ],
  states: {
    out: { after: { 20: "back" } },
    back: { type: "final", data: (context: Context) => context.public },
  },
});
