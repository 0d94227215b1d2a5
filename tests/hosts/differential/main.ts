/**
 * The differential test: random charts, random events, the library itself on one side and our host on the other.
 *
 * Usage: main.ts <v5|v4-old|v4-kept|v4-predictable> <first seed> <how many> <events each>
 * Prints one line of JSON; a mismatch is reported with its seed and ends the run with status 1.
 */

// deno-lint-ignore-file no-explicit-any
import { EVENTS } from "./chart.ts";
import { randomChart } from "./grow.ts";
import { Failure, Hosted } from "./hosted.ts";
import { machine4, Native4, type Order } from "./native4.ts";
import { machine5, Native5 } from "./native5.ts";
import { Random } from "./random.ts";
import { quiet, World } from "./world.ts";

const variant = Deno.args[0];
const order = variant.slice(3) as Order;
const [first, count, length] = Deno.args.slice(1).map(Number);
const dialect = variant === "v5" ? "v5" : "v4";
const totals = { steps: 0, restores: 0, aborts: 0, failed: 0, jobs: 0, losses: 0 };

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
  const chart = randomChart(random, dialect);
  const restless = random.chance(0.3);
  const [theirs, ours] = [new World(), new World()];
  const hosted = new Hosted(dialect, machine(chart, ours), ours, random);
  const begun = attempt(() => hosted.start());
  if (begun) return void totals.failed++;
  const native: any = dialect === "v5"
    ? new Native5(machine(chart, theirs), theirs)
    : new Native4(machine(chart, theirs), theirs);
  if (native.failed()) return void totals.failed++; // XState gives system ids up late while it starts
  compare("start");
  for (let i = 0; i < length && native.state().status === "active"; i++) {
    const [what, failure] = await turn();
    if (failure) {
      if (failure.threw && !native.failed()) {
        throw new Error(`${what}: the host alone failed: ${failure.message}`);
      }
      return void totals.failed++;
    }
    // What XState 4 throws at the sender once it has acted, the host can but log.
    if (dialect === "v4" && (native.failed() || ours.trace.some((line) => line.startsWith("fault ")))) {
      return void totals.failed++;
    }
    // A failed service nobody handles ends an XState 5 machine there; one that is lost must not end it here.
    if (what === "losses" && native.failed()) return void totals.failed++;
    compare(what);
    totals.steps++;
  }
  totals.aborts += hosted.aborts;

  async function turn(): Promise<[string, Failure | undefined]> {
    const roll = random.next();
    if (roll < 0.3 && theirs.jobs.length + theirs.listeners.length > 0) return await serve();
    if (roll < 0.4) {
      const until = theirs.now + random.pick([5, 10, 30]);
      return both(`wait until ${until}`, (world) => {
        for (let alarm = world.next(until); alarm; alarm = world.next(until)) alarm.ring();
        world.now = until;
      });
    }
    if (restless || roll < 0.5) {
      const lost = await restore();
      if (lost) return lost;
    }
    const count = random.chance(0.3) ? 2 + random.below(2) : 1;
    const events = Array.from({ length: count }, () => ({ type: random.pick(EVENTS) }));
    const together = random.chance(0.5);
    return both(`events ${events.map((event) => event.type)}`, (world) => {
      if (world === theirs) { for (const event of events) native.send(event); }
      else if (together) hosted.sendAll(events);
      else for (const event of events) hosted.send(event);
    });
  }

  /** Take the machine to another process, where that is no loss or one that the library can be made to feel. */
  async function restore(): Promise<[string, Failure | undefined] | undefined> {
    const alive: string[] = hosted.state().alive;
    const services = [...theirs.jobs, ...theirs.listeners].filter(({ id }) => alive.includes(id));
    if (
      !hosted.settled && (alive.length === 0 || new Set(services.map(({ id }) => id)).size < alive.length)
    ) return;
    hosted.restore();
    totals.restores++;
    // What is left are those of children that were stopped, or that XState lost sight of when it crossed regions.
    ours.jobs.length = theirs.jobs.length = ours.listeners.length = 0;
    theirs.listeners.splice(0, Infinity, ...theirs.listeners.filter((one) => services.includes(one)));
    if (hosted.settled) return;
    for (const id of hosted.lost()) {
      const error = new Error(`the service '${id}' was lost: the process that ran it went away`);
      const failure = attempt(() => hosted.lose(id));
      if (failure && !failure.threw) return [`loss of ${id}`, failure];
      for (const service of services.filter((one) => one.id === id)) {
        if ("reject" in service) service.reject(error);
        else native.attempt(() => service.error(error));
      }
      await quiet();
      if (failure) return [`loss of ${id}`, failure];
    }
    totals.losses++;
    return [`losses`, undefined];
  }

  /** Let a job end, or a stream have news. */
  async function serve(): Promise<[string, Failure | undefined]> {
    const index = random.below(theirs.jobs.length + theirs.listeners.length);
    const roll = random.next();
    const at = index - theirs.jobs.length;
    let failure: Failure | undefined;
    for (const world of [ours, theirs]) {
      if (failure && !failure.threw) break;
      if (at < 0) {
        const [job] = world.jobs.splice(index, 1);
        if (roll < 0.6) job.resolve(1);
        else job.reject(new Error("no"));
      } else if (roll < 0.6) native.attempt(() => world.listeners[at].next({ type: "TICK" }));
      else {
        const listener = world.listeners[at];
        if (roll < 0.8) native.attempt(() => listener.complete());
        else {
          try {
            listener.error(new Error("no"));
          } catch { /* XState 4 throws at the stream what nobody handles */ }
        }
      }
      await quiet();
      if (world === ours) failure = attempt(() => hosted.heard());
    }
    totals.jobs++;
    return [`service ${index} ${roll < 0.6}`, failure];
  }

  /** Ours first: where it goes round in circles, the library would for ever. */
  function both(what: string, act: (world: World) => void): [string, Failure | undefined] {
    const failure = attempt(() => act(ours));
    if (!failure || failure.threw) native.attempt(() => act(theirs));
    return [what, failure];
  }

  function compare(what: string): void {
    const [a, b] = [native.state(), hosted.state()];
    if (b.nodes === undefined) delete a.nodes;
    if (a.status !== "active") a.alive = b.alive; // nobody waits for them any more
    same(what, "state", a, b);
    same(what, "trace", theirs.trace, ours.trace);
    same(what, "jobs", theirs.jobs.length, ours.jobs.length);
    same(what, "streams", theirs.listeners.length, ours.listeners.length);
    if (a.status === "active") same(what, "timers", theirs.dues, ours.dues);
  }
}

function attempt(act: () => void): Failure | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

function machine(chart: any, world: World): any {
  return dialect === "v5" ? machine5(chart, world, 200) : machine4(chart, world, order);
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
