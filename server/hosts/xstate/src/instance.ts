/**
 * One instance as this process holds it: the committed state, the turns computed on top of it, the inbox.
 *
 * Knows revisions and what waits for a commit; leaves the dialect to its gate and the wire to the host.
 */

import { indexed } from "./indexes.ts";
import { notJson, utf8Length } from "./json.ts";
import { clean, type Frame } from "./wire.ts";
import {
  type AnyEvent,
  type Gate,
  type Head,
  type Limits,
  type Owner,
  Refusal,
  type Selector,
  type Stored,
  type Turn,
} from "./types.ts";

const stringify = JSON.stringify;

/** A turn that waits, with the inbox event it consumed, if it did. */
interface Pending {
  turn: Turn;
  taken: unknown;
}

export interface Tell {
  inbox(uid: number): void;
  log(uid: number, level: string, text: string): void;
  format(args: unknown[]): string;
}

export class Instance implements Owner {
  readonly gate: Gate;
  revision = 0;
  head: Head | undefined;
  /** Whether an authoriser's promise is awaited; whatever comes for the instance meanwhile waits behind it. */
  busy = false;
  readonly waiting: Frame[] = [];
  /** How much of the process's room it takes. */
  weight = 0;
  readonly #pending: Pending[] = [];
  #inbox: unknown[] = [];
  #announced = false;
  /** Children stopped by the settle limit that the engine has not been told of. */
  #unreported: string[] = [];

  constructor(
    readonly uid: number,
    readonly name: string,
    readonly limits: Limits,
    readonly selectors: Selector[],
    readonly tell: Tell,
    gate: (owner: Owner) => Gate,
  ) {
    this.gate = gate(this);
  }

  /** The newest state, committed or not. */
  get top(): Head | undefined {
    return this.#pending.length > 0 ? this.#pending[this.#pending.length - 1].turn : this.head;
  }

  get topRevision(): number {
    return this.revision + this.#pending.length;
  }

  at(revision: number): Head | undefined {
    if (revision === this.revision) return this.head;
    return this.#pending[revision - this.revision - 1]?.turn;
  }

  /** Make `revision` the newest one, as far as that needs no effect to run. False when it cannot be. */
  standOn(revision: number): boolean {
    if (revision > this.topRevision || revision < this.revision) return false;
    this.abort(revision);
    while (this.#pending.length > 0) {
      if (this.#pending[0].turn.effects > 0) return false;
      this.#settle(this.#pending.shift()!.turn);
    }
    return true;
  }

  push(turn: Turn, taken?: unknown): void {
    this.#pending.push({ turn, taken });
  }

  commit(revision: number): void {
    while (this.#pending.length > 0 && this.revision < revision) this.#settle(this.#pending.shift()!.turn);
  }

  abort(revision: number): void {
    while (this.#pending.length > 0 && this.topRevision > revision) {
      const { turn, taken } = this.#pending.pop()!;
      this.gate.undo(turn);
      if (taken !== undefined) this.#inbox.unshift(taken);
    }
    this.announce();
  }

  /** The oldest event a child sent. */
  take(): unknown {
    this.#announced = false;
    return this.#inbox.shift();
  }

  /** Give back an event whose step was not computed. */
  giveBack(event: unknown): void {
    this.#inbox.unshift(event);
  }

  /** One announcement at a time: a child cannot flood the engine, only its own inbox. */
  announce(): void {
    if (this.#announced || this.#inbox.length === 0) return;
    this.#announced = true;
    this.tell.inbox(this.uid);
  }

  deliver(event: unknown): void {
    this.#inbox.push(event);
    this.announce();
  }

  get unheard(): readonly unknown[] {
    return this.#inbox;
  }

  get quiet(): boolean {
    return this.#inbox.length === 0;
  }

  /** Whether the ledger knows all that would be forgotten with it, or will be told. */
  get spare(): boolean {
    return !this.busy && this.waiting.length === 0 && this.quiet && !this.gate.busy &&
      !this.#pending.some(({ turn, taken }) => turn.effects > 0 || taken !== undefined);
  }

  stopChildren(): void {
    const stopped = this.gate.stopChildren();
    if (stopped.length === 0) return;
    this.#unreported.push(...stopped);
    if (this.head) this.head = { ...this.head, lost: [...this.head.lost, ...stopped] };
    for (const pending of this.#pending) {
      pending.turn = { ...pending.turn, lost: [...pending.turn.lost, ...stopped] };
    }
  }

  /** Children that stopped and must be reported before anything else, once. */
  takeUnreported(): string[] {
    const lost = this.top?.lost ?? [];
    const ids = this.#unreported.filter((id) => lost.includes(id));
    this.#unreported = [];
    return ids;
  }

  restore(revision: number, stored: Stored): void {
    this.revision = revision;
    this.head = this.gate.restore(stored);
  }

  fault(what: string, error: unknown): void {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : this.tell.format([error]);
    this.tell.log(this.uid, "error", clean(`${what} failed: ${text}`));
  }

  log(...args: unknown[]): void {
    this.tell.log(this.uid, "info", this.tell.format(args));
  }

  /** The turn as an outcome for the wire. Throws a Refusal when its state cannot be kept. */
  write(turn: Turn, givenText: string | null): unknown[] {
    const context = turn.context;
    const fault = notJson(context, (value) => this.gate.isRef(value));
    if (fault !== undefined) {
      throw new Refusal(
        "CONTEXT_NOT_JSON",
        clean(`the context must be plain JSON, but context${shortened(fault)}`),
      );
    }
    const contextText = stringify(context) ?? "{}";
    const limit = this.limits.contextBytes;
    if (contextText.length * 3 > limit && utf8Length(contextText) > limit) {
      throw new Refusal("CONTEXT_TOO_LARGE", `the context is larger than ${limit} bytes of JSON`);
    }
    const valueText = stringify(turn.value);
    let snapshot = `{"value":${valueText},"status":"${turn.status}","context":${contextText}`;
    let settled = this.quiet;
    let rows = "";
    for (const id in turn.children) {
      const row = turn.children[id];
      if (row.active) settled = false;
      rows += `${rows ? "," : ""}${stringify(id)}:${stringify(row)}`;
    }
    // Nobody waits for the services of a machine that has ended.
    if (turn.status !== "active") settled = true;
    if (rows) snapshot += `,"children":{${rows}}`;
    for (const _id in turn.timers) {
      snapshot += `,"timers":${stringify(turn.timers)}`;
      break;
    }
    snapshot += `${this.gate.extraJson(turn)}}`;
    const open = (context as { public?: unknown } | undefined)?.public;
    const openText = open !== null && typeof open === "object" && !Array.isArray(open)
      ? stringify(open)
      : null;
    const view = this.gate.view(turn);
    const outputText = turn.status === "active" ? null : this.gate.outputJson(turn) ?? null;
    return [
      0,
      turn.eventText ?? givenText,
      snapshot,
      valueText,
      view.states,
      view.tags,
      openText,
      turn.status,
      settled,
      turn.timerOps,
      turn.effects,
      outputText,
      turn.messages,
      this.selectors.length > 0 ? indexed(this.selectors, context, this.limits) : null,
    ];
  }

  #settle(turn: Turn): void {
    this.revision += 1;
    this.head = turn;
    this.gate.run(turn);
  }
}

function shortened(path: string): string {
  return path.length > 300 ? `${path.slice(0, 60)}…${path.slice(-100)}` : path;
}

export function eventOf(text: string): AnyEvent {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed === "string") return { type: parsed };
  const event = parsed as AnyEvent | null;
  if (event !== null && typeof event === "object" && typeof event.type === "string") return event;
  throw new Refusal("EVENT_UNSERIALIZABLE", "an event is a string or an object with a string `type`");
}
