/**
 * Taking away what user code must not have. The process is the wall; this is the tidy room inside it.
 *
 * Everything the host itself needs of `Deno` is taken before and lives in closures.
 */

/** Not web standards, or able to block, write to disk, start threads or end the process. */
const GONE = [
  "Deno",
  "process",
  "Buffer",
  "global",
  "setImmediate",
  "clearImmediate",
  "localStorage",
  "sessionStorage",
  "caches",
  "Worker",
  "alert",
  "confirm",
  "prompt",
  "close",
  "__bootstrap",
];

export function sandbox(): void {
  for (const name of GONE) {
    try {
      if (Reflect.deleteProperty(globalThis, name)) continue;
    } catch {
      // Falls through to hiding it.
    }
    Object.defineProperty(globalThis, name, { value: undefined, writable: false, configurable: false });
  }
  try {
    Reflect.deleteProperty(Object.getPrototypeOf(navigator), "gpu");
  } catch {
    // No GPU interface in this build.
  }
}
