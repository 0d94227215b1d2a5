/** The chart as an XState 5 machine, and as the library itself runs it. */

// deno-lint-ignore-file no-explicit-any
import * as x from "xstate5";
import type { Action, Move, Node } from "./chart.ts";
import type { World } from "./world.ts";

const kid = x.createMachine({
  id: "kid",
  initial: "up",
  states: { up: { on: { PING: { actions: x.sendParent({ type: "PONG" }) } } } },
});

export function machine5(chart: Node, world: World, maxIterations: number): any {
  return x.createMachine(
    { ...node(chart, world), id: chart.id, context: { n: 0 }, options: { maxIterations } } as any,
  );
}

function node(one: Node, world: World): any {
  if (one.type === "history") return { id: one.id, type: "history", history: one.deep ? "deep" : "shallow" };
  const config: any = { id: one.id, entry: acts(one.entry, world), exit: acts(one.exit, world) };
  if (one.tag) config.tags = [one.tag];
  if (one.type === "parallel" || one.type === "final") config.type = one.type;
  if (one.states.length) {
    config.states = Object.fromEntries(one.states.map((inner) => [inner.id, node(inner, world)]));
  }
  if (one.type === "compound") config.initial = one.states[0].id;
  config.on = Object.fromEntries(
    Object.entries(one.on).map(([event, list]) => [event, list.map((m) => move(m, world))]),
  );
  if (one.always.length) config.always = one.always.map((m) => move(m, world));
  config.after = Object.fromEntries(Object.entries(one.after).map(([ms, m]) => [ms, move(m, world)]));
  if (one.done) config.onDone = move(one.done, world);
  if (one.invoke) {
    config.invoke = {
      id: one.invoke.id,
      src: x.fromPromise(world.job),
      onDone: move(one.invoke.done, world),
      onError: move(one.invoke.error, world),
    };
  }
  return config;
}

function move(one: Move, world: World): any {
  const config: any = { actions: acts(one.actions, world) };
  if (one.target) config.target = `#${one.target}`;
  if (one.reenter) config.reenter = true;
  if (one.even) config.guard = ({ context }: any) => context.n % 2 === 0;
  return config;
}

function acts(list: Action[], world: World): any[] {
  return list.map((one): any => {
    switch (one.kind) {
      case "inc":
        return x.assign({ n: ({ context }: any) => context.n + 1 });
      case "trace":
        return ({ context, event }: any) => world.act("trace", context, event);
      case "log":
        return x.log(({ context }: any) => `n=${context.n}`);
      case "raise":
        return x.raise({ type: one.event });
      case "self":
        return x.sendTo(({ self }: any) => self, { type: one.event });
      case "later":
        return x.raise({ type: one.event }, { delay: one.delay, id: one.id });
      case "cancel":
        return x.cancel(one.id);
      case "spawn":
        return x.assign(({ context, spawn }: any) =>
          context.kid ? {} : { kid: spawn(kid as any, { id: "kid" }) }
        );
      case "ping":
        return x.enqueueActions(({ context, enqueue }: any) => {
          if (context.kid) enqueue.sendTo(context.kid, { type: "PING" });
        });
      case "stop":
        return x.enqueueActions(({ context, enqueue }: any) => {
          if (!context.kid) return;
          enqueue.stopChild(context.kid);
          enqueue.assign({ kid: undefined });
        });
    }
  });
}

export class Native5 {
  readonly #actor: any;

  constructor(machine: any, world: World) {
    this.#actor = x.createActor(machine, { clock: world.clock as any, logger: world.log });
    this.#actor.subscribe({ error() {} });
    this.#actor.start();
  }

  send(event: { type: string }): void {
    this.#actor.send(event);
  }

  state(): any {
    const { value, context, status, historyValue } = this.#actor.getSnapshot();
    const history = Object.entries(historyValue ?? {}).map((
      [id, nodes]: any,
    ) => [id, nodes.map((n: any) => n.id)]);
    return { value, context, status, history: Object.fromEntries(history) };
  }
}
