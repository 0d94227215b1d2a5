/**
 * Other instances, as `@statebacked/machine` names them. This host cannot reach them yet, and says so: without
 * the two globals that package would return a reference to an instance that nobody ever creates.
 */

import { Refusal } from "./types.ts";
import { v4 } from "./vendored.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

type Named = { type?: unknown; machineName?: unknown; __xstatenode?: unknown } | null | undefined;

/** Refuse what is meant for another instance: `type` is that of a reference or of an invocation's source. */
export function refuseForeign(value: unknown): void {
  if (typeof value !== "object") return;
  const type = (value as Named)?.type;
  if (type === "statebacked.instance" || type === "statebacked.invoke") throw unreachable();
}

/** Define the globals of the package, under both of the names its versions look for. */
export function defineForeign(): void {
  const runtime = Object.freeze({
    /** The package asks for other instances and for actors of this one with the same call. */
    spawn(first: Named, second: unknown): unknown {
      if (typeof first?.machineName === "string" && !first.__xstatenode) throw unreachable();
      return (v4 as Any).spawn(first, second);
    },
  });
  for (const name of ["__statebaked_rt", "__statebacked_rt"]) {
    Object.defineProperty(globalThis, name, { value: runtime, writable: false, configurable: false });
  }
}

function unreachable(): Refusal {
  return new Refusal("UNKNOWN_EFFECT", "this server cannot reach other instances from a machine yet");
}
