/**
 * The differential test: random charts, random events, the library itself on one side and our host on the other.
 *
 * Usage: main.ts <v5|v4|v4-predictable> <first seed> <how many> <events each>
 * Prints one line of JSON; a mismatch is reported with its seed and ends the run with status 1.
 */

// deno-lint-ignore-file no-explicit-any
import { EVENTS, randomChart } from "./chart.ts";
import { Failure, Hosted } from "./hosted.ts";
import { machine4, Native4 } from "./native4.ts";
import { machine5, Native5 } from "./native5.ts";
import { Random } from "./random.ts";
import { quiet, World } from "./world.ts";

const variant = Deno.args[0];
const [first, count, length] = Deno.args.slice(1).map(Number);
const dialect = variant === "v5" ? "v5" : "v4";
const totals = { steps: 0, restores: 0, aborts: 0, failed: 0, jobs: 0 };

// A machine that throws throws on both sides; the library tells the whole process of it.
addEventListener("error", (event) => event.preventDefault());
addEventListener("unhandledrejection", (event) => event.preventDefault());

for (let seed = first; seed < first + count; seed++) {
  try {
    await run(seed);
  } catch (error) {
    console.log(JSON.stringify({ seed, error: String((error as Error).stack ?? error) }));
    Deno.exit(1);
  }
}
console.log(JSON.stringify(totals));

async function run(seed: number): Promise<void> {
  const random = new Random(seed);
  const chart = randomChart(random, dialect === "v5");
  const [theirs, ours] = [new World(), new World()];
  const hosted = new Hosted(dialect, machine(chart, ours), ours, random);
  try {
    hosted.start();
  } catch (error) {
    if (error instanceof Failure) return void totals.failed++;
    throw error;
  }
  const native: any = dialect === "v5"
    ? new Native5(machine(chart, theirs), theirs)
    : new Native4(machine(chart, theirs), theirs);
  compare("start");
  for (let i = 0; i < length && native.state().status === "active"; i++) {
    const what = await turn();
    if (what === undefined) return void totals.failed++;
    compare(what);
    totals.steps++;
  }
  totals.restores += hosted.restores;
  totals.aborts += hosted.aborts;

  async function turn(): Promise<string | undefined> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof Failure) return undefined; // the library has no way back either
      throw error;
    }
  }

  async function act(): Promise<string> {
    const roll = random.next();
    if (roll < 0.2 && theirs.jobs.length > 0) {
      const index = random.below(theirs.jobs.length);
      const fine = random.chance(0.6);
      for (const world of [ours, theirs]) {
        const [job] = world.jobs.splice(index, 1);
        if (fine) job.resolve(1);
        else job.reject(new Error("no"));
        await quiet();
        if (world === ours) hosted.heard();
      }
      totals.jobs++;
      return `job ${index} ${fine}`;
    }
    if (roll < 0.35) {
      const until = theirs.now + random.pick([5, 10, 30]);
      for (const world of [ours, theirs]) {
        for (let alarm = world.next(until); alarm; alarm = world.next(until)) alarm.ring();
        world.now = until;
      }
      return `wait until ${until}`;
    }
    if (roll < 0.5 && hosted.settled) hosted.restore();
    const events = Array.from({ length: random.chance(0.2) ? 2 : 1 }, () => ({ type: random.pick(EVENTS) }));
    // What a step sends to itself comes before the second event for the library: only single ones are comparable.
    for (const event of events) hosted.send(event);
    for (const event of events) native.send(event);
    return `events ${events.map((event) => event.type)}`;
  }

  function compare(what: string): void {
    same(what, "state", native.state(), hosted.state());
    same(what, "trace", theirs.trace, ours.trace);
    same(what, "jobs", theirs.jobs.length, ours.jobs.length);
  }
}

function machine(chart: any, world: World): any {
  if (dialect === "v5") return machine5(chart, world, 200);
  return machine4(chart, world, variant === "v4-predictable");
}

function same(when: string, what: string, native: unknown, hosted: unknown): void {
  const [a, b] = [canonical(native), canonical(hosted)];
  if (a !== b && Array.isArray(native) && Array.isArray(hosted)) {
    const at = native.findIndex((entry, i) => entry !== hosted[i]);
    const from = Math.max(0, (at < 0 ? native.length : at) - 2);
    const [left, right] = [native.slice(from), hosted.slice(from)];
    throw new Error(`after ${when}, ${what} differs from ${from} on\nnative ${left}\nhosted ${right}`);
  }
  if (a !== b) throw new Error(`after ${when}, ${what} differs\nnative ${a}\nhosted ${b}`);
}

/** JSON with sorted keys, and actor references by their id whatever the dialect writes. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner) => {
    if (inner && typeof inner.send === "function" && "id" in inner) return `ref:${inner.id}`;
    if (!inner || typeof inner !== "object" || Array.isArray(inner)) return inner;
    const onlyId = Object.keys(inner).join() === "id" && typeof inner.id === "string";
    if (inner.xstate$$type === 1 || onlyId) return `ref:${inner.id}`;
    return Object.fromEntries(Object.keys(inner).sort().map((key) => [key, inner[key]]));
  });
}
