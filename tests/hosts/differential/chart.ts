/** Statecharts in a form that knows no dialect: what `grow` makes, and `native4` and `native5` turn into machines. */

/** What callers send; `m.x` is there for wildcards, and nothing but a wildcard hears `Z`. */
export const EVENTS = ["A", "B", "C", "D", "m.x", "Z"];

export type Guard =
  | { kind: "even"; named: boolean }
  | { kind: "in"; id: string }
  | { kind: "not"; of: Guard }
  | { kind: "and" | "or"; of: Guard[] };

export type Action =
  | { kind: "inc" | "trace" | "log" | "spawn" | "stop" | "emit" | "note" | "adopt" | "drop"; named?: boolean }
  | { kind: "raise" | "self"; event: string }
  | { kind: "later"; event: string; delay: number; id?: string; named: boolean }
  | { kind: "cancel"; id: string }
  /** An event for the spawned child, for one that is invoked, or in 5 for whoever has the system id. */
  | { kind: "tell"; event: string; to?: string; system?: boolean; delay?: number }
  | { kind: "forward"; to?: string }
  /** Several actions behind a guard: `enqueueActions`, or `choose` and `pure`. */
  | { kind: "batch"; guard: Guard; actions: Action[] };

export interface Move {
  target?: string;
  /** A second target, in another region of the same parallel state. */
  also?: string;
  guard?: Guard;
  reenter?: boolean;
  actions: Action[];
}

export interface Invoked {
  id: string;
  logic: "job" | "kid" | "callback" | "stream" | "events" | "counter";
  input: boolean;
  systemId?: string;
  forward?: boolean;
  snapshot?: Move;
  done?: Move;
  error?: Move;
}

export interface Node {
  id: string;
  type: "atomic" | "compound" | "parallel" | "final" | "history";
  deep?: boolean;
  /** Where a history leads that remembers nothing. */
  otherwise?: string;
  states: Node[];
  /** Actions of the initial transition. */
  initially?: Action[];
  /** Null forbids the event. */
  on: Record<string, Move[] | null>;
  always: Move[];
  after: Record<string, Move[]>;
  entry: Action[];
  exit: Action[];
  invoke: Invoked[];
  done?: Move;
  output?: boolean;
  tag?: string;
}
