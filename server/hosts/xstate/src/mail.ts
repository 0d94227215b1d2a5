/**
 * What a step says to other instances: recorded with it, carried by the engine once it is durable.
 *
 * Names, JSON and sizes are checked here, while the step can still be refused with words for its author.
 */

import { notJson, utf8Length } from "./json.ts";
import { type AnyEvent, type Limits, Refusal, type Remote, type Remotes } from "./types.ts";
import { clean } from "./wire.ts";

/** How machines name whoever spawned or invoked them, and how a timer names it. */
export const PARENT = "#_parent";

/** Types that only the machine and this host may send. */
export const RESERVED = /^(?:xstate|done|error)\./;

export const noRemotes: Remotes = Object.freeze({});

export type Message =
  | ["send", machine: string, instance: string, event: string]
  | ["parent", event: string]
  | [
    "spawn",
    child: string,
    machine: string,
    instance: string,
    version: string | null,
    context: string | null,
  ];

const stringify = JSON.stringify;
const NAME = /^[a-zA-Z0-9_-]{1,128}$/;
const VERSION = /^ver_[A-Za-z0-9_-]{22}$/;
const LONGEST_ID = 256;

export class Mail {
  messages: Message[] | null = null;

  constructor(readonly limits: Limits) {}

  send(to: Remote, event: unknown): void {
    this.#put(["send", to.machine, to.instance, this.text(event)]);
  }

  toParent(event: unknown): void {
    this.#put(["parent", this.text(event)]);
  }

  /** Record that `child` shall be `to`; `version` and `context` are what the machine's author gave. */
  spawn(child: string, to: Remote, version: unknown, context: unknown): void {
    const shown = clean(child, 100);
    if (child === "" || child.length > LONGEST_ID || child === PARENT) {
      throw invalid(`'${shown}' cannot be the id of a child: use 1 to ${LONGEST_ID} characters`);
    }
    if (version !== undefined && version !== null && !VERSION.test(String(version))) {
      throw invalid(`'${clean(version, 140)}' is not a version id (ver_…), for the child '${shown}'`);
    }
    this.#put([
      "spawn",
      child,
      to.machine,
      to.instance,
      (version ?? null) as string | null,
      context === undefined || context === null
        ? null
        : this.#json(context, `the initial context of the child '${shown}'`),
    ]);
  }

  /** The JSON of an event that leaves the instance. */
  text(event: unknown): string {
    const type = (event as AnyEvent | null | undefined)?.type;
    if (typeof type !== "string") throw invalid("an event needs a string `type`");
    if (RESERVED.test(type) || type === "xstate.error") {
      throw invalid(`${clean(type, 200)} cannot be sent to another instance: the name is XState's own`);
    }
    return this.#json(event, `the event ${clean(type, 200)} to another instance`);
  }

  #json(value: unknown, what: string): string {
    const plain = typeof value === "object" && value !== null && !Array.isArray(value);
    const fault = plain ? notJson(value, () => false) : " is not an object";
    if (fault !== undefined) throw invalid(`${what} must be plain JSON, but it${clean(fault, 300)}`);
    const text = stringify(value);
    const limit = this.limits.contextBytes;
    if (text.length * 3 > limit && utf8Length(text) > limit) {
      throw invalid(`${what} is larger than ${limit} bytes of JSON`);
    }
    return text;
  }

  #put(message: Message): void {
    const messages = this.messages ??= [];
    if (messages.length >= this.limits.messages) {
      throw invalid(`one step may send ${this.limits.messages} messages to other instances, not more`);
    }
    messages.push(message);
  }
}

/** Another instance by the names a machine gave. */
export function remote(machine: unknown, instance: unknown): Remote {
  for (const [kind, name] of [["machine", machine], ["instance", instance]]) {
    if (typeof name !== "string" || !NAME.test(name)) {
      throw invalid(
        `'${clean(name, 140)}' is not a valid ${kind} name: use 1 to 128 letters, digits, '-' or '_'`,
      );
    }
  }
  return { machine: machine as string, instance: instance as string };
}

/** The instance that a reference of `@statebacked/machine` or `@stateward/machine` names, if it is one. */
export function referred(value: unknown): Remote | undefined {
  const ref = value as { type?: unknown; machineName?: unknown; machineInstanceName?: unknown } | null;
  if (typeof ref !== "object" || ref === null || ref.type !== "statebacked.instance") return undefined;
  return remote(ref.machineName, ref.machineInstanceName);
}

export function invalid(message: string): Refusal {
  return new Refusal("MESSAGE_INVALID", message);
}
