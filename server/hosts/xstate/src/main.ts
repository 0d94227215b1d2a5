/** Entry point: connect to the socket named by the argument, close the sandbox, serve until it hangs up. */

import { Host } from "./host.ts";
import { type Tell } from "./instance.ts";
import { Loader } from "./load.ts";
import { bounded, catchStrays, takeConsole } from "./output.ts";
import { probe } from "./probe.ts";
import { defineGlobals, forbidToChildren } from "./remote4.ts";
import { sandbox } from "./sandbox.ts";
import { type Limits, Refusal, type Selector } from "./types.ts";
import { clean, type Frame, openWire } from "./wire.ts";

const path = Deno.args[0];
const exit = Deno.exit;
const inspect = Deno.inspect;
const now = Date.now;
const socket = await Deno.connect({ transport: "unix", path });
for (const name of ["read", "write"] as const) Deno.permissions.revokeSync({ name, path });

const wire = openWire({ read: (into) => socket.read(into), write: (from) => socket.write(from) });

function format(args: unknown[]): string {
  const options = { depth: 4, iterableLimit: 50, strAbbreviateSize: 4000, colors: false };
  return args.map((arg) => typeof arg === "string" ? arg : inspect(arg, options)).join(" ");
}

const loader = new Loader();
await loader.warm();
let log = bounded((uid, level, text) => wire.send([0, "log", uid, level, text]), 16_000, 200, now);
const tell: Tell = {
  inbox: (uid) => wire.send([0, "inbox", uid]),
  log: (uid, level, text) => log(uid, level, text),
  format,
};
takeConsole((uid, level, text) => log(uid, level, text), format);
catchStrays((uid, level, text) => log(uid, level, text), format);
sandbox();
defineGlobals();
forbidToChildren();

let host: Host | undefined;

async function load(frame: Frame): Promise<void> {
  const [id, , source, language, limits, selectors] = frame as [
    number,
    string,
    string,
    string,
    Limits,
    Selector[],
  ];
  log = bounded(
    (uid, level, text) => wire.send([0, "log", uid, level, text]),
    limits.logBytes,
    limits.logLines,
    now,
  );
  try {
    const loaded = await loader.load(source, language === "ts");
    const { old } = probe(loaded.machine, loaded.dialect);
    host = new Host({ ...loaded, old }, limits, selectors, tell, (answer) => wire.send(answer));
    wire.send([id, 1, [loaded.dialect, clean(loaded.machine.id, 500)]]);
  } catch (error) {
    const refusal = error instanceof Refusal ? error : new Refusal("MODULE_LOAD_FAILED", clean(error));
    wire.send([id, 0, {
      reason: refusal.reason,
      message: clean(refusal.message),
      metadata: refusal.metadata,
    }]);
  }
}

await wire.run((frame) => {
  if (frame[1] === "load") load(frame);
  else if (host) host.serve(frame);
  else wire.send([frame[0], 0, { reason: "HOST_BUG", message: "no module is loaded" }]);
});
exit(0);
