/**
 * References to XState 4 actors that survive JSON.
 *
 * XState 4 writes an actor as `{id}`, which no reader can tell from data; we mark it as XState 5 does.
 */

import { v4utils } from "./vendored.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

const symbolObservable = (v4utils as Any).symbolObservable as symbol;

/** What `spawn` returns inside `assign`: an actor that starts when its turn runs, or never. */
export class Ref4 {
  #actor: Any;
  readonly #spawn: (() => Any) | undefined;
  readonly #entity: Any;
  readonly id: string;

  constructor(entity: Any, id: string, spawn?: () => Any) {
    this.#entity = entity;
    this.id = id;
    this.#spawn = spawn;
    Object.defineProperty(this, symbolObservable, { value: () => this });
  }

  start(): void {
    this.#actor = this.#spawn?.();
  }

  /** What it stands for, once that has begun: XState 4 tells a child that is a machine who sends. */
  get actor(): Any {
    return this.#actor ?? this;
  }

  send(event: Any): void {
    this.#actor?.send(event);
  }

  subscribe(...args: Any[]): { unsubscribe(): void } {
    return this.#actor ? this.#actor.subscribe(...args) : { unsubscribe() {} };
  }

  getSnapshot(): Any {
    if (this.#actor) return this.#actor.getSnapshot();
    return this.#entity && "__xstatenode" in Object(this.#entity) ? this.#entity.initialState : undefined;
  }

  stop(): void {
    this.#actor?.stop?.();
  }

  toJSON(): unknown {
    return { xstate$$type: 1, id: this.id };
  }
}

export function isRef4(value: object): boolean {
  return typeof (value as Any).send === "function" && "id" in value;
}

const marked = new WeakSet<object>();

/** Make a real child write itself as a marked reference, wherever the machine puts it. */
export function markChild(child: Any): void {
  if (marked.has(child) || !Object.isExtensible(child)) return;
  marked.add(child);
  const id: string = child.id;
  Object.defineProperty(child, "toJSON", { value: () => ({ xstate$$type: 1, id }), writable: true });
}

/** Put references back into a stored context, in place; what they named is gone. */
export function reviveRefs4(value: Any): Any {
  if (!value || typeof value !== "object") return value;
  if (value.xstate$$type === 1 && typeof value.id === "string") return new Ref4(undefined, value.id);
  for (const key of Object.keys(value)) {
    const inner = value[key];
    if (inner && typeof inner === "object") value[key] = reviveRefs4(inner);
  }
  return value;
}
