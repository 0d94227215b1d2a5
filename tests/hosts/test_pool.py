"""How processes come and go: one for each version in use, bounded, replaced, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from deno import find_deno_bin  # type: ignore[import-untyped]  # the package has no stubs
from tests.hosts.kit import ALLOW, AUTH, Rig

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import HostLimits
from stateward_server.model.machine import Language, Module
from stateward_server.model.names import InstanceUid
from stateward_server.model.step import Denied, EventInput, LostChildren, NeedSnapshot, Outcomes
from stateward_server.ports.host import Address

MACHINE = (
    ALLOW
    + """
import { assign, createMachine, fromPromise } from "xstate@5";
export default createMachine({ context: { n: 0 }, initial: "idle", on: {
    ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) },
  }, states: {
  idle: { on: { WORK: "busy" } },
  busy: { invoke: { id: "job", src: fromPromise(() => new Promise(() => {})), onError: "idle" } } } });
"""
)


def small(**bounds: Any) -> Rig:
    return Rig(HostLimits(**bounds))


async def test_each_version_has_a_process_of_its_own(rig: Rig) -> None:
    one, two = await rig.start(MACHINE), await rig.start(MACHINE)
    assert rig.pool.pid_of(one.at.version) != rig.pool.pid_of(two.at.version)
    third = await rig.instance(one.at.version)
    assert rig.pool.pid_of(third.at.version) == rig.pool.pid_of(one.at.version)


async def test_callers_who_come_together_share_one_start(rig: Rig) -> None:
    version = rig.version(MACHINE)
    await asyncio.gather(*(rig.instance(version) for _ in range(5)))
    assert rig.pool.pid_of(version) > 0


async def test_the_version_unused_for_longest_gives_way() -> None:
    rig = small(processes=2)
    try:
        old, newer = await rig.start(MACHINE), await rig.start(MACHINE)
        await old.send("ADD")
        third = await rig.start(MACHINE)
        assert rig.pool.pid_of(newer.at.version) == 0
        assert rig.pool.pid_of(old.at.version) > 0
        assert rig.listener.losses == [], "nothing ran in it"
        await newer.send("ADD")
        assert newer.context == {"n": 1}
        assert rig.pool.pid_of(third.at.version) > 0
    finally:
        await rig.pool.close()


async def test_a_version_with_running_services_gives_way_last() -> None:
    rig = small(processes=2)
    try:
        working, idle = await rig.start(MACHINE), await rig.start(MACHINE)
        await working.send("WORK")
        await idle.send("ADD")
        third = await rig.start(MACHINE)
        assert rig.pool.pid_of(working.at.version) > 0
        assert rig.pool.pid_of(idle.at.version) == 0
        await third.send("WORK")
        await idle.send("ADD")
        assert rig.listener.losses == [working.at.version], "told, for its service went with it"
        assert await working.ask(resume=True) == LostChildren(("job",))
    finally:
        await rig.pool.close()


async def test_a_new_process_knows_nothing_of_the_old(rig: Rig) -> None:
    instance = await rig.start(MACHINE)
    rig.pool.kill(instance.at.version)
    await rig.listener.next_loss()
    step = EventInput('"ADD"', AUTH)
    assert await rig.pool.step(instance.at, 1, [step], None) == NeedSnapshot()
    assert isinstance(await rig.pool.step(instance.at, 1, [step], instance.resume), Outcomes)


async def test_a_version_that_keeps_dying_waits_longer_for_the_next(rig: Rig) -> None:
    instance, other = await rig.start(MACHINE), await rig.start(MACHINE)
    loop = asyncio.get_running_loop()
    pauses = []
    for deaths in range(4):
        killed = loop.time()
        rig.pool.kill(instance.at.version)
        await rig.listener.next_loss()
        until = rig.pool._slots._slots[instance.at.version].not_before
        assert deaths > 0 or until <= loop.time()
        await asyncio.gather(instance.send("ADD"), other.send("ADD"))
        assert loop.time() >= until
        pauses.append(until - killed)
    assert pauses[3] >= 1.0


async def test_stray_frames_end_the_process_that_sent_them(rig: Rig) -> None:
    instance = await rig.start(MACHINE)
    process = rig.pool._slots.ready(instance.at.version)
    assert process is not None
    process.data_received(b"\x02\x00\x00\x00{}")
    assert await rig.listener.next_loss() == instance.at.version
    await instance.send("ADD")


async def test_closing_leaves_no_process_behind() -> None:
    rig = small()
    one = await rig.start(MACHINE)
    starting = asyncio.create_task(rig.start(MACHINE))
    pid = rig.pool.pid_of(one.at.version)
    await rig.pool.close()
    await asyncio.gather(starting, return_exceptions=True)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    await rig.pool.close()


ORPHAN = """
import asyncio
from tests.hosts.kit import Rig
from tests.hosts.test_pool import MACHINE

async def main():
    rig = Rig()
    one = await rig.start(MACHINE)
    print(rig.pool.pid_of(one.at.version), flush=True)
    await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


def test_a_host_ends_with_its_server() -> None:
    root = Path(__file__).parent.parent.parent
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", textwrap.dedent(ORPHAN)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        watched = os.pidfd_open(pid)
        server.send_signal(signal.SIGKILL)
    loop = asyncio.new_event_loop()
    try:
        gone = asyncio.Event()
        loop.add_reader(watched, gone.set)
        assert loop.run_until_complete(asyncio.wait_for(gone.wait(), 10))
    finally:
        loop.remove_reader(watched)
        os.close(watched)
        loop.close()


OWN_COPY = """
import { createMachine } from "xstate%s";
export const allowRead = () => true;
export const allowWrite = () => true;
export default createMachine({ predictableActionArguments: true, initial: "a", states: {
  a: { on: { GO: { target: "b", actions: () => console.log("acted") } } },
  b: { after: { 9: "a" } } } } as any);
"""


@pytest.mark.parametrize("major", ["4", "5"])
async def test_a_module_may_bring_its_own_copy_of_xstate(rig: Rig, tmp_path: Path, major: str) -> None:
    config = Path(__file__).parent.parent.parent / "server" / "hosts" / "xstate" / "deno.json"
    (tmp_path / "machine.ts").write_text(OWN_COPY % ("4/es/index.js" if major == "4" else "5"))
    bundle = tmp_path / "machine.js"
    done = await asyncio.create_subprocess_exec(
        find_deno_bin(), "bundle", "--quiet", "--config", config, "--output", bundle, tmp_path / "machine.ts"
    )
    assert await done.wait() == 0
    version = rig.version(bundle.read_text(), Language.JAVASCRIPT)
    assert (await rig.pool.inspect(rig.modules[version])).dialect == f"v{major}"
    instance = await rig.instance(version)
    reply = await instance.ask(EventInput('"GO"', AUTH))
    assert isinstance(reply, Outcomes)
    assert rig.listener.logs == []
    instance.keep(reply.items)
    assert (await rig.listener.next_log())[2] == "acted"
    assert len(instance.step.timers) == 1


async def test_few_modules_are_checked_at_once() -> None:
    rig = small(inspections=2, spares=0, starts=9)
    slow = ALLOW + "for (const end = Date.now() + 200; Date.now() < end; );\nexport default 1;"
    checks = [asyncio.ensure_future(rig.pool.inspect(Module(slow, Language.JAVASCRIPT))) for _ in range(5)]
    try:
        most = 0
        while not all(check.done() for check in checks):
            await asyncio.wait(checks, timeout=0.02)
            alive = [process for process in rig.pool._slots._all if process.alive]
            most = max(most, len(alive))
        assert most == 2
    finally:
        await asyncio.gather(*checks, return_exceptions=True)
        await rig.pool.close()


async def test_a_copy_of_xstate_that_does_not_keep_still_is_refused(rig: Rig) -> None:
    source = (
        ALLOW
        + """
        class Eager { // acts while it computes, as old releases did
          __xstatenode = true; id = "eager"; options = {};
          constructor(config) { this.config = config; }
          provide() { return this; }
          getInitialSnapshot() { this.config?.states?.a.entry[0](); return { status: "active", value: "a" }; }
          transition(snapshot) { return snapshot; }
        }
        export default new Eager({});
        """
    )
    with pytest.raises(InvalidArgument) as caught:
        await rig.pool.inspect(rig.modules[rig.version(source, Language.JAVASCRIPT)])
    assert caught.value.reason == "MODULE_XSTATE_UNSUPPORTED"


async def test_a_process_holds_no_more_instances_than_its_heap_has_room_for() -> None:
    rig = Rig(HostLimits(heap_mb=24))
    try:
        version = rig.version(
            ALLOW
            + """import { assign, createMachine, fromCallback, sendTo } from "xstate@5";
            export default createMachine({
              context: ({ input }) => ({ items: Array.from({ length: input.size }, (_, n) => n) }),
              on: { MORE: { actions: assign({ items: ({ context }) => [...context.items, 1] }) },
                TALK: ".talking", PING: { actions: sendTo("kid", { type: "PING" }) }, PONG: ".quiet" },
              initial: "quiet",
              states: { quiet: {}, talking: { invoke: { id: "kid", src: fromCallback(
                ({ sendBack, receive }) => receive(() => sendBack({ type: "PONG" }))) } } },
            });"""
        )
        talking = await rig.instance(version, {"size": 1})
        await talking.send("TALK")
        heavy = [await rig.instance(version, {"size": 40_000}) for _ in range(100)]
        for instance in (*heavy[:3], *heavy[-3:]):
            await instance.send("MORE")
            assert len(instance.context["items"]) == 40_001
        # One with something running is not put away.
        await talking.send("PING")
        await talking.hear()
        assert talking.value == "quiet"
        assert rig.listener.losses == []
    finally:
        await rig.pool.close()


@pytest.mark.parametrize("major", ["4", "5"])
async def test_creations_that_are_refused_leave_nothing_behind(major: str) -> None:
    rig = Rig(HostLimits(heap_mb=12))
    try:
        version = rig.version(
            f"""import {{ createMachine }} from "xstate@{major}";
            export const allowRead = () => true;
            export const allowWrite = ({{ type }}) => type !== "initialization";
            export default createMachine({{ context: {{}} }});"""
        )
        for first in range(1, 5_000, 200):
            uids = range(first, first + 200)
            starts = (rig.pool.start(Address(version, InstanceUid(uid)), "one", None, AUTH) for uid in uids)
            assert {type(outcome) for outcome in await asyncio.gather(*starts)} == {Denied}
        assert rig.listener.losses == []
    finally:
        await rig.pool.close()
