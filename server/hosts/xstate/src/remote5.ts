/**
 * Other instances as children of an XState 5 machine: actors of `@stateward/machine` that never run here.
 *
 * They are real actors as far as XState can see, so `children`, `sendTo` by id and `systemId` work as ever.
 * What a step gained of them is read off the state it led to, so a step that is dropped spawns nothing.
 */

import { invalid, type Mail, noRemotes, referred, remote } from "./mail.ts";
import { type ChildRow, type Owner, Refusal, type Remote, type Remotes } from "./types.ts";
import { helper, v5 } from "./vendored.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

const PERSISTENT = "stateward.persistent";

/** Stands for whoever spawned the instance: `sendParent` needs somebody to name. */
export const parent5 = { id: "#_parent", _send() {} };

export function isRemote5(actor: Any): boolean {
  return actor?.logic?.type === PERSISTENT;
}

/** The instance that `actor` stands for, if it is persistent. */
export function remoteOf(actor: Any): Remote | undefined {
  return isRemote5(actor) ? whereIs(actor) : undefined;
}

function whereIs(child: Any): Remote {
  const { status, error, machine, instance } = child._snapshot;
  if (status === "error") throw error;
  return remote(machine, instance);
}

/** Record the persistent children that a step gained; all that there are after it. */
export function remotes5(before: Any, after: Any, known: Remotes, mail: Mail, owner: Owner): Remotes {
  if (after === before) return known;
  let remotes: Record<string, Remote> | undefined;
  for (const id in after) {
    const child = after[id];
    if (!isRemote5(child)) continue;
    const at = whereIs(child);
    if (before[id] !== child) {
      if (child._syncSnapshot) {
        throw new Refusal("UNKNOWN_EFFECT", `the persistent child '${id}' has no snapshots to tell of`);
      }
      keepStill(child, owner);
      mail.spawn(id, at, child._snapshot.version, child._snapshot.input);
    }
    (remotes ??= {})[id] = at;
  }
  return remotes ?? noRemotes;
}

/** A persistent child as an earlier process left it. */
export function restored5(parent: Any, id: string, row: ChildRow, owner: Owner): Any {
  const { systemId, src, remote } = row;
  const actor = new (v5 as Any).Actor((helper as Any).persistent(remote), { id, parent, src, systemId });
  keepStill(actor, owner);
  return actor;
}

/** Say no to what would reach another instance behind the ledger's back: to messages in the log, to children at once. */
export function guardSystem(root: Any, owner: Owner): void {
  const { system } = root;
  const relay = system._relay;
  const register = system._register;
  system._relay = (source: Any, target: Any, event: Any) => {
    if (target?.type !== "statebacked.instance") return relay(source, target, event);
    const to = referred(target)!;
    const named = `the instance '${to.instance}' of '${to.machine}'`;
    strayed(owner, event, named, "no action of the machine itself sent it");
  };
  // Every actor registers as it starts, and those of the root never do.
  system._register = (id: string, actor: Any) => {
    if (isRemote5(actor) && actor._parent !== root) {
      throw invalid(
        `only the machine itself can have a persistent child such as '${actor.id}', none of its children`,
      );
    }
    return register(id, actor);
  };
}

function keepStill(child: Any, owner: Owner): void {
  child.start = () => child;
  const why = "the child was stopped, or no action of the machine itself sent it";
  child._send = (event: Any) => strayed(owner, event, `the persistent child '${child.id}'`, why);
}

function strayed(owner: Owner, event: Any, to: string, why: string): void {
  owner.fault(`sending ${event.type} to ${to}`, new Error(why));
}
