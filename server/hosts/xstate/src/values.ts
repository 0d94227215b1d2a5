/** Small conversions both gates need: contexts and events as plain data. */

import { notJson } from "./json.ts";
import { Refusal } from "./types.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** The machine's own context, copied so that no instance can change another's, under what the caller gave. */
export function freshContext(
  own: unknown,
  given: Record<string, unknown> | undefined,
): Record<string, unknown> {
  const copy = own && typeof own === "object" && notJson(own, () => false) === undefined
    ? JSON.parse(JSON.stringify(own))
    : { ...(own as object | undefined) };
  return given ? { ...copy, ...given } : copy;
}

/** The JSON of an event that has to survive a restart. */
export function durable(event: Any): string {
  const fault = event && typeof event === "object" ? notJson(event, () => false) : " is not an object";
  if (fault !== undefined) {
    throw new Refusal("EVENT_UNSERIALIZABLE", `a delayed event must survive a restart, but event${fault}`);
  }
  return JSON.stringify(event);
}
