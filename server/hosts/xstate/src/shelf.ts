/**
 * The instances that this process holds, as many as its heap has room for.
 *
 * What is put away can be told again by the engine, whose snapshots they came from. So the longest unused go
 * first, but none that has something running or unsaid.
 */

import { type Instance } from "./instance.ts";

/** What an instance takes beside its context, in characters of JSON. */
const OVERHEAD = 600;

export class Shelf {
  readonly #instances = new Map<number, Instance>();
  readonly #limit: number;
  #held = 0;
  /** How much is held before the next look at what can go. */
  #next: number;

  /** `limit` is in characters of JSON. */
  constructor(limit: number) {
    this.#limit = this.#next = limit;
  }

  get(uid: number): Instance | undefined {
    return this.#instances.get(uid);
  }

  put(instance: Instance): void {
    this.#instances.set(instance.uid, instance);
    this.weigh(instance, 0);
  }

  /** The instance is in use: it goes last. */
  touch(instance: Instance): void {
    this.#instances.delete(instance.uid);
    this.#instances.set(instance.uid, instance);
  }

  /** Hear how long the newest snapshot of an instance is, and make room if that is too much. */
  weigh(instance: Instance, length: number): void {
    const weight = length + OVERHEAD;
    this.#held += weight - instance.weight;
    instance.weight = weight;
    if (this.#held <= this.#next) return;
    for (const other of this.#instances.values()) {
      if (this.#held <= this.#limit) break;
      if (other !== instance && other.spare) this.drop(other);
    }
    // What is in use stays, and need not be looked at over and over.
    this.#next = Math.max(this.#limit, this.#held * 1.25);
  }

  drop(instance: Instance): void {
    if (this.#instances.get(instance.uid) !== instance) return;
    this.#instances.delete(instance.uid);
    this.#held -= instance.weight;
    instance.abort(instance.revision);
    instance.gate.dispose();
  }
}
