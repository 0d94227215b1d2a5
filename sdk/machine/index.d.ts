import type { ActorRef, AnyActorLogic, AnyEventObject, EventObject, InputFrom, Snapshot } from "xstate";

export interface Persistent<TInput> {
  /** The child's machine. Names are 1 to 128 letters, digits, `-` or `_`. */
  machine: string;
  /** The child's name, or how its input makes one; a new UUID for each child if left out. */
  instance?: string | ((input: TInput) => string);
  /** A version (`ver_…`); the machine's current one if left out. */
  version?: string;
}

/**
 * Actor logic of a child that is an instance of its own: for `invoke`, `spawnChild` and `spawn`.
 *
 * Typed as the child's machine, `persistent<typeof shipment>(…)`, its events, input and output are checked. On the
 * server, though, the child's snapshot does not tell how it does, only where it is (`machine`, `instance`).
 */
export function persistent<TLogic extends AnyActorLogic = AnyActorLogic>(
  of: Persistent<InputFrom<TLogic>>,
): TLogic;

/** A target of `sendTo`: any instance of the same organisation. Plain JSON; keep it in the context if you like. */
export function instance<TEvent extends EventObject = AnyEventObject>(
  machine: string,
  name: string,
): ActorRef<Snapshot<unknown>, TEvent>;
