/** JSON that comes back equal: what a context must be, and what history keeps of an event. */

import { clean } from "./wire.ts";

const stringify = JSON.stringify;
const isArray = Array.isArray;
const getPrototypeOf = Object.getPrototypeOf;
const objectPrototype = Object.prototype;
const keysOf = Object.keys;
const isFinite = Number.isFinite;

const DEEPEST = 500;

export type IsRef = (value: object) => boolean;

/**
 * Say where `value` would not survive JSON (`.cart[2].when is an instance of Date`), or return undefined.
 * Actor references count as data. The path is put together on the way out, so a good value pays nothing.
 */
export function notJson(value: unknown, isRef: IsRef, depth = 0): string | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return isFinite(value) ? undefined : ` is ${value}`;
    case "object":
      break;
    default:
      return ` is a ${typeof value}`;
  }
  if (value === null) return undefined;
  if (depth > DEEPEST) return ` is circular or nested deeper than ${DEEPEST} levels`;
  if (isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const fault = notJson(value[i], isRef, depth + 1);
      if (fault !== undefined) return `[${i}]${fault}`;
    }
    return undefined;
  }
  if (isRef(value)) return undefined;
  const proto = getPrototypeOf(value);
  if (proto !== objectPrototype && proto !== null) {
    const name = (proto.constructor as { name?: unknown } | undefined)?.name;
    return ` is an instance of ${typeof name === "string" && name ? name : "a class"}`;
  }
  const record = value as Record<string, unknown>;
  const keys = keysOf(record);
  for (let i = 0; i < keys.length; i++) {
    const inner = record[keys[i]];
    const kind = typeof inner;
    // The commonest kinds cost no call, and an undefined property is simply dropped.
    if (kind === "string" || kind === "boolean" || kind === "undefined") continue;
    const fault = notJson(inner, isRef, depth + 1);
    if (fault !== undefined) return `.${keys[i]}${fault}`;
  }
  return undefined;
}

/** How many bytes a text takes in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

/** The JSON of anything, for history: errors keep name and message, what cannot be written is left out. */
export function lenientJson(value: unknown, limit: number): string | undefined {
  try {
    const text = stringify(value, (_key, inner) => {
      if (typeof inner === "bigint") return `${inner}`;
      if (inner instanceof Error) return { name: clean(inner.name), message: clean(inner.message) };
      return inner;
    });
    return text !== undefined && text.length <= limit ? text : undefined;
  } catch {
    return undefined;
  }
}

/** An event as history shows it: always an object with its type. */
export function eventJson(event: { type: string }, limit: number): string {
  return lenientJson(event, limit) ?? stringify({ type: event.type });
}
