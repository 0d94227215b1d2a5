"""What user code cannot do: touch the machine it runs on, its neighbours, or the host that runs it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from typing import Any

import pytest
from deno import find_deno_bin  # type: ignore[import-untyped]  # the package has no stubs
from tests.hosts.kit import ALLOW, AUTH, Rig

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import HostLimits
from stateward_server.model.machine import Language, Module
from stateward_server.model.step import EventInput, Failed
from stateward_server.ports.host import HostLost

# Runs an expression as a service and keeps what it gave, or what it threw, in the context.
PROBE = (
    ALLOW
    + """
import { assign, createMachine, fromPromise } from "xstate@5";
const run = async (text) => {
  try { return String(await (0, eval)(text)); } catch (e) { return `${e.name}: ${e.message}`; }
};
export default createMachine({
  context: { got: null }, initial: "idle",
  states: {
    idle: { on: { RUN: "busy" } },
    busy: { invoke: { src: fromPromise(({ input }) => run(input)), input: ({ event }) => event.text,
      onDone: { target: "idle", actions: assign({ got: ({ event }) => event.output }) } } },
  },
});
"""
)


LIST_MODULES = "console.log(process.getBuiltinModule('module').builtinModules.join())"
BUILTIN_MODULES = subprocess.run(
    [find_deno_bin(), "eval", LIST_MODULES], check=True, capture_output=True, text=True
).stdout.strip()


async def result(rig: Rig, text: str) -> str:
    """Run JavaScript in a host and return what came of it, as text."""
    instance = await rig.start(PROBE)
    await instance.send({"type": "RUN", "text": text})
    await instance.hear()
    got = instance.context["got"]
    assert isinstance(got, str)
    return got


@pytest.mark.parametrize(
    "name",
    [
        "Deno",
        "process",
        "Buffer",
        "global",
        "require",
        "localStorage",
        "sessionStorage",
        "caches",
        "Worker",
        "prompt",
        "close",
        "__stateward_vendored",
    ],
)
async def test_there_is_no_such_global(rig: Rig, name: str) -> None:
    assert await result(rig, f"typeof globalThis.{name}") == "undefined"


async def test_the_web_is_there(rig: Rig) -> None:
    names = """fetch URL URLPattern TextEncoder crypto.subtle crypto.randomUUID WebAssembly.Module FormData
        Blob CompressionStream ReadableStream AbortController structuredClone queueMicrotask Intl"""
    text = (
        "["
        + ",".join(f"typeof {name}" for name in names.split())
        + "].filter((t) => t === 'undefined').length"
    )
    assert await result(rig, text) == "0"


@pytest.mark.parametrize(
    "text",
    [
        "fetch('file:///etc/passwd')",
        "import('file:///etc/passwd')",
        "import('node:fs')",
        "import('node:child_process')",
        "import('npm:left-pad')",
        "import('https://example.com/x.js')",
        "import('data:text/javascript,export default 1')",
        "import('stateward:xstate/../secret')",
    ],
)
async def test_nothing_outside_can_be_loaded(rig: Rig, text: str) -> None:
    assert re.match(r"(Type)?Error: |NotCapable: ", await result(rig, text))


async def test_no_module_of_the_runtime_is_there(rig: Rig) -> None:
    # All of them, for each would open a door of its own.
    for specifier in ("node:test", "node:sqlite", "node:module", "module", "node:process", "node:inspector"):
        source = f'import x from "{specifier}"; export default x;'
        with pytest.raises(InvalidArgument, match="not there"):
            await rig.pool.inspect(Module(source, Language.JAVASCRIPT))
    names = BUILTIN_MODULES.split(",")
    tries = "Promise.allSettled([" + ",".join(f"import('node:{name}')" for name in names) + "])"
    text = f"{tries}.then((all) => all.filter((one) => !/cannot import/.test(one.reason?.message)).length)"
    assert await result(rig, text) == "0"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"]
)
async def test_private_addresses_are_out_of_reach(rig: Rig, host: str) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        got = await result(rig, f"fetch('http://{host}:{port}/').then((r) => r.text())")
        assert got != "secret"
        assert "Error" in got or "NotCapable" in got
    finally:
        server.close()


async def test_the_environment_is_empty(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATEWARD_SECRET", "s3cret")
    assert await result(rig, "Object.keys(globalThis.process?.env ?? {}).length") == "0"


async def test_patching_globals_hurts_the_patcher_only(rig: Rig) -> None:
    patches = """
        JSON.stringify = () => '[0,"log",null,"error","forged"]';
        JSON.parse = () => { throw new Error("no"); };
        Uint8Array.prototype.subarray = function () { globalThis.seen = this; return this; };
        Uint8Array.prototype.set = () => {};
        TextEncoder.prototype.encodeInto = () => ({ written: 0 });
        TextDecoder.prototype.decode = () => "[]";
        String.prototype.toWellFormed = () => "x";
        Function.prototype.call = Function.prototype.apply = () => {};
        globalThis.queueMicrotask = () => {};
        Promise.prototype.then = undefined;
    """
    instance = await rig.start(
        ALLOW
        + 'import { createMachine } from "xstate@5";'
        + "export default createMachine({ on: { GO: { actions: () => {"
        + patches
        + "} } } });"
    )
    await instance.send("GO")
    other = await rig.start(PROBE)
    await other.send({"type": "RUN", "text": "1 + 1"})
    await other.hear()
    assert other.context["got"] == "2"
    assert rig.listener.logs == []


@pytest.mark.parametrize(
    ("part", "value"), [("2", "{}"), ("4", "[[1]]"), ("9", '[["t", 1e300, "{}", null]]'), ("10", '"many"')]
)
async def test_forging_an_answer_ends_the_process_of_the_forger(rig: Rig, part: str, value: str) -> None:
    # The one way in: JSON.stringify asks every array how it wants to be written.
    forge = """
        Array.prototype.toJSON = function () {
          if (this[2]?.[0] !== 0) return this;
          delete Array.prototype.toJSON;
          const outcome = [...this[2][1][0]];
          outcome[%s] = %s;
          return [this[0], 1, [0, [outcome]]];
        };
    """
    instance = await rig.start(
        ALLOW
        + 'import { createMachine } from "xstate@5";'
        + "export default createMachine({ on: { GO: { guard: () => {"
        + forge % (part, value)
        + "return true; }, actions: () => {} } } });"
    )
    with pytest.raises(HostLost, match="not "):
        await rig.pool.step(instance.at, 1, [EventInput('{"type":"GO"}', AUTH)], None)
    assert await rig.listener.next_loss() == instance.at.version


async def test_a_console_is_bounded_whatever_the_machine_does_to_mathematics() -> None:
    rig = Rig(HostLimits(log_lines=3))
    try:
        instance = await rig.start(
            ALLOW
            + """import { createMachine } from "xstate@5";
            export default createMachine({ on: { FLOOD: { actions: () => {
              Math.floor = () => Math.random();
              Date.now = () => 0;
              for (let i = 0; i < 1000; i++) console.log(i);
            } }, MORE: {} } });"""
        )
        await instance.send("FLOOD")
        await instance.send("MORE")
        assert len(rig.listener.logs) < 200, "three a second, and a word about the rest"
    finally:
        await rig.pool.close()


async def test_a_hung_up_neighbour_is_not_noticed() -> None:
    rig = Rig(HostLimits(deadline_ms=300))
    try:
        bad = await rig.start(PROBE)
        good = await rig.start(PROBE)
        loop = (
            ALLOW
            + 'import { createMachine } from "xstate@5";'
            + ("export default createMachine({ on: { GO: { guard: () => { for (;;); } } } });")
        )
        stuck = await rig.start(loop)
        failed, _ = await asyncio.gather(stuck.outcome("GO"), good.send({"type": "RUN", "text": "7"}))
        assert isinstance(failed, Failed)
        assert failed.reason == "MACHINE_TIMED_OUT"
        assert set(rig.listener.losses) == {stuck.at.version}
        await good.hear()
        await bad.send({"type": "RUN", "text": "7"})
        await bad.hear()
    finally:
        await rig.pool.close()


async def test_unhandled_failures_are_logged_with_their_instance(rig: Rig) -> None:
    instance = await rig.start(
        ALLOW
        + """import { createMachine } from "xstate@5";
        export default createMachine({ on: {
          REJECT: { actions: () => void Promise.reject(new Error("lost promise")) },
          LATE: { actions: () => void setTimeout(() => { throw new Error("late"); }) },
          THROW: { actions: () => { throw new Error("thrown"); } },
        } });"""
    )
    for event, word in (("REJECT", "lost promise"), ("LATE", "late"), ("THROW", "thrown")):
        await instance.send(event)
        uid, level, text = await rig.listener.next_log()
        assert level == "error"
        # The runtime reports a rejection when the code that made it is long gone.
        assert uid == instance.at.uid or event == "REJECT"
        assert word in text
    await instance.send("REJECT")


async def test_console_lines_are_attributed_and_bounded() -> None:
    rig = Rig(HostLimits(log_bytes=100, log_lines=3))
    source = (
        ALLOW
        + """import { createMachine } from "xstate@5";
        export default createMachine({ on: {
          SAY: { actions: ({ event }) => setTimeout(() => console.warn("said", event.what, { a: [1] })) },
          FLOOD: { actions: () => { for (let i = 0; i < 1000; i++) console.log("x".repeat(1000), i); } },
        } });"""
    )
    try:
        version = rig.version(source)
        one, two = await rig.instance(version), await rig.instance(version)
        for instance in (one, two):
            await instance.send({"type": "SAY", "what": str(instance.at.uid)})
            uid, level, text = await rig.listener.next_log()
            assert (uid, level, text) == (
                instance.at.uid,
                "warning",
                f"said {instance.at.uid} {{ a: [ 1 ] }}",
            )
        await one.send("FLOOD")
        await one.send("FLOOD")
        assert len(rig.listener.logs) <= 8, "three a second, and a word about the rest"
        assert all(len(text) <= 101 for _, _, text in rig.listener.logs)
    finally:
        await rig.pool.close()


async def test_lone_surrogates_do_not_break_the_wire(rig: Rig) -> None:
    instance = await rig.start(
        ALLOW
        + r"""import { assign, createMachine } from "xstate@5";
        export default createMachine({ context: { public: {} }, on: {
          KEEP: { actions: assign({ public: () => ({ text: "\ud800" }) }) },
          SAY: { actions: () => console.log("\udc00") },
          FAIL: { guard: () => { throw new Error("\ud800"); } } },
        });"""
    )
    step = await instance.send("KEEP")
    assert step.view.public_json is not None
    assert json.loads(step.view.public_json) == {"text": "\ud800"}
    await instance.send("SAY")
    await rig.listener.next_log()
    assert (await instance.fails("FAIL")).reason == "MACHINE_THREW"


async def test_user_code_cannot_see_other_requests(rig: Rig) -> None:
    names: Any = json.loads(await result(rig, "JSON.stringify(Object.getOwnPropertyNames(globalThis))"))
    assert not [name for name in names if "deno" in name.lower() or "stateward" in name.lower()]
