// XState 4: a request for leave, decided by a person or by time, with one delayed event that can be taken back.
import { actions, assign, createMachine } from "xstate";

const { cancel, choose, log, send } = actions;

type Context = { public: { days: number; nudges: number; by?: string } };
type Events = { type: "ASK"; days: number } | { type: "NUDGE" } | { type: "YES"; by: string } | { type: "NO"; by: string };

export const allowRead = () => true;
export const allowWrite = () => true;

const nudgeLater = send("NUDGE", { delay: 24 * 3_600_000, id: "nudge" });

export default createMachine<Context, Events>({
  predictableActionArguments: true,
  id: "leave",
  context: { public: { days: 0, nudges: 0 } },
  initial: "idle",
  states: {
    idle: {
      on: {
        ASK: {
          target: "asked",
          actions: assign({ public: (context, event) => ({ ...context.public, days: event.days }) }),
        },
      },
    },
    asked: {
      tags: ["open"],
      always: { cond: (context) => context.public.days <= 1, target: "granted" },
      entry: nudgeLater,
      exit: cancel("nudge"),
      on: {
        NUDGE: {
          actions: [
            assign({ public: (context) => ({ ...context.public, nudges: context.public.nudges + 1 }) }),
            choose<Context, any>([
              { cond: (context) => context.public.nudges < 3, actions: [nudgeLater] },
              { actions: [log("nobody listens")] },
            ]),
          ],
        },
        YES: { target: "granted", actions: "sign" },
        NO: { target: "refused", actions: "sign" },
      },
      after: { [7 * 24 * 3_600_000]: "refused" },
    },
    granted: { type: "final", data: (context: Context) => ({ days: context.public.days }) },
    refused: { type: "final" },
  },
}, {
  actions: {
    sign: assign({ public: (context: Context, event: any) => ({ ...context.public, by: event.by }) }),
  },
});
