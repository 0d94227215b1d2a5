/** Whether a machine can begin at all. XState finds out late what is wrong with one; its author hears at once. */

import { type Dialect } from "./vendored.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** Throw what XState would throw at the start of every instance: a target, or an initial state, that is not there. */
export function mustBegin(machine: Any, dialect: Dialect): void {
  if (dialect === "v5") {
    // What is built otherwise is of a copy of XState that `probe` judges.
    if (machine.root) enter(machine.root);
    return;
  }
  machine._init();
  void machine.initialStateValue;
}

/** Follow the initial states only: a state that is never entered may be wrong, as in XState. */
function enter(node: Any): void {
  const children = node.type === "parallel" ? Object.values(node.states) : node.initial?.target ?? [];
  for (const child of children) enter(child);
}
