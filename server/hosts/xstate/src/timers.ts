/**
 * Timers as the machine means them: by the id it gave, which it may give twice.
 *
 * XState arms a second timer of the same id beside the first, and `cancel` reaches the newest only. The
 * ledger's timers have unique ids, so a step that sets one names it after its revision.
 */

import type { Aims, Remote, TimerOp, Timers } from "./types.ts";

/** The name of a timer for another instance says when it is due. */
const REMOTE = /~\d+\.\d+@(\d+)$/;
const LONG_PAST = 3_600_000;

export const noTimers: Timers = Object.freeze({});
export const noAims: Aims = Object.freeze({});

export class TimerBook {
  readonly ops: TimerOp[] = [];
  #timers: Record<string, readonly string[]>;
  #aims: Aims;
  #count = 0;

  constructor(before: Timers, aims: Aims, readonly revision: number) {
    this.#timers = before as Record<string, readonly string[]>;
    this.#aims = aims;
  }

  get aims(): Aims {
    return this.#aims;
  }

  get timers(): Timers {
    return this.#timers;
  }

  /** `aim` is the very actor that `target` names now; another one of that id later is not meant. */
  set(id: string | undefined, delay: number, eventText: string, target: string | null, aim?: unknown): void {
    const ordinal = this.#count++;
    const known = id === undefined ? undefined : this.#timers[id];
    const name = id ?? "";
    const unique = id === undefined || known ? `${name}~${this.revision}.${ordinal}` : id;
    const rest = this.#timers[name] ?? [];
    // Without an id nothing can cancel it, so the newest place stays empty.
    const held = id === undefined
      ? ["", unique, ...rest.slice(1)]
      : [unique, ...rest.filter((other) => other !== "" && !REMOTE.test(other))];
    this.#timers = { ...this.#timers, [name]: held };
    if (aim !== undefined) this.#aims = { ...this.#aims, [unique]: aim };
    this.ops.push([unique, milliseconds(delay), eventText, target]);
  }

  /**
   * Set a timer whose event goes to another instance. The engine sends it without asking the machine, so this
   * book never hears that it fired: the newest of each id is kept, for `cancel`, until it is long past due.
   */
  setRemote(id: string | undefined, delay: number, eventText: string, to: Remote): void {
    const wait = milliseconds(delay);
    const now = Date.now();
    const unique = `${id ?? ""}~${this.revision}.${this.#count++}@${now + wait}`;
    for (const held of Object.keys(this.#timers)) {
      const newest = this.#timers[held][0];
      const due = REMOTE.exec(newest);
      if (due && (held === id || Number(due[1]) + LONG_PAST < now)) {
        const others = this.#timers[held].slice(1);
        this.#replace(held, others.length > 0 ? ["", ...others] : others);
      }
    }
    if (id !== undefined) {
      const rest = (this.#timers[id] ?? []).filter((other) => other !== "");
      this.#timers = { ...this.#timers, [id]: [unique, ...rest] };
    }
    this.ops.push([unique, wait, eventText, null, to.machine, to.instance]);
  }

  cancel(id: string): void {
    const held = this.#timers[id];
    if (!held || held[0] === "") return;
    this.ops.push([held[0]]);
    this.#forget(held[0]);
    this.#replace(id, held.length > 1 ? ["", ...held.slice(1)] : []);
  }

  /**
   * A timer fired: it is pending no more. XState 5 then has no hold on a newer one of the same id either,
   * and `cancel` misses it; a machine must run here as it runs there.
   */
  fire(unique: string, forgetful: boolean): void {
    for (const id of Object.keys(this.#timers)) {
      const held = this.#timers[id];
      if (unique === "" || !held.includes(unique)) continue;
      this.#forget(unique);
      const newest = held[0] === unique || forgetful ? "" : held[0];
      const others = held.filter((other) => other !== unique && other !== newest && other !== "");
      this.#replace(id, newest === "" && others.length === 0 ? [] : [newest, ...others]);
      return;
    }
  }

  cancelAll(): void {
    for (const id of Object.keys(this.#timers)) {
      for (const unique of this.#timers[id]) if (unique !== "") this.ops.push([unique]);
    }
    this.#timers = noTimers as Record<string, readonly string[]>;
    this.#aims = noAims;
  }

  #forget(unique: string): void {
    if (!Object.hasOwn(this.#aims, unique)) return;
    const { [unique]: _gone, ...rest } = this.#aims;
    this.#aims = rest;
  }

  #replace(id: string, held: readonly string[]): void {
    const { [id]: _gone, ...rest } = this.#timers;
    this.#timers = held.length > 0 ? { ...rest, [id]: held } : rest;
  }
}

function milliseconds(delay: number): number {
  const wait = delay > 0 ? Math.ceil(delay) : 0;
  return Number.isSafeInteger(wait) ? wait : Number.MAX_SAFE_INTEGER;
}
