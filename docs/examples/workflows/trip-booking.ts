// Flight, hotel and car side by side. The traveller may step out to change the dates and come back to where
// each part was, which is what the deep history state remembers.
import { assign, setup } from "xstate";

type Context = { public: { dates: string; changes: number } };
type Events =
  | { type: "FLIGHT_HELD" | "FLIGHT_PAID" | "HOTEL_HELD" | "HOTEL_PAID" | "CAR_HELD" | "CAR_PAID" }
  | { type: "CHANGE_DATES" | "GIVE_UP" }
  | { type: "DATES"; dates: string };

export const allowRead = () => true;
export const allowWrite = () => true;

const part = (name: "FLIGHT" | "HOTEL" | "CAR") => ({
  initial: "open",
  states: {
    open: { on: { [`${name}_HELD`]: "held" } },
    held: { tags: "held", on: { [`${name}_PAID`]: "booked" }, after: { holdEnds: "open" as const } },
    booked: { type: "final" as const },
  },
});

export default setup({
  types: { context: {} as Context, events: {} as Events },
  delays: { holdEnds: 20 * 60_000 },
}).createMachine({
  id: "trip",
  context: { public: { dates: "", changes: 0 } },
  initial: "booking",
  states: {
    booking: {
      type: "parallel",
      states: {
        flight: part("FLIGHT"),
        hotel: part("HOTEL"),
        car: part("CAR"),
        back: { type: "history", history: "deep" },
      },
      on: { CHANGE_DATES: "dates", GIVE_UP: "abandoned" },
      onDone: "booked",
    } as any,
    dates: {
      on: {
        DATES: {
          target: "booking.back",
          actions: assign(({ context, event }) => ({
            public: { dates: event.dates, changes: context.public.changes + 1 },
          })),
        },
      },
    },
    booked: { type: "final" },
    abandoned: { type: "final" },
  },
});
