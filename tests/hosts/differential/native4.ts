/** The chart as an XState 4 machine, and as the library itself runs it. */

// deno-lint-ignore-file no-explicit-any
import * as x from "xstate4/es/index.js";
import type { Action, Move, Node } from "./chart.ts";
import type { World } from "./world.ts";

const { cancel, log, pure, raise, send, sendTo, stop } = (x as any).actions;
const { assign, createMachine, interpret, sendParent, spawn } = x as any;

const kid = createMachine({
  predictableActionArguments: true,
  id: "kid",
  initial: "up",
  states: { up: { on: { PING: { actions: sendParent({ type: "PONG" }) } } } },
});

export function machine4(chart: Node, world: World, predictable: boolean): any {
  const config = {
    ...node(chart, world),
    id: chart.id,
    context: { n: 0 },
    predictableActionArguments: predictable,
  };
  // Without it, XState 4 takes assigns out of their order: then a trace shows the last context only.
  return createMachine(config);
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
      src: () => world.job(),
      onDone: move(one.invoke.done, world),
      onError: move(one.invoke.error, world),
    };
  }
  return config;
}

function move(one: Move, world: World): any {
  const config: any = { actions: acts(one.actions, world) };
  if (one.target) config.target = `#${one.target}`;
  if (one.reenter) config.internal = false;
  if (one.even) config.cond = (context: any) => context.n % 2 === 0;
  return config;
}

function acts(list: Action[], world: World): any[] {
  return list.map((one): any => {
    switch (one.kind) {
      case "inc":
        return assign({ n: (context: any) => context.n + 1 });
      case "trace":
        return (context: any, event: any) => world.act("trace", context, event);
      case "log":
        return log((context: any) => `n=${context.n}`);
      case "raise":
        return raise({ type: one.event });
      case "self":
        return send({ type: one.event });
      case "later":
        return send({ type: one.event }, { delay: one.delay, id: one.id });
      case "cancel":
        return cancel(one.id);
      case "spawn":
        return assign((context: any) => context.kid ? {} : { kid: spawn(kid, { name: "kid" }) });
      case "ping":
        return pure((context: any) => context.kid ? sendTo(() => context.kid, { type: "PING" }) : undefined);
      case "stop":
        return pure((context: any) =>
          context.kid ? [stop(() => context.kid), assign({ kid: undefined })] : []
        );
    }
  });
}

export class Native4 {
  readonly #service: any;

  constructor(machine: any, world: World) {
    this.#service = interpret(machine, { clock: world.clock, logger: world.log });
    this.#service.start();
  }

  send(event: { type: string }): void {
    this.#service.send(event);
  }

  state(): any {
    const { value, context, done, historyValue } = this.#service.getSnapshot();
    return { value, context, status: done ? "done" : "active", history: historyValue };
  }
}
