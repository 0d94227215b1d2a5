/**
 * Sorting what an XState 5 transition recorded: timers and messages are data for the ledger, the rest are
 * effects that wait for the commit.
 */

import { type Mail, PARENT, referred } from "./mail.ts";
import { isRemote5, parent5, remoteOf } from "./remote5.ts";
import { type TimerBook } from "./timers.ts";
import { type Remote } from "./types.ts";
import { durable } from "./values.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

export type Step =
  | { kind: "exec"; action: Any }
  | { kind: "defer"; run: () => void };

/** Where a step stands: the machine's own actor, its children before and after, and who takes what leaves it. */
export interface Scene {
  root: Any;
  before: Record<string, Any>;
  after: Record<string, Any>;
  book: TimerBook;
  mail: Mail;
  /** Persistent children that the step has stopped so far. */
  stopped?: Set<Any>;
}

/** Take out of the recording what is no effect. It must be whole: a `sendTo` learns its target late. */
export function settle5(steps: Step[], scene: Scene): void {
  let kept = 0;
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i];
    if (step.kind === "exec" && leaves(step.action, scene)) continue;
    steps[kept++] = step;
  }
  steps.length = kept;
}

/** Actors that a step stops when it runs. */
export function stoppedBy(steps: Step[]): Set<Any> {
  const stopped = new Set<Any>();
  for (const step of steps) {
    if (step.kind === "exec" && step.action.type === "xstate.stopChild") stopped.add(step.action.params);
  }
  return stopped;
}

function leaves(action: Any, scene: Scene): boolean {
  const { type, params } = action;
  const { book, root } = scene;
  switch (type) {
    case "xstate.cancel":
      book.cancel(params.sendId);
      return true;
    case "xstate.spawnChild":
      return isRemote5(params.actorRef);
    case "xstate.stopChild":
      if (!isRemote5(params)) return false;
      (scene.stopped ??= new Set()).add(params);
      params.start = () => params; // it may have been spawned in this very step
      return true;
    case "xstate.raise":
      if (typeof params.delay !== "number") return false;
      book.set(params.id, params.delay, durable(params.event), null);
      return true;
    case "xstate.sendTo":
      break;
    default:
      return false;
  }
  const { to, id, delay, event } = params;
  if (to === parent5) {
    if (typeof delay === "number") book.set(id, delay, scene.mail.text(event), PARENT);
    else scene.mail.toParent(event);
    return true;
  }
  const other = reached(to, scene);
  if (other) {
    if (typeof delay === "number") book.setRemote(id, delay, scene.mail.text(event), other);
    else scene.mail.send(other, event);
    return true;
  }
  // An actor of another machine of this system can only be reached from this process.
  if (typeof delay !== "number" || (to !== root && to?._parent !== root)) return false;
  if (isRemote5(to)) {
    params.delay = undefined; // no use to wait for a child that is gone: the log says so after the commit
    return false;
  }
  if (to === root) book.set(id, delay, durable(event), null);
  else book.set(id, delay, durable(event), to.id, to);
  return true;
}

/** The other instance that `to` is. A child that was stopped, or never began, is reached no more, as in XState. */
function reached(to: Any, { before, after, stopped }: Scene): Remote | undefined {
  const own = to?.id !== undefined && (before[to.id] === to || after[to.id] === to);
  return own ? (stopped?.has(to) ? undefined : remoteOf(to)) : referred(to);
}
