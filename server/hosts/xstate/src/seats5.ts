/**
 * System ids of XState 5, made transactional: what a turn takes or gives up can be put back.
 *
 * XState stops a child while it computes, so that a new one can take its system id at once. Here the stop waits
 * for the commit and the id alone is given up early.
 */

// deno-lint-ignore no-explicit-any
type Any = any;

/** Who took a seat, or gave up which, in order. */
export type Moves = { actor: Any; gave?: string }[];

export class Seats {
  readonly #system: Any;
  #moves: Moves | null = null;

  constructor(system: Any) {
    this.#system = system;
    const take = system._set;
    system._set = (systemId: string, actor: Any) => {
      take(systemId, actor);
      this.#moves?.push({ actor });
    };
  }

  /** Keep account of every move until `rest`. */
  watch(): Moves {
    return this.#moves = [];
  }

  rest(): void {
    this.#moves = null;
  }

  /** Have an actor and its descendants give up their system ids. */
  vacate(actor: Any): void {
    const inner = actor._snapshot?.children;
    if (inner) { for (const child of Object.values(inner)) if (child) this.vacate(child); }
    const systemId = actor.systemId;
    if (typeof systemId !== "string" || this.#system.get(systemId) !== actor) return;
    this.#moves?.push({ actor, gave: systemId });
    this.#system._unregister(actor);
    this.#system._register(actor.sessionId, actor);
  }

  /** Last move first: within one turn a seat can go through several hands. */
  takeBack(moves: Moves): void {
    this.#moves = null;
    for (let move = moves.pop(); move; move = moves.pop()) {
      if (move.gave === undefined) this.#system._unregister(move.actor);
      else this.#system._set(move.gave, move.actor);
    }
  }
}
