/**
 * The operations of the wire: finds the instance, asks its authorisers, has its gate compute, answers.
 *
 * Everything is done at once, in the order it came, unless an authoriser promises an answer; then what
 * follows for that instance waits its turn.
 */

import { ask, type Verdict } from "./authorise.ts";
import { Gate4 } from "./gate4.ts";
import { Gate5, prepare5 } from "./gate5.ts";
import { eventOf, Instance, type Tell } from "./instance.ts";
import { eventJson } from "./json.ts";
import { type Loaded } from "./load.ts";
import { RESERVED } from "./mail.ts";
import { instanceOf } from "./output.ts";
import { Shelf } from "./shelf.ts";
import { reviveRefs4 } from "./ref4.ts";
import {
  type AnyEvent,
  type Head,
  type Limits,
  Refusal,
  type Selector,
  type Stored,
  type Turn,
} from "./types.ts";
import { clean, type Frame } from "./wire.ts";

const EVENT = 0;
const TIMER = 1;
const INBOX = 2;
const LOST = 3;
const END = 4;

const OUTCOMES = 0;
const NEED = 1;
const LOST_CHILDREN = 2;

const DENIED = 1;
const FAILED = 2;
const SKIPPED = [3];

type Outcome = unknown[];
type MaybePromise<T> = T | Promise<T>;
type Input = [number, ...unknown[]];
type EndInput = [
  number,
  child: string,
  machine: string,
  name: string,
  failed: boolean,
  payload: string | null,
];
type Resume = [name: string, snapshot: string] | null;

/** What an authoriser is asked about: a snapshot to read, an event on one, or a context to begin with. */
type Asked =
  | ["read", name: string, snapshot: string]
  | ["event", name: string, snapshot: string, event: string]
  | ["creation", name: string, context: string | null];

export class Host {
  readonly #instances: Shelf;

  constructor(
    readonly loaded: Loaded,
    readonly limits: Limits,
    readonly selectors: Selector[],
    readonly tell: Tell,
    readonly reply: (f: Frame) => void,
  ) {
    this.#instances = new Shelf(limits.heldChars);
    if (loaded.dialect === "v5") prepare5(loaded.machine, limits.maxIterations);
  }

  /** Serve one frame that names an instance: `[id, op, uid, ...]`. */
  serve(frame: Frame): void {
    const uid = frame[2] as number;
    const instance = this.#instances.get(uid);
    if (instance?.busy) {
      if (frame[0] !== 0) this.reply([0, "later", frame[0]]);
      instance.waiting.push(frame);
      return;
    }
    instanceOf.run(uid, () => {
      try {
        const result = this.#perform(frame);
        if (result instanceof Promise) this.#wait(uid, frame[0] as number, result);
        else if (result !== undefined) this.reply([frame[0], 1, result]);
      } catch (error) {
        this.reply([frame[0], 0, { reason: "HOST_BUG", message: clean(error) }]);
      }
    });
  }

  #wait(uid: number, id: number, result: Promise<unknown>): void {
    // The peer's deadline is for what keeps the processor busy; this has a limit of its own.
    this.reply([0, "later", id]);
    const instance = this.#instances.get(uid);
    if (instance) instance.busy = true;
    result.then(
      (value) => this.reply([id, 1, value]),
      (error) => this.reply([id, 0, { reason: "HOST_BUG", message: clean(error) }]),
    ).finally(() => {
      if (!instance) return;
      instance.busy = false;
      while (!instance.busy && instance.waiting.length > 0) this.serve(instance.waiting.shift()!);
    });
  }

  #perform(frame: Frame): unknown {
    const uid = frame[2] as number;
    switch (frame[1]) {
      case "step":
        return this.#step(uid, frame[3] as number, frame[4] as Input[], frame[5] as Resume);
      case "commit":
        this.#instances.get(uid)?.commit(frame[3] as number);
        return true;
      case "start":
        return this.#start(uid, frame[3] as string, frame[4] as string | null, frame[5] as string | null);
      case "read":
        return this.#read(uid, frame[3] as number, frame[4] as string, frame[5] as Resume);
      case "judge":
        return this.#judge(frame[3] as Asked, frame[4] as string);
      case "nudge":
        return true;
      case "abort":
        this.#abort(uid, frame[3] as number);
        return undefined;
      case "stop":
        this.#instances.get(uid)?.stopChildren();
        return undefined;
      case "drop":
        this.#drop(uid);
        return undefined;
      default:
        throw new Refusal("HOST_BUG", `unknown operation ${frame[1]}`);
    }
  }

  #start(uid: number, name: string, contextText: string | null, auth: string | null): MaybePromise<Outcome> {
    this.#drop(uid);
    let context: Record<string, unknown> | undefined;
    try {
      // Also what another machine has sent, which may be no JSON at all.
      if (contextText !== null) context = JSON.parse(contextText);
    } catch (error) {
      return failed(error);
    }
    const instance = this.#open(uid, name);
    const begin = () => this.#turn(instance, () => instance.gate.begin(context, 1), '{"type":"xstate.init"}');
    const outcome = auth === null ? begin() : this.#allowed(ofCreation(name, context), auth, begin);
    const kept = (one: Outcome) => {
      if (one[0] !== 0) this.#instances.drop(instance); // nobody will ever ask for it
      return one;
    };
    return outcome instanceof Promise ? outcome.then(kept) : kept(outcome);
  }

  #step(uid: number, revision: number, inputs: Input[], resume: Resume): MaybePromise<unknown> {
    let instance = this.#instances.get(uid);
    if (!instance || !instance.head && instance.topRevision === 0 || !instance.standOn(revision)) {
      if (instance) this.#drop(uid);
      if (resume === null) return [NEED];
      instance = this.#open(uid, resume[0]);
      instance.restore(revision, JSON.parse(resume[1]));
      this.#instances.weigh(instance, resume[1].length);
      const lost = instance.head!.lost;
      if (lost.length > 0 && inputs[0]?.[0] !== LOST) return [LOST_CHILDREN, lost];
    }
    this.#instances.touch(instance);
    if (inputs[0]?.[0] !== LOST) {
      const stopped = instance.takeUnreported();
      if (stopped.length > 0) return [LOST_CHILDREN, stopped];
    }
    return this.#take(instance, inputs, 0, []);
  }

  #take(instance: Instance, inputs: Input[], from: number, outcomes: Outcome[]): MaybePromise<unknown> {
    for (let i = from; i < inputs.length; i++) {
      const outcome = this.#input(instance, inputs[i]);
      if (outcome instanceof Promise) {
        return outcome.then((value) => {
          outcomes.push(value);
          return waits(value)
            ? this.#done(instance, outcomes)
            : this.#take(instance, inputs, i + 1, outcomes);
        });
      }
      outcomes.push(outcome);
      if (waits(outcome)) break;
    }
    return this.#done(instance, outcomes);
  }

  #done(instance: Instance, outcomes: Outcome[]): unknown {
    instance.announce();
    return [OUTCOMES, outcomes];
  }

  #input(instance: Instance, input: Input): MaybePromise<Outcome> {
    const head = instance.top!;
    const revision = instance.topRevision + 1;
    switch (input[0]) {
      case EVENT:
        return this.#event(instance, head, revision, input[1] as string, input[2] as string | null);
      case TIMER: {
        const [, id, text, target] = input as [number, string, string, string | null];
        if (head.status !== "active" || !pending(head, id)) return SKIPPED;
        return this.#turn(instance, () => {
          const event = eventOf(text);
          if (target === null) return instance.gate.next(head, event, revision, id);
          return instance.gate.forward(head, target, event, id);
        }, null);
      }
      case INBOX: {
        const event = instance.take() as AnyEvent | undefined;
        if (event === undefined || head.status !== "active") return SKIPPED;
        const plain = (event.$$type === "scxml" ? event.data : event) as AnyEvent;
        const text = eventJson(plain, this.limits.contextBytes);
        const outcome = this.#turn(
          instance,
          () => instance.gate.next(head, event, revision, undefined),
          text,
          event,
        );
        if (outcome[0] !== FAILED) return outcome;
        instance.fault(`the event ${clean(plain.type, 200)} of a service`, outcome[2]);
        return [...outcome, text];
      }
      case LOST:
        if (head.status !== "active") return SKIPPED;
        return this.#turn(instance, () => instance.gate.lose(head, input[1] as string, revision), null);
      case END: {
        const [, child, machine, name, failed, payload] = input as EndInput;
        const known = head.remotes[child];
        // Whoever left the state that invoked it, or has another child of that id now, is not told.
        const routed = known !== undefined && known.machine === machine && known.instance === name;
        if (head.status !== "active" || !routed) return SKIPPED;
        return this.#turn(instance, () => instance.gate.end(head, child, failed, payload, revision), null);
      }
      default:
        throw new Refusal("HOST_BUG", "unknown input");
    }
  }

  #event(
    i: Instance,
    head: Head,
    revision: number,
    text: string,
    auth: string | null,
  ): MaybePromise<Outcome> {
    let event: AnyEvent;
    try {
      event = auth === null ? eventOf(text) : callersEvent(text);
    } catch (error) {
      return failed(error);
    }
    const next = () => {
      if (head.status !== "active") return SKIPPED;
      const given = text.charCodeAt(0) === 34 ? JSON.stringify(event) : null;
      return this.#turn(i, () => i.gate.next(head, event, revision, undefined), given);
    };
    if (auth === null) return next();
    return this.#allowed(ofEvent(i.name, head, event), auth, next);
  }

  #allowed(question: Record<string, unknown>, auth: string, then: () => Outcome): MaybePromise<Outcome> {
    const verdict = ask("allowWrite", this.loaded, question, auth, this.limits.authoriserMs);
    if (verdict instanceof Promise) {
      return verdict.then((late) => late === undefined ? then() : [DENIED, late]);
    }
    return verdict === undefined ? then() : [DENIED, verdict];
  }

  #turn(instance: Instance, compute: () => Turn | undefined, text: string | null, taken?: unknown): Outcome {
    let turn: Turn | undefined;
    try {
      turn = compute();
      if (!turn) return SKIPPED;
      const outcome = instance.write(turn, text);
      instance.push(turn, taken);
      this.#instances.weigh(instance, (outcome[2] as string).length);
      return outcome;
    } catch (error) {
      if (turn) instance.gate.undo(turn);
      return failed(error);
    }
  }

  #read(uid: number, revision: number, auth: string, resume: Resume): MaybePromise<boolean | null> {
    const instance = this.#instances.get(uid);
    let name = instance?.name;
    let seen: Seen | undefined = instance?.at(revision);
    if (resume !== null) {
      seen = seenIn(resume[1]);
      name = resume[0];
    }
    if (!seen) return null;
    const verdict = ask("allowRead", this.loaded, ofReading(name, seen), auth, this.limits.authoriserMs);
    const answer = (why: Verdict) => why === undefined;
    return verdict instanceof Promise ? verdict.then(answer) : answer(verdict);
  }

  /** Ask as somebody's call would, without the call: nothing is kept. null allows. */
  #judge(asked: Asked, auth: string): MaybePromise<Outcome | null> {
    const [kind, name, given] = asked;
    let question: Record<string, unknown>;
    try {
      if (kind === "read") question = ofReading(name, seenIn(given));
      else if (kind === "event") question = ofEvent(name, seenIn(given), callersEvent(asked[3]));
      else question = ofCreation(name, given === null ? undefined : JSON.parse(given));
    } catch (error) {
      return failed(error);
    }
    const who = kind === "read" ? "allowRead" : "allowWrite";
    const verdict = ask(who, this.loaded, question, auth, this.limits.authoriserMs);
    const answer = (why: Verdict) => why === undefined ? null : [DENIED, why];
    return verdict instanceof Promise ? verdict.then(answer) : answer(verdict);
  }

  #abort(uid: number, revision: number): void {
    const instance = this.#instances.get(uid);
    if (!instance) return;
    // The start itself, or a state this host has moved on from, cannot be taken back: forget it all.
    if (revision < instance.revision || revision === 0) this.#drop(uid);
    else instance.abort(revision);
  }

  #open(uid: number, name: string): Instance {
    const { dialect, machine, old } = this.loaded;
    const instance = new Instance(uid, name, this.limits, this.selectors, this.tell, (owner) => {
      return dialect === "v5" ? new Gate5(machine, owner) : new Gate4(machine, owner, old);
    });
    this.#instances.put(instance);
    return instance;
  }

  #drop(uid: number): void {
    const instance = this.#instances.get(uid);
    if (instance) this.#instances.drop(instance);
  }
}

interface Seen {
  readonly value: unknown;
  readonly context: unknown;
}

function seenIn(snapshot: string): Seen {
  const stored: Stored = JSON.parse(snapshot);
  return { value: stored.value, context: reviveRefs4(stored.context) };
}

// What the authorisers are asked, in State Backed's words.

function ofCreation(name: string, context: unknown): Record<string, unknown> {
  return { type: "initialization", machineInstanceName: name, context: context ?? {} };
}

function ofEvent(name: string, { value, context }: Seen, event: AnyEvent): Record<string, unknown> {
  return { type: "event", machineInstanceName: name, state: value, context, event };
}

function ofReading(name: string | undefined, { value, context }: Seen): Record<string, unknown> {
  return { machineInstanceName: name, state: value, context };
}

function callersEvent(text: string): AnyEvent {
  const event = eventOf(text);
  if (!RESERVED.test(event.type)) return event;
  throw new Refusal(
    "EVENT_RESERVED",
    `callers cannot send ${clean(event.type, 200)}: the name is XState's own`,
  );
}

function waits(outcome: Outcome): boolean {
  return outcome[0] === 0 && (outcome[10] as number) > 0;
}

function pending(head: Head, unique: string): boolean {
  for (const id in head.timers) if (head.timers[id].includes(unique)) return true;
  return false;
}

function failed(error: unknown): Outcome {
  if (error instanceof Refusal) return [FAILED, error.reason, clean(error.message)];
  const message = error instanceof Error ? `${error.message}` : String(error);
  const looped = message.startsWith("Infinite loop detected") ||
    (error instanceof RangeError && message.includes("call stack"));
  if (looped) {
    return [
      FAILED,
      "MACHINE_LOOPED",
      "the machine did not come to rest: its transitions go round in circles",
    ];
  }
  const name = error instanceof Error && error.name !== "Error" ? `${error.name}: ` : "";
  return [FAILED, "MACHINE_THREW", clean(`${name}${message}`)];
}
