/** What went wrong with a module, in words for its author: no paths of this host, positions where known. */

import { clean } from "./wire.ts";
import { Refusal } from "./types.ts";

/** Turn what an import threw into a refusal. `name` is the URL the module was evaluated under. */
export function failure(error: unknown, name: string, unresolved: string | undefined): Refusal {
  if (error instanceof Refusal) return error;
  if (unresolved !== undefined) {
    const shown = clean(unresolved, 200);
    return new Refusal(
      "MODULE_LOAD_FAILED",
      `the module imports '${shown}', which is not there: bundle everything but xstate into the module`,
      { import: shown },
    );
  }
  const text = error instanceof Error ? error.message : clean(error, 500);
  const at = position(text, name);
  if (
    at && error instanceof Error && error.name === "SyntaxError" &&
    !at.what.includes("does not provide an export")
  ) {
    const { what, line, column } = at;
    return new Refusal("MODULE_SYNTAX_ERROR", `${what} (line ${line}, column ${column})`, { line, column });
  }
  const kind = error instanceof Error && !at ? `${error.name}: ` : "";
  return new Refusal("MODULE_LOAD_FAILED", clean(`${kind}${at ? at.what : text}`, 1000));
}

/** Read `Unexpected token at file:///machine.js:3:7`, and the longer form with an excerpt of the source. */
function position(text: string, name: string): { what: string; line: number; column: number } | undefined {
  const start = text.lastIndexOf(name);
  if (start < 0) return undefined;
  const numbers = /^:(\d+):(\d+)/.exec(text.slice(start + name.length));
  if (!numbers) return undefined;
  const before = text.slice(0, start).replace(/\s*at\s*$/, "");
  const what = before.split("\n")[0].replace(/^SyntaxError: /, "");
  return { what: clean(what, 500), line: Number(numbers[1]), column: Number(numbers[2]) };
}
