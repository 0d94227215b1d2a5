/** What the gates and the instances say to each other. A gate knows one dialect; an instance knows none. */

import type { Message } from "./mail.ts";

/** Another instance of the same organisation. */
export interface Remote {
  readonly machine: string;
  readonly instance: string;
}

/** Instances that a machine has as its children, by the ids it knows them by. */
export type Remotes = Readonly<Record<string, Remote>>;

/**
 * `[id, delay_ms, event_json, target]` sets a timer, `[id]` cancels one. One whose event is for another instance
 * ends in that one's machine and name.
 */
export type TimerOp =
  | [string, number, string, string | null]
  | [string, number, string, null, string, string]
  | [string];

/** Timers that are pending, by the id the machine gave them: `[the one cancel() means or "", ...others]`. */
export type Timers = Readonly<Record<string, readonly string[]>>;

/** The actors that delayed events are for, by the timer's name: known in the process that runs them only. */
export type Aims = Readonly<Record<string, unknown>>;

/** A state of one machine and what belongs to it: immutable, so that dropping it is forgetting it. */
export interface Head {
  /** The dialect's own snapshot object. */
  readonly state: unknown;
  readonly value: unknown;
  readonly context: unknown;
  readonly status: "active" | "done" | "error" | "stopped";
  /** Children that ran in a process that is gone and have not been reported to the machine yet. */
  readonly lost: readonly string[];
  readonly timers: Timers;
  readonly aims: Aims;
  readonly remotes: Remotes;
}

/** A computed step: its effects are recorded, not run. */
export interface Turn extends Head {
  readonly eventText: string | null;
  readonly timerOps: readonly TimerOp[];
  readonly effects: number;
  /** What goes to other instances, in order. */
  readonly messages: readonly Message[] | null;
  /** Children that will be running once the effects have run, with what is needed to know them again. */
  readonly children: Readonly<Record<string, ChildRow>>;
  readonly record: unknown;
}

export interface ChildRow {
  readonly active: boolean;
  readonly src?: string;
  readonly systemId?: string;
  /** The instance that the child is, where it is one: it never counts as running here. */
  readonly remote?: Remote;
}

/** An event as a gate takes it: the dialect's own form. */
export type AnyEvent = { type: string } & Record<string, unknown>;

export interface Limits {
  contextBytes: number;
  maxIterations: number;
  authoriserMs: number;
  logBytes: number;
  logLines: number;
  indexValues: number;
  indexValueBytes: number;
  /** Messages to other instances in one step. */
  messages: number;
  /** The snapshots of all instances held at once, in characters of JSON. */
  heldChars: number;
}

/** Where an index finds its values: members, positions in arrays, null for all of either. */
export type Selector = [index: string, path: (string | number | null)[]];

/** What a snapshot is in the ledger. */
export interface Stored {
  value: unknown;
  status?: Head["status"];
  context: unknown;
  output?: unknown;
  error?: unknown;
  history?: unknown;
  /** The nodes in force in XState's own order, where the value alone does not tell them. */
  nodes?: string[];
  children?: Record<string, ChildRow>;
  timers?: Record<string, string[]>;
}

/** A failure with a reason of the catalogue; anything else a machine throws is MACHINE_THREW. */
export class Refusal extends Error {
  constructor(
    readonly reason: string,
    message: string,
    readonly metadata: Record<string, string | number> = {},
  ) {
    super(message);
  }
}

/** One machine of one instance, held so that nothing runs before it is told to. */
export interface Gate {
  /** The initial step. Throws what the machine throws. */
  begin(context: Record<string, unknown> | undefined, revision: number): Turn;
  /** The step an event causes on `head`. Throws what the machine throws, having undone everything. */
  next(head: Head, event: unknown, revision: number, fired: string | undefined): Turn;
  /** A step that hands an event to a running child, or to the parent; undefined when the child is gone. */
  forward(head: Head, child: string, event: AnyEvent, fired: string): Turn | undefined;
  /** The step by which a lost child is reported, or undefined when the machine has it no more. */
  lose(head: Head, child: string, revision: number): Turn | undefined;
  /** The step by which a child that is another instance tells of its end: its output or its error, as JSON. */
  end(head: Head, child: string, failed: boolean, payload: string | null, revision: number): Turn;
  /** Run the recorded effects of a turn on the committed state and make it the committed state. */
  run(turn: Turn): void;
  /** Undo what computing a turn changed outside of it. */
  undo(turn: Turn): void;
  /** Take up a stored snapshot as the committed state. */
  restore(stored: Stored): Head;
  /** Stop every running child; their ids. */
  stopChildren(): string[];
  /** Whether any child is running. */
  readonly busy: boolean;
  dispose(): void;
  isRef(value: object): boolean;
  /** What of the snapshot goes beside value, context and children: raw JSON members, each with a leading comma. */
  extraJson(turn: Turn): string;
  view(turn: Turn): ViewParts;
  /** What a machine that has ended gives to whoever waited for it: its output, or the error it ended on. */
  outputJson(turn: Turn): string | undefined;
}

export interface ViewParts {
  states: string[];
  tags: string[];
}

/** How a gate reaches its instance. */
export interface Owner {
  readonly name: string;
  readonly limits: Limits;
  /** Take an event a child sent. */
  deliver(event: unknown): void;
  /** What children have sent and the machine has not heard yet, oldest first. */
  readonly unheard: readonly unknown[];
  /** An effect failed after its commit. */
  fault(what: string, error: unknown): void;
  log(...args: unknown[]): void;
}
