/** The same machine as our host runs it, driven as the engine does: steps, commits, timers, inbox, restores. */

// deno-lint-ignore-file no-explicit-any
import { Host } from "../../../server/hosts/xstate/src/host.ts";
import type { Limits } from "../../../server/hosts/xstate/src/types.ts";
import { World } from "./world.ts";
import type { Random } from "./random.ts";

const LIMITS: Limits = {
  contextBytes: 400_000,
  maxIterations: 200,
  authoriserMs: 1000,
  logBytes: 1000,
  logLines: 1000,
  indexValues: 100,
  indexValueBytes: 1000,
  messages: 100,
  heldChars: 1_000_000,
};
const UID = 7;

/** The host refused a step. Where the machine threw, the library must have failed as well. */
export class Failure extends Error {
  get threw(): boolean {
    return this.message.startsWith("MACHINE_THREW");
  }
}

export class Hosted {
  #host!: Host;
  #replies = new Map<number, any>();
  #id = 0;
  #inbox = false;
  #revision = 0;
  #stored = "";
  #tags: string[] = [];
  #cold = false;
  #alarms = new Map<string, number>();
  settled = true;
  /** Failures of services that nobody handled. */
  unheard = 0;
  restores = 0;
  aborts = 0;

  constructor(
    readonly dialect: "v4" | "v5",
    readonly machine: any,
    readonly world: World,
    readonly random: Random,
  ) {
    this.#fresh();
  }

  start(): void {
    const begin = () => this.#call("start", "i", null, null);
    if (this.random.chance(0.2)) {
      begin();
      this.#post("abort", 0);
      this.aborts++;
    }
    this.#keep([begin()]);
    this.#drain();
  }

  send(event: { type: string }): void {
    this.#step([[0, JSON.stringify(event), null]]);
    this.#drain();
  }

  /** A batch, as a full mailbox gives one: it is cut where a step has effects. */
  sendAll(events: { type: string }[]): void {
    this.#step(events.map((event) => [0, JSON.stringify(event), null]));
    this.#drain();
  }

  ring(id: string, text: string, target: string | null): void {
    this.#alarms.delete(id);
    this.#step([[1, id, text, target]]);
    this.#drain();
  }

  heard(): void {
    this.#drain();
  }

  /** Take the instance to another process, from what the ledger holds. */
  restore(): void {
    const traced = this.world.trace.length;
    this.#post("drop");
    this.world.trace.length = traced; // a process that is killed has no last words
    this.#fresh();
    this.#cold = true;
    this.restores++;
  }

  /** Report a child that was lost with the process it ran in. */
  lose(id: string): void {
    this.#step([[3, id]]);
    this.#drain();
  }

  /** The children that were lost: the machine hears of them before anything else. */
  lost(): string[] {
    const reply = this.#call("step", this.#revision, [], ["i", this.#stored]);
    this.#cold = false;
    return reply[0] === 2 ? reply[1] : [];
  }

  state(): any {
    const stored = JSON.parse(this.#stored);
    const ids = Object.entries(stored.history ?? {}).map((
      [id, nodes]: any,
    ) => [id, nodes.map?.((n: any) => n.id)]);
    const { value, context, status, children, output, nodes } = stored;
    const alive = Object.keys(children ?? {}).filter((id) => children[id].active).sort();
    const both = { value, context, status, tags: this.#tags, alive };
    if (this.dialect === "v4") return { ...both, history: stored.history };
    return { ...both, history: Object.fromEntries(ids), output, nodes };
  }

  #fresh(): void {
    const yes = () => true;
    const loaded = { dialect: this.dialect, machine: this.machine, allowRead: yes, allowWrite: yes };
    const tell = {
      inbox: () => void (this.#inbox = true),
      log: (_uid: number, level: string, text: string) => {
        // The library is silent where we report that nobody handled a service's failure.
        if (/^(the machine|unhandled error\.platform\S*) failed: (Error: )?(no|boom)$/.test(text)) {
          return void this.unheard++;
        }
        this.world.trace.push(level === "error" ? `fault ${text}` : `log ${text}`);
      },
      format: (args: unknown[]) => args.join(" "),
    };
    this.#host = new Host(loaded, LIMITS, [], tell, (frame) => this.#replies.set(frame[0] as number, frame));
  }

  #call(op: string, ...args: unknown[]): any {
    const id = ++this.#id;
    this.#host.serve([id, op, UID, ...args]);
    const reply = this.#replies.get(id);
    if (!reply || reply[1] !== 1) throw new Error(`no good reply: ${JSON.stringify(reply)}`);
    return reply[2];
  }

  #post(op: string, ...args: unknown[]): void {
    this.#host.serve([0, op, UID, ...args]);
  }

  #step(inputs: unknown[][]): void {
    let rest = inputs;
    while (rest.length > 0) {
      const traced = this.world.trace.length;
      const jobs = this.world.jobs.length;
      let reply = this.#try(rest);
      const failed = reply.find((outcome) => outcome[0] === 2);
      if (failed) throw new Failure(`${failed[1]}: ${failed[2]}`);
      const quiet = () => this.world.trace.length === traced && this.world.jobs.length === jobs;
      if (!quiet()) throw new Error(`an effect ran before its commit: ${this.world.trace.slice(traced)}`);
      if (this.random.chance(0.2)) {
        this.#post("abort", this.#revision);
        const again = this.#try(rest);
        if (!quiet()) throw new Error("an effect ran in an aborted step");
        if (JSON.stringify(again) !== JSON.stringify(reply)) {
          throw new Error(`an abort left a trace:\n${JSON.stringify(reply)}\n${JSON.stringify(again)}`);
        }
        reply = again;
        this.aborts++;
      }
      this.#keep(reply);
      rest = rest.slice(reply.length);
      // What a step sends to itself comes before the next event, as it does for the library.
      if (rest.length > 0) this.#drain();
    }
  }

  #try(inputs: unknown[][]): any[] {
    let reply = this.#call("step", this.#revision, inputs, this.#cold ? ["i", this.#stored] : null);
    if (reply[0] === 2) throw new Error(`lost children: ${reply[1]}`);
    if (reply[0] === 1) reply = this.#call("step", this.#revision, inputs, ["i", this.#stored]);
    this.#cold = false;
    return reply[1];
  }

  #keep(outcomes: any[]): void {
    for (const outcome of outcomes) {
      if (outcome[0] === 2) throw new Failure(`${outcome[1]}: ${outcome[2]}`);
      if (outcome[0] === 3) continue;
      if (outcome[0] !== 0) throw new Error(`unexpected outcome ${JSON.stringify(outcome)}`);
      this.#revision++;
      this.#stored = outcome[2];
      this.#tags = outcome[5];
      this.settled = outcome[8];
      for (const op of outcome[9]) this.#timer(op);
    }
    this.#call("commit", this.#revision);
  }

  #timer(op: any[]): void {
    const [id, delay, text, target] = op;
    const known = this.#alarms.get(id);
    if (known !== undefined) this.world.clock.clearTimeout(known);
    this.#alarms.delete(id);
    if (op.length === 1) return;
    if (this.#alarms.size > 30) throw new Failure("its timers multiply without end");
    this.#alarms.set(id, this.world.clock.setTimeout(() => this.ring(id, text, target), delay));
  }

  #drain(): void {
    for (let i = 0; this.#inbox; i++) {
      if (i > 60) throw new Failure("MACHINE_LOOPED: it talks to itself without end");
      this.#inbox = false;
      this.#step([[2]]);
    }
  }
}
