/**
 * Sorting what an XState 4 transition recorded: timers and messages are data for the ledger, the rest are
 * effects that wait for the commit.
 */

import { plain } from "./library4.ts";
import { type Mail, PARENT } from "./mail.ts";
import { Ref4 } from "./ref4.ts";
import { invoked, type Spawned4, target } from "./remote4.ts";
import { type TimerBook } from "./timers.ts";
import { Refusal, type Remotes } from "./types.ts";
import { durable } from "./values.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

const INTERNAL = "#_internal";

export interface Effect {
  what: string;
  run: () => void;
  /** The service this starts, told of its failure as a rejected one would be. */
  starts?: string;
}

/** An action as it was handed over: with the context and event it is to see. */
export type Recorded = [action: Any, context: Any, event: Any] | { spawn: Ref4; options: Any } | Spawned4;

/** A turn that is being put together of what was recorded: who runs here and who elsewhere, what is owed. */
export interface Draft {
  service: Any;
  predictable: boolean;
  state: Any;
  running: Set<string>;
  remotes: Remotes;
  book: TimerBook;
  mail: Mail;
  effects: Effect[];
}

/** Tell what a recorded action is: a timer, a message, an effect, or nothing at all. */
export function sort4(entry: Recorded, draft: Draft): void {
  const { book, effects, running } = draft;
  if (!Array.isArray(entry)) {
    if ("remote" in entry) return spawn(entry, draft);
    running.add(entry.spawn.id);
    effects.push({ what: `spawning '${entry.spawn.id}'`, run: () => entry.spawn.start() });
    return;
  }
  const [action, context, event] = entry;
  const type: string = action.type;
  const run = () => draft.service._exec(action, context, event);
  switch (type) {
    case "xstate.raise":
    case "xstate.send":
      sortSend(entry, draft, run);
      return;
    case "xstate.cancel":
      book.cancel(String(action.sendId));
      return;
    case "xstate.start":
      sortStart(entry, draft, run);
      return;
    case "xstate.stop": {
      const id = action.activity?.id;
      if (running.delete(id)) effects.push({ what: `stopping '${id}'`, run });
      else if (Object.hasOwn(draft.remotes, id)) draft.remotes = without(draft.remotes, id);
      return;
    }
    case "xstate.log":
      effects.push({ what: type, run });
      return;
  }
  if (action.exec || draft.service.machine.options.actions?.[type]) effects.push({ what: type, run });
  else if (type.startsWith("xstate.")) {
    throw new Refusal("UNKNOWN_EFFECT", `this server does not know the action ${type}`);
  }
}

function sortSend([action, ...seen]: [Any, Any, Any], draft: Draft, run: () => void): void {
  const { to, id, delay } = action;
  const { book, mail } = draft;
  const delayed = typeof delay === "number";
  const event = () => plain(action._event.data);
  if (to === PARENT) {
    if (delayed) book.set(id, delay, mail.text(event()), PARENT);
    else mail.toParent(event());
    return;
  }
  const remote = draft.running.has(to) ? undefined : target(to, draft.remotes);
  if (remote) {
    if (delayed) book.setRemote(id, delay, mail.text(event()), remote);
    else mail.send(remote, event());
  } else if (delayed) {
    // An id means whoever has it when the time has come, a reference that very actor.
    if (to === INTERNAL || to === undefined || to === null) book.set(id, delay, durable(event()), null);
    else if (typeof to === "string") book.set(id, delay, durable(event()), to);
    else book.set(id, delay, durable(event()), String(to.id), to);
  } else {
    const send = to instanceof Ref4 ? () => draft.service._exec({ ...action, to: to.actor }, ...seen) : run;
    draft.effects.push({ what: `sending ${action._event.name}`, run: send });
  }
}

function sortStart([action, context, event]: [Any, Any, Any], draft: Draft, run: () => void): void {
  const activity = action.activity;
  const id: string = activity.id || activity.type;
  if (!draft.predictable && !draft.state.activities[id]) return; // left again in the same step
  const spawned = invoked(activity, context, event);
  if (spawned) return spawn(spawned, draft);
  const { services, activities } = draft.service.machine.options;
  const known = activity.type === "xstate.invoke"
    ? services?.[typeof activity.src === "string" ? activity.src : activity.src.type]
    : activities?.[activity.type];
  if (!known || typeof known === "string") return;
  draft.running.add(id);
  if (Object.hasOwn(draft.remotes, id)) draft.remotes = without(draft.remotes, id);
  draft.effects.push({ what: `starting '${id}'`, run, starts: id });
}

function spawn({ id, remote, version, context }: Spawned4, draft: Draft): void {
  draft.mail.spawn(id, remote, version, context);
  draft.remotes = { ...draft.remotes, [id]: remote };
}

export function without(remotes: Remotes, id: string): Remotes {
  const { [id]: _gone, ...rest } = remotes;
  return rest;
}
