/**
 * XState 4, gated: a real `Interpreter` that is never started, whose `send` leads to the owner's inbox.
 *
 * With `predictableActionArguments` the machine hands each action to a recorder while it computes; without
 * it the actions are read off the next state. Running a turn does what `Interpreter.send` would have done,
 * in the same order. `spawn` inside `assign` yields a reference that comes to life when the turn runs.
 */

import { lenientJson } from "./json.ts";
import { heard, scoped, statusOf } from "./library4.ts";
import { Mail, noRemotes, PARENT } from "./mail.ts";
import { recordSpawns } from "./remote4.ts";
import { isRef4, markChild, Ref4, reviveRefs4 } from "./ref4.ts";
import { type Draft, type Effect, type Recorded, sort4, without } from "./sort4.ts";
import { noAims, noTimers, TimerBook } from "./timers.ts";
import {
  type AnyEvent,
  type ChildRow,
  type Gate,
  type Head,
  type Owner,
  type Remote,
  type Stored,
  type Turn,
  type ViewParts,
} from "./types.ts";
import { freshContext } from "./values.ts";
import { v4interpreter, v4registry, v4utils } from "./vendored.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

const RUNNING = 1;
const STOPPED = 2;
const NOTHING = { timers: noTimers, aims: noAims, lost: [], remotes: noRemotes };
const scxml = (v4utils as Any).toSCXMLEvent as (event: Any, extra?: Any) => Any;

/** What a turn answers: `event` is null for the start, and a turn that is `still` does not ask the machine. */
interface Cause {
  event: Any;
  revision: number;
  fired?: string;
  text?: string;
  still?: boolean;
}

interface Record4 {
  effects: Effect[];
  event: Any;
  /** Whether actions see the state they lead to, or the one before. */
  stateFirst: boolean;
}

/** What a step goes out from. */
type Base = Pick<Head, "timers" | "aims" | "lost" | "remotes">;

export class Gate4 implements Gate {
  readonly #machine: Any;
  readonly #owner: Owner;
  readonly #service: Any;
  readonly #predictable: boolean;
  #recorded: Recorded[] | null = null;

  /** A copy of XState too old to know `predictableActionArguments` ignores it, and so must this. */
  constructor(machine: Any, owner: Owner, old = false) {
    this.#machine = machine;
    this.#owner = owner;
    this.#predictable = !old && !!machine.config.predictableActionArguments;
    machine._init();
    const service: Any = new (v4interpreter as Any).Interpreter(machine, {
      logger: (...args: unknown[]) => owner.log(...args),
      devTools: false,
    });
    this.#service = service;
    service.initialized = true;
    service.status = RUNNING;
    service.scheduler.initialize();
    (v4registry as Any).registry.register(service.sessionId, service);
    service.send = (event: Any, payload: Any) => this.#received(event, payload);
    service.defer = () => {};
    service.cancel = () => {};
    const spawn = service.spawn.bind(service);
    service.spawn = (entity: Any, name: string, options: Any) => {
      if (!this.#recorded) return spawn(entity, name, options);
      const ref = new Ref4(entity, name, () => spawn(entity, name, options));
      this.#recorded.push({ spawn: ref, options });
      return ref;
    };
  }

  begin(context: Record<string, unknown> | undefined, revision: number): Turn {
    const machine = this.#machine;
    const whole = freshContext(machine.context, context);
    return this.#compute(NOTHING, { event: null, revision }, () => {
      return machine.getInitialState(machine.initialStateValue, whole);
    });
  }

  next(head: Head, event: Any, revision: number, fired?: string): Turn {
    const state = head.state as Any;
    const scxmlEvent = scxml(event);
    if (heard(state, scxmlEvent.name)) {
      const cause = { event: scxmlEvent, revision, fired };
      return this.#compute(head, cause, () => this.#transition(state, scxmlEvent));
    }
    // XState 4 drops it before it reaches the machine; whoever reads the log should see it all the same.
    const turn = this.#compute(head, { event: scxmlEvent, revision, still: true }, () => state);
    const run = () => this.#owner.fault(`unhandled ${scxmlEvent.name}`, scxmlEvent.data.data);
    (turn.record as Record4).effects.push({ what: scxmlEvent.name, run });
    return { ...turn, effects: 1 };
  }

  forward(head: Head, child: string, event: AnyEvent, fired: string): Turn | undefined {
    if (child === PARENT) {
      const cause = { event: scxml(event), revision: 0, fired, still: true };
      return this.#compute(head, cause, () => head.state, (mail) => mail.toParent(event));
    }
    const ref = this.#service.children.get(child);
    if (!ref || head.lost.includes(child)) return undefined;
    const aim = head.aims[fired];
    if (aim !== undefined && aim !== ref && (aim as Ref4).actor !== ref) return undefined;
    const turn = this.#compute(
      head,
      { event: scxml(event), revision: 0, fired, still: true },
      () => head.state,
    );
    (turn.record as Record4).effects.push({
      what: `sending ${event.type} to '${child}'`,
      run: () => this.#service.sendTo(scxml(event), child, true),
    });
    return { ...turn, effects: 1 };
  }

  lose(head: Head, child: string, revision: number): Turn | undefined {
    if (!head.lost.includes(child)) return undefined;
    const state = head.state as Any;
    const without = { ...head, lost: head.lost.filter((id) => id !== child) };
    if (state.activities[child] === false) return undefined;
    const error = new Error(`the service '${child}' was lost: the process that ran it went away`);
    error.name = "ServiceLost";
    const event = scxml({ type: `error.platform.${child}`, data: error }, { origin: child });
    const text = JSON.stringify({ type: event.name, data: { name: error.name, message: error.message } });
    const still = !heard(state, event.name);
    const transition = () => still ? state : this.#transition(state, event);
    return this.#compute(without, { event, revision, text, still }, transition);
  }

  end(head: Head, child: string, failed: boolean, payload: string | null, revision: number): Turn {
    const type = failed ? `error.platform.${child}` : `done.invoke.${child}`;
    const event = { type, data: payload === null ? undefined : JSON.parse(payload) };
    // XState 4 knows a child that has ended no more.
    const known = { ...head, remotes: without(head.remotes, child) };
    return { ...this.next(known, event, revision), eventText: JSON.stringify(event) };
  }

  run(turn: Turn): void {
    const { effects, event, stateFirst } = turn.record as Record4;
    const service = this.#service;
    const state = turn.state as Any;
    if (stateFirst) service._state = state;
    for (const effect of effects) this.#guarded(effect);
    // Children inherit the option, so it is off only while nothing can be spawned.
    service.options.execute = false;
    this.#guarded({ what: "an update", run: () => service.update(state, event ?? state._event) });
    service.options.execute = true;
    for (const child of service.children.values()) markChild(child);
  }

  undo(_turn: Turn): void {}

  restore(stored: Stored): Head {
    const rows = stored.children ?? {};
    const lost = Object.keys(rows).filter((id) => rows[id].active);
    const remotes: Record<string, Remote> = {};
    for (const id of Object.keys(rows)) if (rows[id].remote) remotes[id] = rows[id].remote;
    const context = reviveRefs4(stored.context);
    const activities: Record<string, boolean> = {};
    for (const id of lost) activities[id] = true;
    const init = scxml({ type: "xstate.init" });
    const state = this.#machine.resolveState({
      value: stored.value,
      context,
      _event: init,
      _sessionid: this.#service.sessionId,
      historyValue: stored.history,
      activities,
      children: {},
      actions: [],
      events: [],
      configuration: [],
      transitions: [],
      tags: [],
    });
    // Its own order of keys is the order in which XState 4 asks the regions.
    state.value = stored.value;
    this.#service._state = state;
    if (state.done) this.#service.status = STOPPED;
    return {
      state,
      value: state.value,
      context,
      status: statusOf(state),
      lost,
      timers: stored.timers ?? noTimers,
      aims: noAims,
      remotes,
    };
  }

  stopChildren(): string[] {
    const stopped = [...this.#service.children.keys()] as string[];
    for (const id of stopped) {
      this.#guarded({
        what: `stopping '${id}'`,
        run: () => this.#service.stopChild(id),
      });
    }
    return stopped;
  }

  get busy(): boolean {
    return this.#service.children.size > 0;
  }

  dispose(): void {
    this.stopChildren();
    (v4registry as Any).registry.free(this.#service.sessionId);
  }

  isRef(value: object): boolean {
    return isRef4(value);
  }

  extraJson(turn: Turn): string {
    const history = (turn.state as Any).historyValue;
    return history ? `,"history":${JSON.stringify(history)}` : "";
  }

  outputJson(turn: Turn): string | undefined {
    const state = turn.state as Any;
    const last = (state.configuration as Any[]).find((node) =>
      node.type === "final" && node.parent === this.#machine
    );
    const event = (turn.record as Record4).event ?? state._event;
    const output = last?.doneData && (v4utils as Any).mapContext(last.doneData, state.context, event);
    return lenientJson(output, this.#owner.limits.contextBytes);
  }

  view(turn: Turn): ViewParts {
    const state = turn.state as Any;
    const nodes = (state.configuration as Any[]).filter((n) => n.parent).sort((a, b) => a.order - b.order);
    return {
      states: nodes.map((n) => n.path.join(".")),
      tags: [...((state.tags ?? []) as Set<string>)].sort(),
    };
  }

  #transition(state: Any, event: Any): Any {
    const record = this.#predictable
      ? (action: Any, context: Any, at: Any) => void this.#recorded!.push([action, context, at])
      : undefined;
    return this.#machine.transition(state, event, undefined, record);
  }

  #compute(head: Base, cause: Cause, transition: () => Any, write?: (mail: Mail) => void): Turn {
    const { event, revision, fired, still = false } = cause;
    const recorded: Recorded[] = [];
    const book = new TimerBook(head.timers, head.aims, revision);
    if (fired !== undefined) book.fire(fired, false);
    const mail = new Mail(this.#owner.limits);
    write?.(mail);
    this.#recorded = recorded;
    recordSpawns(recorded);
    let state: Any;
    try {
      state = scoped(this.#service, transition);
    } finally {
      this.#recorded = null;
      recordSpawns(null);
    }
    const initial = event === null;
    if (!still && (initial || !this.#predictable)) {
      for (const action of state.actions) recorded.push([action, state.context, state._event]);
    }
    const running = new Set<string>(this.#service.children.keys());
    const effects: Effect[] = [];
    if (!initial && !still && this.#service.forwardTo.size > 0) {
      effects.push({ what: "forwarding", run: () => this.#service.forward(event) });
    }
    const draft: Draft = {
      service: this.#service,
      predictable: this.#predictable,
      state,
      running,
      remotes: head.remotes,
      book,
      mail,
      effects,
    };
    for (const entry of recorded) sort4(entry, draft);
    if (state.done) {
      book.cancelAll();
      running.clear();
      draft.remotes = noRemotes;
    }
    // One that was begun anew under the same id is not lost.
    const lost = head.lost.filter((id) => state.activities[id] !== false && !running.has(id));
    return {
      state,
      value: state.value,
      context: state.context,
      status: statusOf(state),
      lost: state.done ? [] : lost,
      timers: book.timers,
      aims: book.aims,
      timerOps: book.ops,
      eventText: cause.text ?? null,
      effects: effects.length,
      remotes: draft.remotes,
      messages: mail.messages,
      children: this.#children(draft, lost),
      record: { effects, event, stateFirst: initial || !this.#predictable } satisfies Record4,
    };
  }

  #children({ running, remotes, state }: Draft, lost: readonly string[]): Record<string, ChildRow> {
    const rows: Record<string, ChildRow> = {};
    for (const id in remotes) rows[id] = { active: false, remote: remotes[id] };
    for (const id of running) rows[id] = { active: true };
    for (const id of lost) rows[id] = { active: true };
    // XState 4 forgets a child before it tells of its end: until that is heard, the child counts as running.
    for (const { name, origin } of this.#owner.unheard as Any[]) {
      const ended = name === `done.invoke.${origin}` || name === `error.platform.${origin}`;
      if (ended && state.activities[origin] !== false) rows[origin] = { active: true };
    }
    return rows;
  }

  #received(event: Any, payload?: Any): Any {
    const take = (one: Any) => {
      const whole = scxml((v4utils as Any).toEventObject(one, payload));
      if (this.#service.status === RUNNING) this.#owner.deliver(whole);
    };
    if (Array.isArray(event)) event.forEach(take);
    else take(event);
    return this.#service._state;
  }

  #guarded(effect: Effect): void {
    try {
      effect.run();
    } catch (error) {
      this.#owner.fault(effect.what, error);
      if (effect.starts === undefined) return;
      const type = `error.platform.${effect.starts}`;
      this.#service.send(scxml({ type, data: error }, { origin: effect.starts }));
    }
  }
}
