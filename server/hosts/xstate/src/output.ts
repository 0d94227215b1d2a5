/**
 * What user code says, and whose it is: console output, unhandled rejections, failures of effects.
 *
 * The instance whose code is running is carried by an AsyncLocalStorage through every promise and timer.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { clean } from "./wire.ts";

const floor = Math.floor;

export const instanceOf = new AsyncLocalStorage<number>();

export type Log = (uid: number | null, level: string, text: string) => void;

const LEVELS: Record<string, string> = {
  log: "info",
  info: "info",
  debug: "debug",
  trace: "debug",
  dir: "info",
  table: "info",
  warn: "warning",
  error: "error",
};

/** At most `lines` entries of `bytes` characters in any second; what is left out is counted. */
export function bounded(log: Log, bytes: number, lines: number, now: () => number): Log {
  let second = 0;
  let used = 0;
  let dropped = 0;
  return (uid, level, text) => {
    const at = floor(now() / 1000);
    if (at !== second) {
      if (dropped > 0) {
        log(null, "warning", `${dropped} log lines were left out: more than ${lines} in a second`);
      }
      second = at;
      used = dropped = 0;
    }
    if (used++ >= lines) {
      dropped++;
      return;
    }
    log(uid, level, clean(text, bytes));
  };
}

export function takeConsole(log: Log, format: (args: unknown[]) => string): void {
  const quiet = () => {};
  const console: Record<string, unknown> = {};
  for (const name of Object.keys(globalThis.console)) console[name] = quiet;
  for (const [name, level] of Object.entries(LEVELS)) {
    console[name] = (...args: unknown[]) => log(instanceOf.getStore() ?? null, level, format(args));
  }
  console.assert = (ok: unknown, ...args: unknown[]) => {
    if (!ok) log(instanceOf.getStore() ?? null, "error", format(["Assertion failed", ...args]));
  };
  Object.defineProperty(globalThis, "console", { value: console, writable: true, configurable: true });
}

/**
 * Failures nobody handles are logged; they never end the process. What a timer throws is caught in its own
 * context, for the runtime reports it outside of any; for a rejected promise there is no such place.
 */
export function catchStrays(log: Log, format: (args: unknown[]) => string): void {
  const stray = (what: string, error: unknown) => {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : format([error]);
    log(instanceOf.getStore() ?? null, "error", `${what}: ${text}`);
  };
  for (const name of ["setTimeout", "setInterval", "queueMicrotask"] as const) {
    const start = globalThis[name] as (run: (...args: unknown[]) => unknown, ...rest: unknown[]) => unknown;
    const caught = (run: unknown, ...rest: unknown[]) => {
      if (typeof run !== "function") throw new TypeError(`${name} needs a function`);
      return start((...args) => {
        try {
          return run(...args);
        } catch (error) {
          stray("uncaught", error);
        }
      }, ...rest);
    };
    Object.defineProperty(globalThis, name, { value: caught, writable: true, configurable: true });
  }
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    stray("unhandled rejection", event.reason);
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    stray("uncaught", event.error);
  });
}
