/** Random statecharts in a form that knows no dialect: what `native4` and `native5` turn into machines. */

import { Random } from "./random.ts";

export const EVENTS = ["A", "B", "C", "D"];
const HEARD = [...EVENTS, "PONG"];
const DELAYS = [10, 20, 50];

export type Action =
  | { kind: "inc" | "trace" | "log" | "spawn" | "ping" | "stop" }
  | { kind: "raise" | "self"; event: string }
  | { kind: "later"; event: string; delay: number; id: string }
  | { kind: "cancel"; id: string };

export interface Move {
  target?: string;
  even?: boolean;
  reenter?: boolean;
  actions: Action[];
}

export interface Node {
  id: string;
  type: "atomic" | "compound" | "parallel" | "final" | "history";
  deep?: boolean;
  states: Node[];
  on: Record<string, Move[]>;
  always: Move[];
  after: Record<number, Move>;
  entry: Action[];
  exit: Action[];
  invoke?: { id: string; done: Move; error: Move };
  done?: Move;
  tag?: string;
}

/**
 * A chart with everything XState has. XState 4 does not sort out conflicts between parallel regions and ends in
 * states that are none, which depend on the order of object keys; for it, no transition leaves its region.
 */
export function randomChart(random: Random, crossing: boolean): Node {
  let count = 0;
  const nodes: Node[] = [];
  const regions = new Map<Node, Node[]>();

  function node(depth: number, type: Node["type"], region = nodes): Node {
    const made: Node = {
      id: `s${count++}`,
      type,
      states: [],
      on: {},
      always: [],
      after: {},
      entry: [],
      exit: [],
    };
    if (depth > 0) nodes.push(made);
    if (region !== nodes) region.push(made);
    regions.set(made, region);
    if (type === "compound") {
      made.states.push(node(depth + 1, inner(depth + 1), region));
      for (let i = 0; i < 1 + random.below(2); i++) {
        made.states.push(node(depth + 1, inner(depth + 1), region));
      }
      if (random.chance(0.3)) made.states.push(node(depth + 1, "final", region));
      if (depth > 0 && random.chance(0.4)) {
        const past = node(depth + 1, "history", region);
        past.deep = random.chance(0.5);
        made.states.push(past);
      }
    } else if (type === "parallel") {
      for (let i = 0; i < 2; i++) made.states.push(node(depth + 1, "compound", crossing ? region : []));
    }
    return made;
  }

  function inner(depth: number): Node["type"] {
    if (depth >= 3) return "atomic";
    const roll = random.next();
    return roll < 0.3 ? "compound" : roll < 0.45 ? "parallel" : "atomic";
  }

  let reach = nodes;
  const root = node(0, random.chance(0.25) ? "parallel" : "compound");
  for (const one of [root, ...nodes]) if (one.type !== "history" && one.type !== "final") furnish(one);
  return root;

  function furnish(one: Node): void {
    reach = regions.get(one)!;
    for (const event of HEARD) if (random.chance(one === root ? 0.15 : 0.4)) one.on[event] = moves();
    if (random.chance(0.5)) one.entry = actions();
    if (random.chance(0.4)) one.exit = actions().filter((a) => a.kind !== "raise");
    if (one === root) return;
    // Only guarded and only when even: an `inc` on the way ends the circle.
    if (random.chance(0.12)) {
      one.always = [{ target: target(), even: true, actions: [{ kind: "inc" }, { kind: "trace" }] }];
    }
    if (random.chance(0.25)) one.after[random.pick(DELAYS)] = move();
    if (random.chance(0.2)) one.invoke = { id: `job-${one.id}`, done: move(), error: move() };
    if (one.type === "compound" && random.chance(0.4)) one.done = move();
    if (random.chance(0.2)) one.tag = `t${random.below(3)}`;
  }

  function moves(): Move[] {
    return random.chance(0.3) ? [{ ...move(), even: true }, move()] : [move()];
  }

  function move(): Move {
    const made: Move = { actions: random.chance(0.7) ? actions() : [] };
    if (random.chance(0.75)) made.target = target();
    if (random.chance(0.2)) made.reenter = true;
    return made;
  }

  function target(): string {
    return random.pick(reach).id;
  }

  function actions(): Action[] {
    return Array.from({ length: 1 + random.below(3) }, action);
  }

  function action(): Action {
    const roll = random.next();
    if (roll < 0.3) return { kind: "inc" };
    if (roll < 0.55) return { kind: "trace" };
    if (roll < 0.6) return { kind: "log" };
    if (roll < 0.64) return { kind: "raise", event: random.pick(EVENTS) };
    if (roll < 0.68) return { kind: "self", event: random.pick(EVENTS) };
    if (roll < 0.78) {
      return {
        kind: "later",
        event: random.pick(EVENTS),
        delay: random.pick(DELAYS),
        id: `t${random.below(3)}`,
      };
    }
    if (roll < 0.85) return { kind: "cancel", id: `t${random.below(3)}` };
    if (roll < 0.91) return { kind: "spawn" };
    if (roll < 0.97) return { kind: "ping" };
    return { kind: "stop" };
  }
}
