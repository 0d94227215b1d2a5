// Mails after one, three and seven days of a trial, each once; none after the customer has bought or said no.
import { assign, emit, log, setup } from "xstate";

type Context = { public: { sent: string[] } };

export const allowRead = () => true;
export const allowWrite = () => true;

const day = 24 * 3_600_000;

export default setup({
  types: {
    context: {} as Context,
    events: {} as { type: "BOUGHT" } | { type: "UNSUBSCRIBED" },
    emitted: {} as { type: "mail"; name: string },
  },
  actions: {
    mail: assign(({ context }, { name }: { name: string }) => ({ public: { sent: [...context.public.sent, name] } })),
    tell: emit((_, { name }: { name: string }) => ({ type: "mail" as const, name })),
  },
}).createMachine({
  id: "trial",
  context: { public: { sent: [] } },
  initial: "trial",
  states: {
    trial: {
      entry: [{ type: "mail", params: { name: "welcome" } }, { type: "tell", params: { name: "welcome" } }],
      type: "parallel",
      states: {
        tips: {
          initial: "first",
          states: {
            first: { after: { [day]: { target: "second", actions: { type: "mail", params: { name: "tips" } } } } },
            second: { after: { [2 * day]: { target: "done", actions: { type: "mail", params: { name: "stories" } } } } },
            done: {},
          },
        },
        ending: {
          initial: "early",
          states: {
            early: { after: { [6 * day]: { target: "late", actions: { type: "mail", params: { name: "one day left" } } } } },
            late: { tags: "ending" },
          },
        },
      },
      on: { BOUGHT: "customer", UNSUBSCRIBED: "silent" },
      after: { [7 * day]: { target: "over", actions: [{ type: "mail", params: { name: "farewell" } }, log("trial over")] } },
    },
    silent: { after: { [7 * day]: "over" }, on: { BOUGHT: "customer" } },
    customer: { type: "final" },
    over: { type: "final" },
  },
});
