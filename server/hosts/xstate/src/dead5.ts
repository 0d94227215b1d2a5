/** Stand-ins for XState 5 children that an earlier process ran: they can be named, sent to and stopped, in vain. */

import type { ChildRow } from "./types.ts";
import { v5 } from "./vendored.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

const STOPPED = 2;

const deadLogic = {
  transition: (snapshot: unknown) => snapshot,
  getInitialSnapshot: () => ({ status: "stopped", output: undefined, error: undefined, context: undefined }),
  getPersistedSnapshot: (snapshot: unknown) => snapshot,
  restoreSnapshot: (snapshot: unknown) => snapshot,
};

/** A child of `parent` that is no more. One that was active still holds its system id, as it did then. */
export function deadActor(parent: Any, id: string, row: ChildRow): Any {
  const actor: Any = new (v5 as Any).Actor(deadLogic, { id, parent, src: row.src });
  actor._processingStatus = STOPPED;
  actor.systemId = row.systemId;
  if (row.active && row.systemId !== undefined) parent.system._set(row.systemId, actor);
  return actor;
}

/** Put actor references back into a stored context, in place. */
export function reviveRefs(value: Any, root: Any, children: Record<string, Any>): Any {
  if (!value || typeof value !== "object") return value;
  if (value.xstate$$type === 1 && typeof value.id === "string") {
    if (value.id === root.id) return root;
    return children[value.id] ?? deadActor(root, value.id, { active: false });
  }
  for (const key of Object.keys(value)) {
    const inner = value[key];
    if (inner && typeof inner === "object") value[key] = reviveRefs(inner, root, children);
  }
  return value;
}
