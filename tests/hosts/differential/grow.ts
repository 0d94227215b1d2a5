/** Random charts. Each has a few of the features only, so that they meet in many combinations. */

import { type Action, EVENTS, type Guard, type Invoked, type Move, type Node } from "./chart.ts";
import type { Random } from "./random.ts";

const DELAYS = [10, 20, 50];
/** Not those of other timers: which of two in one millisecond is the first is a matter of their ids here. */
const TELLING = [7, 23];
const IDS = ["t0", "t1", "t2"];
const TOLD = ["PING", "PING", "ASK", "END", "BOOM"];
const FEATURES = [
  "parallel",
  "history",
  "guards",
  "batches",
  "wildcards",
  "always",
  "timers",
  "children",
  "jobs",
  "streams",
  "twoTargets",
  "names",
  "snapshots",
  "forbidden",
  "raising",
  "output",
] as const;

type Feature = typeof FEATURES[number];

/**
 * A chart with everything XState has. XState 4 does not sort out conflicts between parallel regions and ends in
 * states that are none, which depend on the order of object keys; for it, no transition leaves its region.
 */
export function randomChart(random: Random, dialect: "v4" | "v5"): Node {
  const five = dialect === "v5";
  const has = Object.fromEntries(FEATURES.map((name) => [name, random.chance(0.6)])) as Record<
    Feature,
    boolean
  >;
  const heard = [...EVENTS.slice(0, 4), "PONG"];
  if (has.wildcards) heard.push("*", ...(five ? ["m.*"] : []));
  if (has.streams) heard.push("TICK");
  let count = 0;
  const nodes: Node[] = [];
  const regions = new Map<Node, Node[]>();
  const jobs: Invoked[] = [];

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
      invoke: [],
    };
    if (depth > 0) nodes.push(made);
    if (region !== nodes) region.push(made);
    regions.set(made, region);
    if (type === "final" && has.output) made.output = random.chance(0.6);
    if (type === "compound") {
      made.states.push(node(depth + 1, inner(depth + 1), region));
      for (let i = 0; i < 1 + random.below(2); i++) {
        made.states.push(node(depth + 1, inner(depth + 1), region));
      }
      if (random.chance(0.3)) made.states.push(node(depth + 1, "final", region));
      if (has.history && depth > 0 && random.chance(0.5)) {
        const past = node(depth + 1, "history", region);
        past.deep = random.chance(0.5);
        if (random.chance(0.5)) past.otherwise = random.pick(made.states).id;
        made.states.push(past);
      }
    } else if (type === "parallel") {
      for (let i = 0; i < 2; i++) made.states.push(node(depth + 1, "compound", five ? region : []));
    }
    return made;
  }

  function inner(depth: number): Node["type"] {
    if (depth >= 3) return "atomic";
    const roll = random.next();
    return roll < 0.3 ? "compound" : roll < 0.5 && has.parallel ? "parallel" : "atomic";
  }

  let reach = nodes;
  const root = node(0, has.parallel && random.chance(0.25) ? "parallel" : "compound");
  const living = [root, ...nodes].filter((one) => one.type !== "history" && one.type !== "final");
  for (const one of living) if (one !== root) invoked(one);
  for (const one of living) furnish(one);
  if (has.output) root.output = five;
  return root;

  function invoked(one: Node): void {
    const kinds: Invoked["logic"][] = [];
    if (has.jobs) kinds.push("job");
    if (has.children) kinds.push("kid", "callback");
    if (has.streams) kinds.push("stream");
    if (has.streams && five) kinds.push("events", "counter");
    while (kinds.length > 0 && one.invoke.length < 2 && random.chance(0.2)) {
      const id = `job${one.invoke.length}-${one.id}`;
      one.invoke.push({ id, logic: random.pick(kinds), input: random.chance(0.5) });
    }
    jobs.push(...one.invoke);
  }

  function furnish(one: Node): void {
    reach = regions.get(one)!;
    for (const event of heard) {
      const rare = event.endsWith("*") || one === root;
      if (!random.chance(rare ? 0.15 : 0.4)) continue;
      one.on[event] = has.forbidden && random.chance(0.1) ? null : moves();
    }
    if (random.chance(0.5)) one.entry = actions();
    if (random.chance(0.4)) {
      one.exit = actions().filter(({ kind }) => five || kind !== "raise" && kind !== "batch");
    }
    if (five && one.type === "compound" && random.chance(0.2)) one.initially = actions();
    for (const child of one.invoke) {
      if (random.chance(0.9)) child.done = move();
      if (random.chance(0.9)) child.error = move();
      if (has.snapshots && five && child.logic !== "callback" && random.chance(0.5)) {
        child.snapshot = { actions: actions() };
      }
      if (five && random.chance(0.2)) child.systemId = `sys-${child.id}`;
      if (!five && child.logic !== "job" && random.chance(0.2)) child.forward = true;
    }
    if (one === root) return;
    // Only guarded and only when even: an `inc` on the way ends the circle.
    if (has.always && random.chance(0.2)) {
      const guard: Guard = { kind: "even", named: has.names };
      one.always = [{ target: target(), guard, actions: [{ kind: "inc" }, { kind: "trace" }] }];
    }
    if (has.timers && random.chance(0.35)) {
      const delay = random.pick(DELAYS);
      one.after[has.names && random.chance(0.5) ? `d${delay}` : delay] = moves();
    }
    if ((one.type === "compound" || five && one.type === "parallel") && random.chance(0.4)) one.done = move();
    if (random.chance(0.2)) one.tag = `t${random.below(3)}`;
  }

  function moves(): Move[] {
    return random.chance(0.3) ? [{ ...move(), guard: guard(0) }, move()] : [move()];
  }

  function move(): Move {
    const made: Move = { actions: random.chance(0.7) ? actions() : [] };
    if (random.chance(0.75)) made.target = target();
    if (random.chance(0.2)) made.reenter = true;
    const wide = reach.filter((one) => one.type === "parallel");
    if (has.twoTargets && wide.length > 0 && random.chance(0.15)) {
      [made.target, made.also] = random.pick(wide).states.map((region) => random.pick(within(region)).id);
    }
    return made;
  }

  function within(one: Node): Node[] {
    if (one.type === "parallel") return [one];
    return [one, ...one.states.filter((inner) => inner.type !== "history").flatMap(within)];
  }

  function guard(depth: number): Guard {
    if (has.guards && random.chance(0.3)) return { kind: "in", id: random.pick(nodes.filter(isReal)).id };
    if (has.guards && five && depth < 2 && random.chance(0.3)) {
      if (random.chance(0.4)) return { kind: "not", of: guard(depth + 1) };
      return { kind: random.chance(0.5) ? "and" : "or", of: [guard(depth + 1), guard(depth + 1)] };
    }
    return { kind: "even", named: has.names && random.chance(0.5) };
  }

  function isReal(one: Node): boolean {
    return one.type !== "history";
  }

  function target(): string {
    return random.pick(reach).id;
  }

  function actions(depth = 0): Action[] {
    return Array.from({ length: 1 + random.below(3) }, () => action(depth));
  }

  function action(depth: number): Action {
    const roll = random.next();
    if (roll < 0.25) return { kind: "inc" };
    if (roll < 0.5) return { kind: "trace", named: has.names && random.chance(0.3) };
    if (roll < 0.53) return { kind: "log" };
    if (roll < 0.56) return { kind: "note" };
    if (roll < 0.58 && five) return { kind: "emit" };
    if (roll < 0.64) return { kind: has.raising ? "raise" : "self", event: random.pick(EVENTS) };
    if (roll < 0.67) return { kind: "self", event: random.pick(EVENTS) };
    if (roll < 0.77) return has.timers ? later() : { kind: "inc" };
    if (roll < 0.82) return { kind: "cancel", id: random.pick(IDS) };
    if (roll < 0.87 && has.batches && depth === 0) {
      return { kind: "batch", guard: guard(0), actions: actions(1) };
    }
    if (!has.children) return { kind: "trace" };
    if (roll < 0.89) return { kind: "spawn" };
    if (roll < 0.91) return { kind: five ? random.pick(["adopt", "adopt", "drop"]) : "spawn" };
    if (roll < 0.98) return tell();
    return { kind: "stop" };
  }

  function later(): Action {
    const id = random.chance(0.8) ? random.pick(IDS) : undefined;
    const named = has.names && random.chance(0.3);
    return { kind: "later", event: random.pick(EVENTS), delay: random.pick(DELAYS), id, named };
  }

  function tell(): Action {
    const job = jobs.length > 0 && random.chance(0.5) ? random.pick(jobs) : undefined;
    const known = job && job.logic !== "job" ? job.id : undefined;
    const to = five && random.chance(0.2) ? "pet" : known;
    if (random.chance(0.15)) return { kind: "forward", to };
    const event = random.pick(TOLD);
    if (five && job && random.chance(0.2)) return { kind: "tell", event, to: job.id, system: true };
    return { kind: "tell", event, to, delay: random.chance(0.15) ? random.pick(TELLING) : undefined };
  }
}
