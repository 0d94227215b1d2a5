/** The chart as an XState 4 machine, and as the library itself runs it. */

// deno-lint-ignore-file no-explicit-any
import * as x from "xstate4/es/index.js";
import type { Action, Guard, Invoked, Move, Node } from "./chart.ts";
import type { World } from "./world.ts";

const { cancel, choose, escalate, forwardTo, log, pure, raise, respond, send, sendTo, stop } =
  (x as any).actions;
const { assign, createMachine, interpret, sendParent, spawn } = x as any;

/** How XState 4 orders actions: as of old, as they are written, or with arguments as they are written. */
export type Order = "old" | "kept" | "predictable";

const even = (context: any) => context.n % 2 === 0;
const later = (ms: number) => (context: any) => ms + context.n % 2;

export function machine4(chart: Node, world: World, order: Order): any {
  const config = {
    ...node(chart, world, kid4(world)),
    id: chart.id,
    context: { n: 0 },
    predictableActionArguments: order === "predictable",
    preserveActionOrder: order === "kept",
  };
  return createMachine(config, {
    guards: { even },
    actions: { trace: trace(world) },
    delays: { d10: later(10), d20: later(20), d50: later(50) },
  });
}

/**
 * A child machine that hears `PING`, `ASK`, `END` and `BOOM`. It does not say when it ends: one that is stopped by
 * an answer to what it has just sent ends after that for XState 4, and at once here, where answers come later.
 */
function kid4(world: World): any {
  return createMachine({
    predictableActionArguments: true,
    id: "kid",
    initial: "up",
    context: { n: 0 },
    entry: () => void world.trace.push("kid begins"),
    states: {
      up: {
        on: {
          PING: { actions: [assign({ n: (context: any) => context.n + 1 }), sendParent({ type: "PONG" })] },
          ASK: { actions: respond({ type: "PONG" }) },
          END: "end",
          BOOM: { actions: escalate("boom") },
          // A failure of another child that is forwarded here, and that nobody handles, would be thrown.
          "error.platform.*": { actions: () => {} },
        },
      },
      end: { type: "final", data: (context: any) => context },
    },
  });
}

function trace(world: World): any {
  return (context: any, event: any) => world.act("trace", context, event);
}

function node(one: Node, world: World, kid: any): any {
  if (one.type === "history") {
    const config: any = { id: one.id, type: "history", history: one.deep ? "deep" : "shallow" };
    if (one.otherwise) config.target = one.otherwise;
    return config;
  }
  const acts = (list: Action[]) => actions(list, world, kid);
  const move = (one: Move): any => {
    const config: any = { actions: acts(one.actions) };
    if (one.target) config.target = one.also ? [`#${one.target}`, `#${one.also}`] : `#${one.target}`;
    if (one.reenter) config.internal = false;
    if (one.guard?.kind === "in") config.in = `#${one.guard.id}`;
    else if (one.guard) config.cond = guard(one.guard);
    return config;
  };
  const config: any = { id: one.id, entry: acts(one.entry), exit: acts(one.exit) };
  if (one.tag) config.tags = [one.tag];
  if (one.type === "parallel" || one.type === "final") config.type = one.type;
  if (one.type === "final" && one.output) config.data = (context: any) => ({ n: context.n });
  if (one.states.length) {
    config.states = Object.fromEntries(one.states.map((inner) => [inner.id, node(inner, world, kid)]));
  }
  if (one.type === "compound") config.initial = one.states[0].id;
  config.on = Object.fromEntries(
    Object.entries(one.on).map(([event, list]) => [event, list?.map(move)]),
  );
  if (one.always.length) config.always = one.always.map(move);
  config.after = Object.fromEntries(Object.entries(one.after).map(([ms, list]) => [ms, list.map(move)]));
  if (one.done) config.onDone = move(one.done);
  config.invoke = one.invoke.map((child) => ({
    id: child.id,
    src: logic(child, world, kid),
    data: child.input ? (context: any) => ({ n: context.n }) : undefined,
    autoForward: child.forward,
    onDone: child.done && move(child.done),
    onError: child.error && move(child.error),
  }));
  return config;
}

function logic(child: Invoked, world: World, kid: any): any {
  switch (child.logic) {
    case "kid":
      return kid;
    case "job":
      return (_context: any, _event: any, { data }: any) => world.job(child.id, data);
    case "callback":
      return (_context: any, _event: any, { data }: any) => (send: any, receive: any) => {
        world.trace.push(`call ${JSON.stringify(data)}`);
        if (data?.n % 3 === 0) send({ type: "PONG" });
        receive((event: any) => {
          world.trace.push(`called ${event.type}`);
          if (event.type === "PING") send({ type: "PONG" });
        });
        return () => void world.trace.push("hung up");
      };
    default:
      return (_context: any, _event: any, { data }: any) => world.stream(child.id, data);
  }
}

function guard(one: Guard): any {
  return one.kind === "even" && one.named ? "even" : even;
}

function actions(list: Action[], world: World, kid: any): any[] {
  return list.map((one): any => {
    switch (one.kind) {
      case "inc":
        return assign({ n: (context: any) => context.n + 1 });
      case "note":
        return assign((_context: any, event: any) => ({ last: event.type }));
      case "trace":
        return one.named ? "trace" : trace(world);
      case "log":
      case "emit":
      case "adopt":
      case "drop":
        return log((context: any) => `n=${context.n}`);
      case "raise":
        return raise({ type: one.event });
      case "self":
        return send({ type: one.event });
      case "later":
        return send({ type: one.event }, { delay: one.named ? `d${one.delay}` : one.delay, id: one.id });
      case "cancel":
        return cancel(one.id);
      case "spawn":
        return assign((context: any) => context.kid ? {} : { kid: spawn(kid, { name: "kid" }) });
      case "tell":
        if (one.to) return send({ type: one.event }, { to: one.to, delay: one.delay });
        return pure((context: any) =>
          context.kid ? sendTo(() => context.kid, { type: one.event }, { delay: one.delay }) : undefined
        );
      case "forward":
        if (one.to) return forwardTo(one.to);
        return pure((context: any) => context.kid ? forwardTo(() => context.kid) : undefined);
      case "stop":
        return pure((context: any) =>
          context.kid ? [stop(() => context.kid), assign({ kid: undefined })] : []
        );
      case "batch":
        if (one.guard.kind === "in") return pure(() => actions(one.actions, world, kid));
        return choose([{ cond: guard(one.guard), actions: actions(one.actions, world, kid) }]);
    }
  });
}

export class Native4 {
  readonly #service: any;
  #failed = false;

  constructor(machine: any, world: World) {
    this.#service = interpret(machine, { clock: world.clock, logger: world.log });
    this.attempt(() => this.#service.start());
  }

  send(event: { type: string }): void {
    this.#service.send(event);
  }

  /** XState 4 throws at whoever sends. */
  attempt(act: () => void): void {
    try {
      act();
    } catch {
      this.#failed = true;
    }
  }

  failed(): boolean {
    return this.#failed;
  }

  state(): any {
    const { value, context, done, historyValue, tags } = this.#service.getSnapshot();
    const alive = done ? [] : [...this.#service.children.keys()].sort();
    return {
      value,
      context,
      status: done ? "done" : "active",
      history: historyValue,
      tags: [...tags].sort(),
      alive,
    };
  }
}
