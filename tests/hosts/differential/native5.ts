/** The chart as an XState 5 machine, and as the library itself runs it. */

// deno-lint-ignore-file no-explicit-any
import * as x from "xstate5";
import type { Action, Guard, Invoked, Move, Node } from "./chart.ts";
import type { World } from "./world.ts";

const even = ({ context }: any) => context.n % 2 === 0;
const later = (ms: number) => ({ context }: any) => ms + context.n % 2;

export function machine5(chart: Node, world: World, maxIterations: number): any {
  const kid = kid5(world);
  const set = x.setup({
    actors: { kid },
    guards: { even },
    actions: { trace: trace(world) },
    delays: { d10: later(10), d20: later(20), d50: later(50) },
  } as any);
  const output = chart.output ? ({ context, event }: any) => ({ n: context.n, by: event.type }) : undefined;
  return set.createMachine(
    {
      ...node(chart, world, kid),
      id: chart.id,
      context: { n: 0 },
      options: { maxIterations },
      output,
    } as any,
  );
}

/** A child machine that hears `PING`, `END` and `BOOM`. */
function kid5(world: World): any {
  const tell = (what: string) => () => void world.trace.push(what);
  return x.createMachine({
    id: "kid",
    context: ({ input }: any) => ({ given: input ?? null, n: 0 }),
    initial: "up",
    entry: tell("kid begins"),
    exit: tell("kid ends"),
    states: {
      up: {
        on: {
          PING: {
            actions: [x.assign({ n: ({ context }: any) => context.n + 1 }), x.sendParent({ type: "PONG" })],
          },
          ASK: { actions: x.sendTo(({ self }: any) => self, { type: "PING" }) },
          END: "end",
          BOOM: {
            actions: x.assign(() => {
              throw new Error("boom");
            }),
          },
        },
        exit: tell("kid not up"),
      },
      end: { type: "final" },
    },
    output: ({ context }: any) => context,
  } as any);
}

function trace(world: World): any {
  return ({ context, event }: any) => world.act("trace", context, event);
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
    if (one.reenter) config.reenter = true;
    if (one.guard) config.guard = guard(one.guard);
    return config;
  };
  const config: any = { id: one.id, entry: acts(one.entry), exit: acts(one.exit) };
  if (one.tag) config.tags = [one.tag];
  if (one.type === "parallel" || one.type === "final") config.type = one.type;
  if (one.type === "final" && one.output) config.output = ({ context }: any) => ({ n: context.n });
  if (one.states.length) {
    config.states = Object.fromEntries(one.states.map((inner) => [inner.id, node(inner, world, kid)]));
  }
  if (one.type === "compound") {
    const target = one.states[0].id;
    config.initial = one.initially ? { target, actions: acts(one.initially) } : target;
  }
  config.on = Object.fromEntries(
    Object.entries(one.on).map(([event, list]) => [event, list?.map(move)]),
  );
  if (one.always.length) config.always = one.always.map(move);
  config.after = Object.fromEntries(Object.entries(one.after).map(([ms, list]) => [ms, list.map(move)]));
  if (one.done) config.onDone = move(one.done);
  config.invoke = one.invoke.map((child) => ({
    id: child.id,
    src: logic(child, world, kid),
    systemId: child.systemId,
    input: child.input ? ({ context }: any) => ({ n: context.n }) : undefined,
    onDone: child.done && move(child.done),
    onError: child.error && move(child.error),
    onSnapshot: child.snapshot && move(child.snapshot),
  }));
  return config;
}

function logic(child: Invoked, world: World, kid: any): any {
  switch (child.logic) {
    case "job":
      return x.fromPromise(({ input }: any) => world.job(child.id, input));
    case "kid":
      return kid;
    case "stream":
      return x.fromObservable(({ input }: any) => world.stream(child.id, input) as any);
    case "events":
      return x.fromEventObservable(({ input }: any) => world.stream(child.id, input) as any);
    case "counter":
      return x.fromTransition((state: any) => ({ n: state.n + 1 }), { n: 0 });
    case "callback":
      return x.fromCallback(({ sendBack, receive, input }: any) => {
        world.trace.push(`call ${JSON.stringify(input)}`);
        if (input?.n % 3 === 0) sendBack({ type: "PONG" });
        receive((event: any) => {
          world.trace.push(`called ${event.type}`);
          if (event.type === "PING") sendBack({ type: "PONG" });
        });
        return () => void world.trace.push("hung up");
      });
  }
}

function guard(one: Guard): any {
  switch (one.kind) {
    case "even":
      return one.named ? "even" : even;
    case "in":
      return x.stateIn(`#${one.id}`);
    case "not":
      return x.not(guard(one.of));
    case "and":
      return x.and(one.of.map(guard));
    case "or":
      return x.or(one.of.map(guard));
  }
}

function actions(list: Action[], world: World, kid: any): any[] {
  return list.map((one): any => {
    switch (one.kind) {
      case "inc":
        return x.assign({ n: ({ context }: any) => context.n + 1 });
      case "note":
        return x.assign(({ event }: any) => ({ last: event.type }));
      case "trace":
        return one.named ? "trace" : trace(world);
      case "log":
        return x.log(({ context }: any) => `n=${context.n}`);
      case "emit":
        return x.emit({ type: "news" });
      case "raise":
        return x.raise({ type: one.event });
      case "self":
        return x.sendTo(({ self }: any) => self, { type: one.event });
      case "later":
        return x.raise({ type: one.event }, {
          delay: one.named ? `d${one.delay}` : one.delay,
          id: one.id,
        } as any);
      case "cancel":
        return x.cancel(one.id);
      case "spawn":
        return x.assign(({ context, spawn }: any) =>
          context.kid ? {} : { kid: spawn(kid, { id: "kid", input: { n: context.n } }) }
        );
      case "adopt":
        return x.enqueueActions(({ self, enqueue }: any) => {
          if (self.getSnapshot()?.children.pet) return;
          enqueue.spawnChild("kid", { id: "pet", systemId: "pet", syncSnapshot: true, input: {} });
        });
      case "drop":
        return x.stopChild("pet");
      case "tell":
        return toChild(one, (enqueue, to) => {
          enqueue.sendTo(to, { type: one.event }, { delay: one.delay });
        });
      case "forward":
        return toChild(one, (enqueue, to) => enqueue(x.forwardTo(to)));
      case "stop":
        return x.enqueueActions(({ context, enqueue }: any) => {
          if (!context.kid) return;
          enqueue.stopChild(context.kid);
          enqueue.assign({ kid: undefined });
        });
      case "batch":
        return x.enqueueActions(({ enqueue, check }: any) => {
          if (check(guard(one.guard))) {
            for (const action of actions(one.actions, world, kid)) enqueue(action);
          }
        });
    }
  });
}

/** XState 5 throws where nobody is sent to. */
function toChild(one: { to?: string; system?: boolean }, act: (enqueue: any, to: any) => void): any {
  return x.enqueueActions(({ context, system, self, enqueue }: any) => {
    if (one.system) {
      const known = system.get(`sys-${one.to}`);
      if (known) act(enqueue, known);
    } else if (one.to) {
      if (self.getSnapshot()?.children[one.to]) act(enqueue, one.to);
    } else if (context.kid) act(enqueue, context.kid);
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

  attempt(act: () => void): void {
    act();
  }

  failed(): boolean {
    return this.#actor.getSnapshot().status === "error";
  }

  state(): any {
    const { value, context, status, historyValue, tags, children, output, _nodes } = this.#actor
      .getSnapshot();
    const history = Object.entries(historyValue ?? {}).map((
      [id, nodes]: any,
    ) => [id, nodes.map((n: any) => n.id)]);
    const alive = Object.keys(children).filter((id) => children[id].getSnapshot().status === "active").sort();
    const nodes = _nodes.map((node: any) => node.id);
    return {
      value,
      context,
      status,
      history: Object.fromEntries(history),
      tags: [...tags].sort(),
      output,
      alive,
      nodes,
    };
  }
}
