/**
 * Evaluating a user's module: its imports, its exports, its dialect.
 *
 * A module is text; a loader hook hands it to the runtime under a name of its own and refuses every import
 * but the vendored XState. A bare `xstate` leaves the version open: it is tried as 5 first, and as 4 when
 * that fails to link or shows the marks of a version 4 machine.
 */

import { registerHooks, stripTypeScriptTypes } from "node:module";
import { type Authorisers } from "./authorise.ts";
import { looksLikeV4 } from "./dialect.ts";
import { failure } from "./failure.ts";
import { mustBegin } from "./initial.ts";
import { notingNames } from "./remote4.ts";
import { Refusal } from "./types.ts";
import { type Dialect, vendored, vendoredKey } from "./vendored.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

export interface Loaded extends Authorisers {
  dialect: Dialect;
  machine: Any;
  /** The machine is of a copy of XState 4 that does not know `predictableActionArguments`. */
  old?: boolean;
}

const ENTRY = "stateward:entry/";
const REFUSED = "stateward:refused/";
const HANDOVER = "__stateward_vendored";

export class Loader {
  #text = "";
  #name = "";
  #count = 0;
  #bare: Dialect = "v5";
  #open = false;
  #unresolved: string | undefined;

  constructor() {
    registerHooks({
      resolve: (specifier: string, _context: unknown) => ({
        url: this.#resolve(specifier),
        shortCircuit: true,
      }),
      load: (url: string) => ({ format: "module", source: this.#source(url), shortCircuit: true }),
    } as Any);
  }

  /** Make the vendored modules ready, so that nothing of the handover is left when user code runs. */
  async warm(): Promise<void> {
    (globalThis as Any)[HANDOVER] = vendored;
    for (const key of Object.keys(vendored)) await import(`stateward:xstate/${key}`);
    delete (globalThis as Any)[HANDOVER];
  }

  async load(source: string, typescript: boolean): Promise<Loaded> {
    this.#text = typescript ? strip(source) : source;
    let first: Loaded | undefined;
    let error: unknown;
    try {
      first = await this.#evaluate("v5");
    } catch (caught) {
      error = caught;
    }
    if (!this.#open) {
      if (first) return first;
      throw error;
    }
    if (first && !(first.dialect === "v5" && looksLikeV4(first.machine.config))) return first;
    try {
      const second = await this.#evaluate("v4");
      if (second.dialect === "v4") return second;
    } catch (caught) {
      if (!first && isLinkError(error)) error = caught;
    }
    if (first) return first;
    throw error;
  }

  async #evaluate(bare: Dialect): Promise<Loaded> {
    this.#bare = bare;
    this.#unresolved = undefined;
    this.#name = `file:///machine${this.#count++ || ""}.js`;
    let exports: Any;
    try {
      exports = await notingNames(() => import(`${ENTRY}${this.#count}`));
    } catch (error) {
      throw failure(error, this.#name, this.#unresolved);
    }
    const machine = exports.default;
    const isMachine = !!machine && typeof machine === "object" && machine.__xstatenode === true;
    if (!isMachine) throw missing("default", "a default export that is an XState machine");
    for (const name of ["allowRead", "allowWrite"] as const) {
      if (typeof exports[name] !== "function") throw missing(name, `a function ${name}`);
    }
    const v5 = typeof machine.getInitialSnapshot === "function" && typeof machine.provide === "function";
    const dialect = v5 ? "v5" : "v4";
    try {
      mustBegin(machine, dialect);
    } catch (error) {
      throw failure(error, this.#name, undefined);
    }
    return { machine, allowRead: exports.allowRead, allowWrite: exports.allowWrite, dialect };
  }

  #resolve(specifier: string): string {
    if (specifier.startsWith(ENTRY)) return this.#name;
    if (specifier.startsWith("stateward:xstate/") && specifier.slice(17) in vendored) return specifier;
    const found = vendoredKey(specifier, this.#bare);
    if (!found) {
      // Not an exception: thrown here, the runtime would fall back to its own modules for `node:`.
      this.#unresolved ??= specifier;
      return `${REFUSED}${encodeURIComponent(specifier)}`;
    }
    this.#open ||= found.open;
    return `stateward:xstate/${found.key}`;
  }

  #source(url: string): string {
    if (url === this.#name) return this.#text;
    if (url.startsWith(REFUSED)) {
      const name = decodeURIComponent(url.slice(REFUSED.length));
      return `throw new Error(${JSON.stringify(`cannot import '${name}'`)});`;
    }
    const key = url.slice("stateward:xstate/".length);
    const names = Object.keys(vendored[key]);
    const rest = names.filter((name) => name !== "default");
    const fallback = names.includes("default") ? "export default m.default;\n" : "export default m;\n";
    return `const m = globalThis.${HANDOVER}[${JSON.stringify(key)}];\n${fallback}` +
      (rest.length ? `export const { ${rest.join(", ")} } = m;\n` : "");
  }
}

function strip(source: string): string {
  try {
    return (stripTypeScriptTypes as Any)(source, { mode: "transform" });
  } catch (error) {
    throw failure(error, "file:///stripTypeScriptTypes.ts", undefined);
  }
}

function missing(name: string, what: string): Refusal {
  return new Refusal("MODULE_EXPORT_MISSING", `the module must have ${what}`, { export: name });
}

function isLinkError(error: unknown): boolean {
  return error instanceof Refusal && error.message.includes("does not provide an export");
}
