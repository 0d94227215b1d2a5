"""A whole server in one process, for tests of machines: real engine, real Deno processes, virtual time.

`Lab.open()` starts it, `machine` publishes a module, `advance` lets hours pass in milliseconds and everything
that falls due in them happen in order. No call returns before everything it caused has happened, so a test
never sleeps. Only what user code waits for by itself (a network, `setTimeout`) takes real time; wait for it
with `until` or `settled`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

from stateward_server.catalog.catalog import Machines
from stateward_server.engine.engine import Engine
from stateward_server.model.errors import StatewardError
from stateward_server.model.ledger import Instance, InstanceKey, TimerRow, Transition
from stateward_server.model.limits import EngineLimits, HostLimits
from stateward_server.model.machine import Inspection, Language, Module, Version
from stateward_server.model.names import InstanceUid, OrgId, VersionId, machine_name, mint
from stateward_server.model.org import Org, User
from stateward_server.model.wait import Until, Wait
from stateward_server.ports.host import Address, HostLost, MachineHost
from stateward_server.ports.store import Store
from stateward_server.runtime.pool import HostPool
from stateward_server.store.memory import MemoryStore
from stateward_server.store.sqlite.store import SqliteStore
from stateward_server.testing.clock import ManualClock, SeededEntropy, settle
from stateward_server.testing.durations import milliseconds
from stateward_server.testing.lab_handles import LabInstance, LabMachine, Pending, State
from stateward_server.testing.traffic import Traffic

__all__ = ["Lab", "LabInstance", "LabMachine", "Pending", "State"]

_AT_ONCE = Wait(Until.COMMITTED, 0)
_PATIENCE_S = 20
_NOBODY = InstanceUid(0)
_inspections: dict[Module, Inspection] = {}


class _Inspector:
    """Checks modules, each once in the life of this process: suites publish the same few again and again."""

    def __init__(self, host: MachineHost) -> None:
        self._host = host

    async def inspect(self, module: Module) -> Inspection:
        if module not in _inspections:
            _inspections[module] = await self._host.inspect(module)
        return _inspections[module]


class Lab:
    """One server and its clock. Make it with `open`."""

    def __init__(
        self,
        store: Store,
        clock: ManualClock,
        entropy: SeededEntropy,
        limits: EngineLimits,
        data: Path | None,
    ) -> None:
        self.clock = clock
        self._entropy = entropy
        self._limits = limits
        self._data = data
        self._org = OrgId(mint("org", entropy.token_bytes(16)))
        self._store = store
        self._traffic = Traffic()
        self._heads: dict[InstanceUid, Instance] = {}
        self._histories: dict[InstanceKey, list[Transition]] = {}
        self._logs: list[tuple[InstanceUid | None, str]] = []
        self._versions: list[VersionId] = []
        self._news = 0
        self._told = asyncio.Event()
        self._losses: list[VersionId] = []
        self._running = AsyncExitStack()
        self._hosts = AsyncExitStack()
        self._host: HostPool
        self._engine: Engine
        self._machines: Machines

    @classmethod
    @asynccontextmanager
    async def open(
        cls, *, data: Path | None = None, limits: EngineLimits | None = None, seed: int = 0
    ) -> AsyncIterator[Lab]:
        """Start a server that keeps everything in memory, or in the directory `data`."""
        clock, entropy = ManualClock(), SeededEntropy(seed)
        store: Store = MemoryStore(clock=clock, entropy=entropy)
        if data is not None:
            store = await SqliteStore.open(data, clock=clock, entropy=entropy)
        lab = cls(store, clock, entropy, limits or EngineLimits(flush_pace_ms=0), data)
        await store.create_org(Org(lab._org, "lab", clock.now_ms()), User("usr_lab", "lab", 0), None, None)
        try:
            lab._start_hosts()
            await lab._start()
            yield lab
        finally:
            await lab._running.aclose()
            await lab._hosts.aclose()
            await lab._store.close()

    # ------------------------------------------------------------------ machines and time

    async def machine(
        self, source: Path | str, *, name: str | None = None, dialect: str | None = None
    ) -> LabMachine:
        """Publish a module, TypeScript unless its file says `.js`. Raises InvalidArgument (MODULE_…).

        With a `dialect`, `v4` or `v5`, the check at upload is left out, which saves the start of a process.
        """
        module = _module(source)
        if dialect is not None:
            _inspections[module] = Inspection(dialect, "")
        checked = machine_name(name or f"machine-{len(self._versions) + 1}")
        try:
            await self._machines.create(self._org, checked)
        except StatewardError as error:
            if error.reason != "MACHINE_EXISTS":
                raise
        version = await self._machines.publish(self._org, checked, module, "", make_current=True)
        self._versions.append(version.id)
        return LabMachine(self, checked, version)

    async def advance(self, span: int | str) -> None:
        """Let time pass (`"2h"`, or milliseconds): everything due on the way happens, each at its time."""
        await self.clock.advance(milliseconds(span), self.quiet)

    async def quiet(self) -> None:
        """Wait until nothing moves: no turn, no commit, no word from a process that has not been taken."""
        calm = 0
        async with asyncio.timeout(_PATIENCE_S):
            # A process may read a commit and the first question in one go; the second finds promises kept.
            while calm < 2:
                await settle()
                await self._traffic.landed()
                before = (self._traffic.begun, self._news)
                await self._ask_processes()
                await settle()
                moved = self._traffic.flying or before != (self._traffic.begun, self._news)
                calm = 0 if moved else calm + 1

    # ------------------------------------------------------------------ what can happen to a server

    async def restart(self, *, down: int | str = 0) -> None:
        """Stop the server with its processes, let time pass while it is down, and start it again."""
        await self._running.aclose()
        await self._hosts.aclose()
        if self._data is not None:
            await self._store.close()
        self.clock.set(self.clock.now_ms() + milliseconds(down))
        if self._data is not None:
            self._store = await SqliteStore.open(self._data, clock=self.clock, entropy=self._entropy)
        self._start_hosts()
        await self._start()
        await self.quiet()

    async def passivate(self) -> None:
        """Have every instance leave memory, here and in its process; its next event wakes it.

        Where services run, the process keeps the instance, as it would under load.
        """
        await self._running.aclose()
        for uid, instance in self._heads.items():
            past = self._histories.get(instance.key)
            if past and past[-1].view.settled:
                self._host.evict(Address(instance.version, uid))
        await self._start()
        await self.quiet()

    async def kill(self, machine: LabMachine) -> None:
        """Kill the process of a machine, with whatever service it runs, and wait until that has been felt."""
        before = len(self._losses)
        self._host.kill(machine.version.id)
        await self.wait_for(lambda: len(self._losses) > before)
        await self.quiet()

    # ------------------------------------------------------------------ for the handles

    async def create(self, key: InstanceKey, version: Version, context: object, auth: object) -> None:
        given = None if context is None else json.dumps(context)
        await self._engine.create(key, version.id, given, json.dumps(auth), request=None, wait=_AT_ONCE)
        await self.quiet()

    async def send(self, key: InstanceKey, event: object, auth: object) -> None:
        text, auth_json = json.dumps(event), json.dumps(auth)
        await self._engine.send(key, text, auth_json, request=None, expected_revision=0, wait=_AT_ONCE)
        await self.quiet()

    async def timers_of(self, key: InstanceKey) -> Sequence[TimerRow]:
        return await self._engine.timers.list(key, "", 1_000)

    async def wait_for(self, met: Callable[[], bool]) -> None:
        """Wait, in real time, for a condition that only news can make true."""
        async with asyncio.timeout(_PATIENCE_S):
            while not met():
                self._told.clear()
                await self._told.wait()
        await self.quiet()

    def history_of(self, key: InstanceKey) -> Sequence[Transition]:
        return self._histories[key]

    def logs_of(self, key: InstanceKey) -> list[str]:
        return [text for uid, text in self._logs if uid is not None and self._heads[uid].key == key]

    def now_ms(self) -> int:
        return self.clock.now_ms()

    # ------------------------------------------------------------------ HostListener

    def inbox(self, uid: InstanceUid) -> None:
        self._hear()
        self._engine.inbox(uid)

    def lost(self, version: VersionId) -> None:
        self._losses.append(version)
        self._hear()
        self._engine.lost(version)

    def logged(self, version: VersionId, uid: InstanceUid | None, level: str, text: str) -> None:
        self._logs.append((uid, text))
        self._hear()
        self._engine.logged(version, uid, level, text)

    # ------------------------------------------------------------------ helpers

    def _start_hosts(self) -> None:
        async def source(version: VersionId) -> Module:
            module = await self._store.get_module(version)
            if module is None:
                raise LookupError(version)
            return module

        self._host = HostPool(source, HostLimits(spares=0))
        self._host.listen(self)
        self._hosts.push_async_callback(self._host.close)

    async def _start(self) -> None:
        store, host = self._traffic.watch(self._store), self._traffic.watch(self._host)
        self._engine = Engine(store, host, self.clock, self._publish, self._limits)
        self._machines = Machines(store, cast("MachineHost", _Inspector(host)), self.clock, self._entropy)
        await self._running.enter_async_context(self._engine)

    def _publish(self, instance: Instance, transitions: Sequence[Transition], position: int) -> None:  # noqa: ARG002
        self._heads[instance.uid] = instance
        if transitions:
            self._histories.setdefault(instance.key, []).extend(transitions)
        else:
            self._histories.pop(instance.key, None)
        self._hear()

    def _hear(self) -> None:
        self._news += 1
        self._told.set()

    async def _ask_processes(self) -> None:
        """Ask every process something: what it had to say before its answer has then been heard."""
        for version in self._versions:
            if self._host.pid_of(version):
                try:
                    await self._host.allow_read(Address(version, _NOBODY), 0, "null", None)
                except HostLost:
                    self._news += 1


def _module(source: Path | str) -> Module:
    if isinstance(source, str):
        return Module(source, Language.TYPESCRIPT)
    language = Language.JAVASCRIPT if source.suffix in {".js", ".mjs"} else Language.TYPESCRIPT
    return Module(source.read_text(encoding="utf-8"), language)
