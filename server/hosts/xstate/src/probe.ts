/**
 * Whether a copy of XState that a module brought along can be gated.
 *
 * Old copies run actions at once, whatever executor they are given. So a tiny machine of the module's own
 * class is taken through a step: its entry must not run and its timer must be seen.
 */

import { Gate4 } from "./gate4.ts";
import { Gate5 } from "./gate5.ts";
import { type Gate, type Owner, Refusal, type Turn } from "./types.ts";
import { type Dialect, v4, v5 } from "./vendored.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/**
 * Raise MODULE_XSTATE_UNSUPPORTED unless machines of this machine's class keep still. Tell whether they are of
 * a version 4 that does not know `predictableActionArguments`.
 */
export function probe(machine: Any, dialect: Dialect): { old: boolean } {
  const own = dialect === "v5"
    ? machine instanceof (v5 as Any).StateMachine
    : machine instanceof (v4 as Any).StateNode;
  if (own || holds(machine.constructor, dialect, false)) return { old: false };
  if (dialect === "v4" && holds(machine.constructor, dialect, true)) return { old: true };
  throw new Refusal(
    "MODULE_XSTATE_UNSUPPORTED",
    "the module carries its own copy of xstate, of a version this server cannot hold: leave xstate out of the bundle",
  );
}

function holds(Machine: Any, dialect: Dialect, old: boolean): boolean {
  try {
    return keepsStill(Machine, dialect, old);
  } catch {
    return false; // an unknown shape is an answer too
  }
}

function keepsStill(Machine: Any, dialect: Dialect, old: boolean): boolean {
  const calls: unknown[] = [];
  const act = () => void calls.push(0);
  const ran = () => calls.length;
  const config = {
    id: "probe",
    context: { n: 1 },
    predictableActionArguments: true,
    initial: "a",
    states: {
      a: { entry: [act], after: { 1000: "b" }, on: { GO: { target: "b", actions: [act] } } },
      b: { entry: [act] },
    },
  };
  const probed = new Machine(config, {});
  const owner: Owner = {
    name: "probe",
    limits: {
      contextBytes: 1000,
      maxIterations: 100,
      authoriserMs: 0,
      logBytes: 0,
      logLines: 0,
      indexValues: 0,
      indexValueBytes: 0,
      messages: 0,
      heldChars: 0,
    },
    deliver() {},
    unheard: [],
    fault() {},
    log() {},
  };
  const gate: Gate = dialect === "v5" ? new Gate5(probed, owner) : new Gate4(probed, owner, old);
  const first: Turn = gate.begin(undefined, 1);
  if (ran() !== 0 || first.effects !== 1 || first.timerOps.length !== 1) return false;
  gate.run(first);
  if (ran() !== 1) return false;
  const second = gate.next(first, { type: "GO" }, 2, undefined);
  if (ran() !== 1 || second.effects !== 2 || second.timerOps.length !== 1) return false;
  gate.run(second);
  gate.dispose();
  return ran() === 3 && second.value === "b";
}
