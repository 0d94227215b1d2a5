/** What a machine under test acts on: a trace of its effects, jobs that wait for a verdict, a clock that is told. */

export interface Job {
  /** The child that does it. */
  readonly id: string;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** What a stream tells, to the child that listens. */
export interface Listener {
  readonly id: string;
  next(value: unknown): void;
  error(fault: unknown): void;
  complete(): void;
}

interface Told {
  next?(value: unknown): void;
  error?(fault: unknown): void;
  complete?(): void;
}

interface Alarm {
  id: number;
  due: number;
  ring(): void;
}

interface Event {
  type: string;
  [member: string]: unknown;
}

export class World {
  readonly trace: string[] = [];
  readonly jobs: Job[] = [];
  readonly listeners: Listener[] = [];
  #alarms: Alarm[] = [];
  #count = 0;
  now = 0;

  act(what: string, context: { n: number }, event: Event): void {
    this.trace.push(`${what} n=${context.n} on ${event.type}${payload(event)}`);
  }

  readonly log = (...args: unknown[]): void => {
    this.trace.push(`log ${args.join(" ")}`);
  };

  job = (id: string, given?: unknown): Promise<unknown> => {
    this.trace.push(`job ${JSON.stringify(given)}`);
    return new Promise((resolve, reject) => this.jobs.push({ id, resolve, reject }));
  };

  /** Something that can be observed, in the form both dialects take. */
  stream = (id: string, given?: unknown) => ({
    subscribe: (first: Told["next"] | Told, error?: Told["error"], complete?: Told["complete"]) => {
      this.trace.push(`listen ${JSON.stringify(given)}`);
      const told = typeof first === "function" ? { next: first, error, complete } : first ?? {};
      const here = () => this.listeners.includes(listener);
      const over = () => here() && this.listeners.splice(this.listeners.indexOf(listener), 1);
      const listener: Listener = {
        id,
        next: (value) => here() && told.next?.(value),
        error: (fault) => over() && told.error?.(fault),
        complete: () => over() && told.complete?.(),
      };
      this.listeners.push(listener);
      return { unsubscribe: over };
    },
  });

  readonly clock = {
    setTimeout: (ring: () => void, ms: number): number => {
      this.#alarms.push({ id: ++this.#count, due: this.now + ms, ring });
      return this.#count;
    },
    clearTimeout: (id: unknown): void => {
      this.#alarms = this.#alarms.filter((alarm) => alarm.id !== id);
    },
  };

  /** When the alarms that are set will ring. */
  get dues(): number[] {
    return this.#alarms.map((alarm) => alarm.due).sort((a, b) => a - b);
  }

  /** The next alarm that rings within `ms`, taken off the list. */
  next(until: number): Alarm | undefined {
    const due =
      this.#alarms.filter((alarm) => alarm.due <= until).sort((a, b) => a.due - b.due || a.id - b.id)[0];
    if (!due) return undefined;
    this.now = due.due;
    this.#alarms = this.#alarms.filter((alarm) => alarm !== due);
    return due;
  }
}

function payload(event: Event): string {
  const { output, data, error, snapshot } = event;
  const shown = [output, data, error].map((one) => one instanceof Error ? one.message : one);
  const context = (snapshot as { context?: unknown } | undefined)?.context;
  return [...shown, context].filter((one) => one !== undefined).map((one) => ` ${JSON.stringify(one)}`).join(
    "",
  );
}

/** Let every promise that is settled be heard. */
export async function quiet(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
