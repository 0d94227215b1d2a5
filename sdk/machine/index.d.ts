import type { ActorLogic, ActorRef, AnyEventObject, EventObject, Snapshot } from "xstate";

/** What a persistent child shows of itself in the machine that has it: where it is, not how it does. */
export type PersistentSnapshot<TInput = unknown, TOutput = unknown> = Snapshot<TOutput> & {
  readonly input: TInput;
  readonly machine: string;
  readonly instance: string;
  readonly version: string | undefined;
};

export interface Persistent<TInput = unknown> {
  /** The child's machine. Names are 1 to 128 letters, digits, `-` or `_`. */
  machine: string;
  /** The child's name, or how its input makes one; a new UUID for each child if left out. */
  instance?: string | ((input: TInput) => string);
  /** A version (`ver_…`); the machine's current one if left out. */
  version?: string;
}

/** Actor logic of a child that is an instance of its own: for `invoke`, `spawnChild` and `spawn`. */
export function persistent<
  // deno-lint-ignore no-explicit-any
  TInput extends Record<string, unknown> | undefined = any,
  TEvent extends EventObject = AnyEventObject,
  // deno-lint-ignore no-explicit-any
  TOutput = any,
>(of: Persistent<TInput>): ActorLogic<PersistentSnapshot<TInput, TOutput>, TEvent, TInput>;

/** A target of `sendTo`: any instance of the same organisation. Plain JSON; keep it in the context if you like. */
export function instance<TEvent extends EventObject = AnyEventObject>(
  machine: string,
  name: string,
): ActorRef<Snapshot<unknown>, TEvent>;
