/**
 * XState 5, gated: a real root actor whose processing is split into computing and running.
 *
 * The actor is built on a stub so that its constructor runs no user code, then given the machine. While a
 * transition is computed, the scope it is handed records instead of executing; delayed events become
 * timers. Running a turn does what `Actor._process` would have done, in the same order. Children are real
 * and ungated: their life is an effect of the root, and what they send it lands in the owner's inbox.
 */

import { deadActor, reviveRefs } from "./dead5.ts";
import { lenientJson } from "./json.ts";
import { Mail, noRemotes, PARENT } from "./mail.ts";
import { guardSystem, parent5, remotes5, restored5 } from "./remote5.ts";
import { type Moves, Seats } from "./seats5.ts";
import { settle5, type Step, stoppedBy } from "./settle5.ts";
import { children5, extraJson5, isRef5, lossText, putNodes5, view5 } from "./snapshot5.ts";
import { noAims, noTimers, TimerBook } from "./timers.ts";
import {
  type AnyEvent,
  type Gate,
  type Head,
  type Owner,
  Refusal,
  type Remote,
  type Remotes,
  type Stored,
  type Turn,
  type ViewParts,
} from "./types.ts";
import { freshContext } from "./values.ts";
import { v5 } from "./vendored.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

const RUNNING = 1;
const STOPPED = 2;
const NOTHING = { timers: noTimers, aims: noAims, lost: [], remotes: noRemotes, state: { children: {} } };
/** Built-in actions whose execution is an effect; the timers are dealt with apart. */
const EFFECTS = new Set([
  "xstate.sendTo",
  "xstate.spawnChild",
  "xstate.stopChild",
  "xstate.emit",
  "xstate.log",
]);

/** What a turn answers. `fired` is the timer that came due, `text` the event's JSON where it is not the caller's. */
interface Cause {
  event: Any;
  revision: number;
  fired?: string;
  text?: string;
  initial?: boolean;
}

/** What a step goes out from. */
type Base = Pick<Head, "timers" | "aims" | "lost" | "remotes" | "state">;

interface Record5 {
  steps: Step[];
  moves: Moves;
  event: Any;
  initial: boolean;
}

/** A machine prepared for gating, once per process. */
export function prepare5(machine: Any, maxIterations: number): void {
  const own = machine.options?.maxIterations;
  const limit = typeof own === "number" && own < maxIterations ? own : maxIterations;
  machine.options = { ...machine.options, maxIterations: limit };
}

export class Gate5 implements Gate {
  readonly #machine: Any;
  readonly #owner: Owner;
  readonly #actor: Any;
  /** What the scope does with an effect now: record it, or queue it behind the running turn. */
  #steps: Step[] | null = null;
  #deferred: (() => void)[] | null = null;
  readonly #seats: Seats;

  constructor(machine: Any, owner: Owner) {
    this.#machine = machine;
    this.#owner = owner;
    const shell = Object.create(machine, {
      getInitialSnapshot: { value: () => ({ status: "active", children: {} }) },
      restoreSnapshot: { value: (s: unknown) => s },
    });
    const logger = (...args: unknown[]) => owner.log(...args);
    const actor: Any = new (v5 as Any).Actor(shell, { id: owner.name, logger, devTools: false });
    this.#actor = actor;
    actor.logic = machine;
    actor.src = machine;
    actor._processingStatus = RUNNING;
    actor.system._register(actor.sessionId, actor);
    actor._send = (event: Any) => this.#received(event);
    // A root that is started or stopped by its own machine stays under the ledger's control.
    actor.start = actor.stop = actor._stop = () => actor;
    const scope = actor._actorScope;
    scope.actionExecutor = (action: Any) => this.#execute(action);
    scope.defer = (run: () => void) => this.#defer(run);
    actor._parent = parent5;
    guardSystem(actor, owner);
    this.#seats = new Seats(actor.system);
  }

  begin(context: Record<string, unknown> | undefined, revision: number): Turn {
    const machine = this.#machine;
    const config = machine.config;
    const whole = typeof config.context === "function"
      ? config.context
      : freshContext(config.context, context);
    machine.config = { ...config, context: whole };
    try {
      const event = { type: "xstate.init", input: context };
      return this.#compute(NOTHING, { event, revision, initial: true }, () => {
        const snapshot = machine.getInitialSnapshot(this.#actor._actorScope, context);
        // The only way to this status here is the catch around the machine's own code.
        if (snapshot.status === "error") throw snapshot.error;
        return snapshot;
      });
    } finally {
      machine.config = config;
    }
  }

  next(head: Head, event: Any, revision: number, fired?: string): Turn {
    return this.#compute(head, { event, revision, fired }, () => {
      return this.#machine.transition(head.state, event, this.#actor._actorScope);
    });
  }

  forward(head: Head, child: string, event: AnyEvent, fired: string): Turn | undefined {
    if (child === PARENT) {
      return this.#compute(head, { event, revision: 0, fired }, (mail) => {
        mail.toParent(event);
        return head.state;
      });
    }
    const ref = head.aims[fired] as Any;
    if (!ref || ref._processingStatus !== RUNNING) return undefined;
    return this.#compute(head, { event, revision: 0, fired }, () => {
      this.#defer(() => this.#actor.system._relay(this.#actor, ref, event));
      return head.state;
    });
  }

  lose(head: Head, child: string, revision: number): Turn | undefined {
    const state = head.state as Any;
    if (!head.lost.includes(child)) return undefined;
    const lost = head.lost.filter((id) => id !== child);
    const without = { ...head, lost };
    if (!(child in state.children)) return undefined;
    const error = new Error(`the service '${child}' was lost: the process that ran it went away`);
    error.name = "ServiceLost";
    const event = { type: `xstate.error.actor.${child}`, error, actorId: child };
    return this.#compute(without, { event, revision, text: lossText(event) }, () => {
      this.#seats.vacate(state.children[child]);
      if (this.#machine.getTransitionData(state, event).length > 0) {
        return this.#machine.transition(state, event, this.#actor._actorScope);
      }
      // Unhandled, it would end the machine; a service lost with its host must not.
      const { [child]: _gone, ...children } = state.children;
      return { ...state, children };
    });
  }

  end(head: Head, child: string, failed: boolean, payload: string | null, revision: number): Turn {
    const said = payload === null ? undefined : JSON.parse(payload);
    const type = `xstate.${failed ? "error" : "done"}.actor.${child}`;
    const event = { type, [failed ? "error" : "output"]: said, actorId: child };
    return this.#compute(head, { event, revision, text: JSON.stringify(event) }, () => {
      return this.#machine.transition(head.state, event, this.#actor._actorScope);
    });
  }

  run(turn: Turn): void {
    const { steps, event, initial } = turn.record as Record5;
    const actor = this.#actor;
    const deferred: (() => void)[] = [];
    this.#deferred = deferred;
    try {
      if (initial) this.#runInitial(turn.state, steps, deferred);
      for (let i = 0; i < steps.length && !initial; i++) {
        const step = steps[i];
        if (step.kind === "defer") deferred.push(step.run);
        else this.#exec(step.action);
      }
      // Actions of a transition see the state before it, what they deferred sees the one it led to.
      actor._snapshot = turn.state;
      for (let run = deferred.shift(); run; run = deferred.shift()) this.#guarded("a deferred effect", run);
    } finally {
      this.#deferred = null;
    }
    if (actor.observers.size > 0 || turn.status !== "active") this.#tell(turn, event);
  }

  undo(turn: Turn): void {
    this.#seats.takeBack((turn.record as Record5).moves);
  }

  restore(stored: Stored): Head {
    const actor = this.#actor;
    const rows = stored.children ?? {};
    const children: Record<string, Any> = {};
    const lost: string[] = [];
    const remotes: Record<string, Remote> = {};
    for (const id of Object.keys(rows)) {
      const row = rows[id];
      if (row.remote) remotes[id] = row.remote;
      children[id] = row.remote ? restored5(actor, id, row, this.#owner) : deadActor(actor, id, row);
      if (row.active) lost.push(id);
    }
    const state = this.#machine.restoreSnapshot(
      {
        status: stored.status ?? "active",
        output: stored.output,
        error: stored.error,
        value: stored.value,
        historyValue: stored.history ?? {},
        context: {},
        children: {},
      },
      actor._actorScope,
    );
    if (stored.nodes) putNodes5(state, stored.nodes, stored.value);
    state.context = reviveRefs(stored.context, actor, children);
    state.children = children;
    actor._snapshot = state;
    if (state.status !== "active") actor._processingStatus = STOPPED;
    return {
      state,
      value: state.value,
      context: state.context,
      status: state.status,
      lost,
      timers: stored.timers ?? noTimers,
      aims: noAims,
      remotes,
    };
  }

  get busy(): boolean {
    return this.#running().length > 0;
  }

  stopChildren(): string[] {
    const running = this.#running();
    for (const [id, child] of running) this.#guarded(`stopping '${id}'`, () => child._stop());
    return running.map(([id]) => id);
  }

  #running(): [string, Any][] {
    const children = Object.entries(this.#actor._snapshot.children as Record<string, Any>);
    return children.filter(([, child]) => child?._processingStatus === RUNNING);
  }

  dispose(): void {
    this.stopChildren();
  }

  isRef(value: object): boolean {
    return isRef5(value);
  }

  extraJson(turn: Turn): string {
    return extraJson5(turn.state, this.#owner.limits.contextBytes);
  }

  outputJson(turn: Turn): string | undefined {
    const { status, output, error } = turn.state as Any;
    return lenientJson(status === "error" ? error : output, this.#owner.limits.contextBytes);
  }

  view(turn: Turn): ViewParts {
    return view5(turn.state);
  }

  /** At the start the children are first, then everything in its order: what `Actor.start` does. */
  #runInitial(state: Any, steps: Step[], deferred: (() => void)[]): void {
    this.#actor._snapshot = state;
    if (state.status === "active") {
      for (const child of Object.values(state.children as Record<string, Any>)) {
        if (child?._snapshot.status !== "active") continue;
        this.#guarded(`starting '${child.id}'`, () => child.start());
      }
    }
    for (const step of steps) deferred.push(step.kind === "defer" ? step.run : () => this.#exec(step.action));
  }

  #exec(action: Any): void {
    this.#guarded(action.type, () => action.exec(action.info, action.params));
  }

  /** Compute a turn with everything recorded; undo it all when the machine throws. */
  #compute(head: Base, cause: Cause, transition: (mail: Mail) => Any): Turn {
    const { event, revision, fired, initial = false } = cause;
    const actor = this.#actor;
    const steps: Step[] = this.#steps = [];
    const moves = this.#seats.watch();
    const book = new TimerBook(head.timers, head.aims, revision);
    if (fired !== undefined) book.fire(fired, true);
    const mail = new Mail(this.#owner.limits);
    const { children: before } = head.state as Any;
    // Steps of one batch stand on each other before any is committed; `self.getSnapshot()` must too.
    const committed = actor._snapshot;
    actor._snapshot = head.state;
    let state: Any, remotes: Remotes;
    try {
      state = transition(mail);
      const after = state.children;
      remotes = remotes5(before, after, head.remotes, mail, this.#owner);
      settle5(steps, { root: actor, before, after, book, mail });
      if (state.status !== "active") book.cancelAll();
    } catch (error) {
      this.#seats.takeBack(moves);
      throw error;
    } finally {
      actor._snapshot = committed;
      this.#steps = null;
      this.#seats.rest();
    }
    // One that was begun anew under the same id is not lost.
    const lost = head.lost.filter((id) => state.children[id] === before[id]);
    return {
      state,
      value: state.value,
      context: state.context,
      status: state.status,
      lost,
      timers: book.timers,
      aims: book.aims,
      timerOps: book.ops,
      remotes,
      messages: mail.messages,
      eventText: cause.text ?? null,
      // A failed machine has its end to tell of, even where nothing else is left to do.
      effects: steps.length + (state.status === "error" ? 1 : 0),
      children: children5(state, lost, stoppedBy(steps), remotes, this.#owner),
      record: { steps, moves, event, initial } satisfies Record5,
    };
  }

  #execute(action: Any): void {
    const steps = this.#steps;
    if (!steps) return; // only a turn may act, and a turn that runs executes what it recorded
    const type: string = action.type;
    if (!type.startsWith("xstate.")) {
      if (action.exec) steps.push({ kind: "exec", action });
      return;
    }
    const params = action.params;
    if (type === "xstate.raise") {
      if (typeof params.delay === "number") steps.push({ kind: "exec", action });
      return;
    }
    if (type === "xstate.cancel") {
      steps.push({ kind: "exec", action });
      return;
    }
    if (!EFFECTS.has(type)) {
      throw new Refusal("UNKNOWN_EFFECT", `this server does not know the action ${type}`);
    }
    if (type === "xstate.stopChild") {
      if (!params) return;
      this.#seats.vacate(params);
      if (params._processingStatus === STOPPED) return;
    } else if (type === "xstate.spawnChild" && !params.actorRef) return;
    else if (type === "xstate.emit" && this.#actor.eventListeners.size === 0) return;
    steps.push({ kind: "exec", action });
  }

  #defer(run: () => void): void {
    if (this.#steps) this.#steps.push({ kind: "defer", run });
    else this.#deferred?.push(run);
  }

  #received(event: Any): void {
    if (this.#steps) this.#steps.push({ kind: "defer", run: () => this.#received(event) });
    else if (this.#actor._processingStatus === RUNNING) this.#owner.deliver(event);
  }

  /** Observers the machine's own code may have put on `self`, and the end of the machine. */
  #tell(turn: Turn, event: Any): void {
    if (turn.status === "error") {
      this.#actor._stopProcedure();
      this.#guarded("an observer", () => this.#actor._complete());
      this.#owner.fault("the machine", (turn.state as Any).error);
    } else this.#guarded("an observer", () => this.#actor.update(turn.state, event));
  }

  #guarded(what: string, run: () => unknown): void {
    try {
      run();
    } catch (error) {
      this.#owner.fault(what, error);
    }
  }
}
