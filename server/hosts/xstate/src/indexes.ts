/**
 * What of a context goes into the indexes of its machine: the strings its selectors find.
 *
 * A string is one value, an array of strings is one value each, anything else is none.
 */

import { utf8Length } from "./json.ts";
import { type Limits, Refusal, type Selector } from "./types.ts";
import { clean } from "./wire.ts";

const isArray = Array.isArray;
const hasOwn = Object.hasOwn;
const keysOf = Object.keys;
const getPrototypeOf = Object.getPrototypeOf;
const objectPrototype = Object.prototype;

/** `[index, value]` for every value, maybe more than once. Throws a Refusal when an index gets too much. */
export function indexed(selectors: Selector[], context: unknown, limits: Limits): [string, string][] {
  const entries: [string, string][] = [];
  for (let i = 0; i < selectors.length; i++) {
    const [index, path] = selectors[i];
    const values: string[] = [];
    collect(context, path, 0, values);
    if (values.length > limits.indexValues) {
      throw new Refusal(
        "INDEX_TOO_LARGE",
        `the index '${index}' would get ${values.length} values of one instance, at most ${limits.indexValues}` +
          " are allowed: select less",
      );
    }
    for (let n = 0; n < values.length; n++) {
      const value = values[n];
      if (value.length * 3 > limits.indexValueBytes && utf8Length(value) > limits.indexValueBytes) {
        throw new Refusal(
          "INDEX_TOO_LARGE",
          `the index '${index}' would get a value of more than ${limits.indexValueBytes} bytes: keep it shorter`,
        );
      }
      entries[entries.length] = [index, clean(value, value.length)];
    }
  }
  return entries;
}

function collect(at: unknown, path: Selector[1], from: number, values: string[]): void {
  for (let i = from; i < path.length; i++) {
    if (at === null || typeof at !== "object" || !isData(at)) return;
    const part = path[i];
    if (part === null) {
      const keys = keysOf(at);
      for (let n = 0; n < keys.length; n++) {
        collect((at as Record<string, unknown>)[keys[n]], path, i + 1, values);
      }
      return;
    }
    if (typeof part === "number" ? !isArray(at) : isArray(at)) return;
    if (!hasOwn(at, part)) return;
    at = (at as Record<string, unknown>)[part];
  }
  if (typeof at === "string") values[values.length] = at;
  else if (isArray(at) && allStrings(at)) {
    for (let n = 0; n < at.length; n++) {
      values[values.length] = at[n];
    }
  }
}

/** Not a reference to an actor, which is another thing before a restart than after it. */
function isData(value: object): boolean {
  if (isArray(value)) return true;
  const proto = getPrototypeOf(value);
  return proto === objectPrototype || proto === null;
}

function allStrings(list: unknown[]): boolean {
  for (let i = 0; i < list.length; i++) if (typeof list[i] !== "string") return false;
  return true;
}
