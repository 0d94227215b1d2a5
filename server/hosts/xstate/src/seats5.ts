/**
 * System ids of XState 5, made transactional: what a turn takes or gives up can be put back.
 *
 * XState stops a child while it computes, so that a new one can take its system id at once. Here the stop waits
 * for the commit and the id alone is given up early.
 */

// deno-lint-ignore no-explicit-any
type Any = any;

export interface Moves {
  taken: Any[];
  vacated: [actor: Any, systemId: string][];
}

export class Seats {
  readonly #system: Any;
  #moves: Moves | null = null;

  constructor(system: Any) {
    this.#system = system;
    const take = system._set;
    system._set = (systemId: string, actor: Any) => {
      take(systemId, actor);
      this.#moves?.taken.push(actor);
    };
  }

  /** Keep account of every move until `rest`. */
  watch(): Moves {
    this.#moves = { taken: [], vacated: [] };
    return this.#moves;
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
    this.#moves?.vacated.push([actor, systemId]);
    this.#system._unregister(actor);
    this.#system._register(actor.sessionId, actor);
  }

  takeBack(moves: Moves): void {
    this.#moves = null;
    for (const actor of moves.taken) this.#system._unregister(actor);
    for (const [actor, systemId] of moves.vacated) this.#system._set(systemId, actor);
    moves.taken.length = moves.vacated.length = 0;
  }
}
