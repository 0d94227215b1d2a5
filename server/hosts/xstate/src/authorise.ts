/** Asking the module's authorisers: at once when they answer at once, with a time limit when they promise. */

import { clean } from "./wire.ts";

const parse = JSON.parse;
const later = setTimeout;
const never = clearTimeout;

export interface Authorisers {
  allowRead: (question: unknown) => unknown;
  allowWrite: (question: unknown) => unknown;
}

/** undefined allows; a string says why not, and is empty when the machine simply said no. */
export type Verdict = string | undefined;

export function ask(
  name: "allowRead" | "allowWrite",
  authorisers: Authorisers,
  question: Record<string, unknown>,
  authText: string,
  limitMs: number,
): Verdict | Promise<Verdict> {
  try {
    question.authContext = parse(authText);
    const answer = authorisers[name](question);
    if (
      answer !== null && typeof answer === "object" &&
      typeof (answer as { then?: unknown }).then === "function"
    ) {
      return bounded(name, answer as PromiseLike<unknown>, limitMs);
    }
    return answer ? undefined : "";
  } catch (error) {
    return refused(name, error);
  }
}

function bounded(name: string, answer: PromiseLike<unknown>, limitMs: number): Promise<Verdict> {
  return new Promise((resolve) => {
    const timer = later(() => resolve(`${name} did not answer within ${limitMs} ms`), limitMs);
    const done = (verdict: Verdict) => {
      never(timer);
      resolve(verdict);
    };
    answer.then(
      (value) => done(value ? undefined : ""),
      (error) => done(refused(name, error)),
    );
  });
}

function refused(name: string, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return clean(`${name} threw: ${text}`, 500);
}
