/** What XState 4 does around a transition, for a gate that takes its place. */

import { type Head } from "./types.ts";
import { v4serviceScope } from "./vendored.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** Whether an event reaches the machine: a failure that no state in force has a word for does not. */
export function heard(state: Any, name: string): boolean {
  return !name.startsWith("error.platform") ||
    state.nextEvents.some((next: string) => next.startsWith("error.platform"));
}

/** Run with `service` as the one that `spawn` means; unlike XState's own, leaves no trace when it throws. */
export function scoped(service: Any, run: () => Any): Any {
  let failure: { error: unknown } | undefined;
  const result = (v4serviceScope as Any).provide(service, () => {
    try {
      return run();
    } catch (error) {
      failure = { error };
    }
  });
  if (failure) throw failure.error;
  return result;
}

/** XState 4 gives its own events a `toString`, which is no part of the event. */
export function plain(event: Any): Any {
  if (!Object.hasOwn(event, "toString")) return event;
  const { toString: _own, ...rest } = event;
  return rest;
}

export function statusOf(state: Any): Head["status"] {
  return state.done ? "done" : "active";
}
