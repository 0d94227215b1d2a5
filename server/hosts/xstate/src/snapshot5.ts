/** What is written of an XState 5 snapshot, and what is shown of it. */

import { lenientJson } from "./json.ts";
import { type ChildRow, type Owner, type Remote, type Remotes, type ViewParts } from "./types.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** Whether a value in a context stands for an actor. */
export function isRef5(value: object): boolean {
  const ref = value as Any;
  return ref.ref === ref && typeof ref.send === "function" && typeof ref.sessionId === "string";
}

const STOPPED = 2;

/** The children of a state whose effects have not run yet, and which of them will be running once they have. */
export function children5(
  state: Any,
  lost: readonly string[],
  stopped: Set<Any>,
  remotes: Remotes,
  owner: Owner,
): Record<string, ChildRow> {
  const rows: Record<string, ChildRow> = {};
  for (const id in state.children) {
    const child = state.children[id];
    if (!child) continue; // invoked, but of no known logic
    const remote = remotes[id];
    const alive = !remote && child._processingStatus !== STOPPED && child._snapshot.status === "active" &&
      !stopped.has(child);
    // What it had to say at its end counts as running until the machine has heard it.
    const active = alive || lost.includes(id) ||
      (owner.unheard as Any[]).some(({ type }) =>
        type === `xstate.done.actor.${id}` || type === `xstate.error.actor.${id}`
      );
    const row: { active: boolean; src?: string; systemId?: string; remote?: Remote } = { active };
    if (remote) row.remote = remote;
    if (typeof child.src === "string") row.src = child.src;
    if (typeof child.systemId === "string") row.systemId = child.systemId;
    rows[id] = row;
  }
  return rows;
}

/** The members of a stored snapshot that only this dialect has, each with a leading comma. */
export function extraJson5(state: Any, limit: number): string {
  let text = "";
  const remembered = Object.entries(state.historyValue as Record<string, Any[]>);
  if (remembered.length > 0) {
    const ids = remembered.map(([id, nodes]) => [id, nodes.map((node) => ({ id: node.id }))]);
    text = `,"history":${JSON.stringify(Object.fromEntries(ids))}`;
  }
  const nodes = state._nodes as Any[];
  // With regions side by side, the order of the nodes is the order in which XState 5 asks them, and transitions
  // that cross them can leave the parent of a node out: the value alone does not tell.
  if (nodes.some((node) => node.type === "parallel" || node.parent && !nodes.includes(node.parent))) {
    text += `,"nodes":${JSON.stringify(nodes.map((node) => node.id))}`;
  }
  for (const member of ["output", "error"]) {
    if (state[member] !== undefined) text += `,"${member}":${lenientJson(state[member], limit) ?? "null"}`;
  }
  return text;
}

/** Put the nodes of a stored snapshot in force, as `extraJson5` wrote them. */
export function putNodes5(state: Any, ids: readonly string[], value: unknown): void {
  const nodes = ids.map((id) => state.machine.idMap.get(id));
  if (nodes.every(Boolean)) state._nodes = nodes;
  state.tags = new Set(state._nodes.flatMap((node: Any) => node.tags));
  state.value = value;
}

export function view5(state: Any): ViewParts {
  const nodes = (state._nodes as Any[]).filter((node) => node.parent).sort((a, b) => a.order - b.order);
  return { states: nodes.map((node) => node.path.join(".")), tags: [...state.tags as Set<string>].sort() };
}

/** The event that tells of a lost service, as the history shows it. */
export function lossText(event: { error: Error }): string {
  return JSON.stringify({ ...event, error: { name: event.error.name, message: event.error.message } });
}
