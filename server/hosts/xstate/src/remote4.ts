/**
 * Other instances, as `@statebacked/machine` and so the machines of XState 4 name them.
 *
 * The package asks for children through two globals, in the middle of an `assign`; the gate that computes at
 * that moment records them with its step.
 */

import { invalid, referred, remote } from "./mail.ts";
import type { Remote } from "./types.ts";
import { v4, v4interpreter, v4utils } from "./vendored.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** A child that an `assign` asked for. */
export interface Spawned4 {
  readonly remote: Remote;
  readonly id: string;
  readonly version: unknown;
  readonly context: unknown;
}

const drawUuid = crypto.randomUUID.bind(crypto);
/** Names that the module drew while it was evaluated: one for all instances, where each should have its own. */
const drawnOnce = new Set<string>();

let recording: unknown[] | null = null;

/** Have persistent children recorded in this list, until told otherwise. */
export function recordSpawns(into: unknown[] | null): void {
  recording = into;
}

/** Define the globals of the package, under both of the names its versions look for. */
export function defineGlobals(): void {
  const runtime = Object.freeze({
    /** The package asks for other instances and for actors of this one with the same call. */
    spawn(first: Any, second: Any): unknown {
      const own = typeof first?.machineName !== "string" || first.__xstatenode || first.then ||
        first.subscribe || first.transition;
      return own ? (v4 as Any).spawn(first, second) : spawnPersistent(first, second);
    },
  });
  for (const name of ["__statebaked_rt", "__statebacked_rt"]) {
    Object.defineProperty(globalThis, name, { value: runtime, writable: false, configurable: false });
  }
}

/** Have child machines fail where they invoke another instance: XState would pass over a service it does not know. */
export function forbidToChildren(): void {
  const prototype = (v4interpreter as Any).Interpreter.prototype;
  const spawnMachine = prototype.spawnMachine;
  prototype.spawnMachine = function (machine: Any, options: Any) {
    const services = machine.options.services ??= {};
    services["statebacked.invoke"] = () => {
      throw invalid("only the machine itself can invoke another instance, none of its child machines");
    };
    return spawnMachine.call(this, machine, options);
  };
}

function spawnPersistent(descriptor: Any, options: Any): unknown {
  if (recording === null) {
    throw invalid("a persistent instance can only be spawned in an `assign` of a machine of XState 4");
  }
  const id = String(options?.name ?? drawUuid());
  const to = remote(descriptor.machineName, descriptor.machineInstanceName ?? drawUuid());
  const spawned: Spawned4 = {
    remote: to,
    id,
    version: descriptor.machineVersionId,
    context: options?.context,
  };
  recording.push(spawned);
  return { type: "statebacked.instance", id, machineName: to.machine, machineInstanceName: to.instance };
}

/** The child that an invocation starts, if its source is another instance. */
export function invoked(activity: Any, context: Any, event: Any): Spawned4 | undefined {
  const src = activity.src;
  if (typeof src !== "object" || src?.type !== "statebacked.invoke") return undefined;
  if (activity.autoForward || activity.forward) {
    throw invalid(`autoForward does not reach the persistent child '${activity.id}': send it what it needs`);
  }
  const drawn = drawnOnce.has(src.machineInstanceName);
  return {
    remote: remote(src.machineName, drawn ? drawUuid() : src.machineInstanceName),
    id: activity.id,
    version: src.machineVersionId,
    context: activity.data && (v4utils as Any).mapContext(activity.data, context, event),
  };
}

/** Where an action sends to, if it is another instance: a reference, or the id of a persistent child. */
export function target(to: unknown, remotes: Readonly<Record<string, Remote>>): Remote | undefined {
  if (typeof to !== "string") return referred(to);
  return Object.hasOwn(remotes, to) ? remotes[to] : undefined;
}

/**
 * Evaluate a module, and remember the names it draws meanwhile. `persistentInvocableSource` draws one for a child
 * without a name, but a module is evaluated once here for all its instances.
 */
export async function notingNames<T>(evaluate: () => Promise<T>): Promise<T> {
  let evaluating = true;
  const randomUUID = () => {
    const drawn = drawUuid();
    if (evaluating) drawnOnce.add(drawn);
    return drawn;
  };
  Object.defineProperty(crypto, "randomUUID", { value: randomUUID, configurable: true });
  try {
    return await evaluate();
  } finally {
    evaluating = false;
    Reflect.deleteProperty(crypto, "randomUUID");
  }
}
