/** What a machine under test acts on: a trace of its effects, jobs that wait for a verdict, a clock that is told. */

export interface Job {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

interface Alarm {
  id: number;
  due: number;
  ring(): void;
}

export class World {
  readonly trace: string[] = [];
  readonly jobs: Job[] = [];
  #alarms: Alarm[] = [];
  #count = 0;
  now = 0;

  act(what: string, context: { n: number }, event: { type: string }): void {
    this.trace.push(`${what} n=${context.n} on ${event.type}`);
  }

  readonly log = (...args: unknown[]): void => {
    this.trace.push(`log ${args.join(" ")}`);
  };

  job = (): Promise<unknown> => {
    this.trace.push("job");
    return new Promise((resolve, reject) => this.jobs.push({ resolve, reject }));
  };

  readonly clock = {
    setTimeout: (ring: () => void, ms: number): number => {
      this.#alarms.push({ id: ++this.#count, due: this.now + ms, ring });
      return this.#count;
    },
    clearTimeout: (id: unknown): void => {
      this.#alarms = this.#alarms.filter((alarm) => alarm.id !== id);
    },
  };

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

/** Let every promise that is settled be heard. */
export async function quiet(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
