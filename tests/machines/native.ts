/**
 * A script played on XState itself: no server, no gate, a clock that is told.
 *
 * Reads one job a line, {"source": …, "script": [["begin", context], ["send", event], ["advance", ms]]}, and answers
 * each with the states the actor went through: [[value, tags, public, status], …].
 */

// deno-lint-ignore-file no-explicit-any
import { Loader } from "../../server/hosts/xstate/src/load.ts";
import { v4, v5 } from "../../server/hosts/xstate/src/vendored.ts";

type Act = ["begin", Record<string, unknown> | null] | ["send", { type: string }] | ["advance", number];
type Seen = [value: unknown, tags: string[], open: unknown, status: string];

const loader = new Loader();
await loader.warm();

/** Timers by due time, and those of the same time in the order they were set. */
class Clock {
  #now = 0;
  #count = 0;
  readonly #timers = new Map<number, { due: number; ring: () => void }>();

  setTimeout = (ring: () => void, ms: number): number => {
    this.#timers.set(++this.#count, { due: this.#now + Math.max(0, Math.ceil(ms)), ring });
    return this.#count;
  };
  clearTimeout = (id: any): void => void this.#timers.delete(id);

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.due <= end);
      if (due.length === 0) break;
      const [id, timer] = due.sort(([a, x], [b, y]) => x.due - y.due || a - b)[0];
      this.#now = timer.due;
      this.#timers.delete(id);
      timer.ring();
      await rest();
    }
    this.#now = end;
  }
}

/** A turn of the event loop: every promise that can be kept has been. */
const rest = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

async function play(source: string, script: Act[]): Promise<Seen[]> {
  const { machine, dialect } = await loader.load(source, true);
  const clock = new Clock();
  const seen: Seen[] = [];
  const actor = dialect === "v5" ? begin5(machine, clock, script[0][1], seen) : begin4(machine, clock, script[0][1], seen);
  await rest();
  for (const act of script.slice(1)) {
    if (act[0] === "send") actor.send(act[1]);
    else await clock.advance(act[1] as number);
    await rest();
  }
  return seen;
}

function begin5(machine: any, clock: Clock, given: any, seen: Seen[]): { send(event: any): void } {
  if (given && typeof machine.config.context !== "function") {
    machine.config = { ...machine.config, context: { ...machine.config.context, ...given } };
  }
  const actor: any = (v5 as any).createActor(machine, { clock, input: given ?? undefined, logger: () => {} });
  const note = (s: any) => seen.push([s.value, [...s.tags].sort(), s.context?.public ?? null, s.status]);
  actor.subscribe({ next: note, error: () => {} });
  actor.start();
  // Observers hear of the first state only when it is the last.
  if (actor.getSnapshot().status === "active" && seen.length === 0) note(actor.getSnapshot());
  return actor;
}

function begin4(machine: any, clock: Clock, given: any, seen: Seen[]): { send(event: any): void } {
  const whole = given ? machine.withContext({ ...machine.context, ...given }) : machine;
  const service: any = (v4 as any).interpret(whole, { clock, logger: () => {} });
  service.onTransition((s: any) => {
    seen.push([s.value, [...s.tags].sort(), s.context?.public ?? null, s.done ? "done" : "active"]);
  });
  service.start();
  return service;
}

console.log = console.info = () => {};
let unread = "";
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (unread + chunk).split("\n");
  unread = lines.pop()!;
  for (const line of lines) {
    const { source, script } = JSON.parse(line);
    const answer = await play(source, script).catch((error) => ({ error: String(error.stack ?? error) }));
    await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(answer)}\n`));
  }
}
