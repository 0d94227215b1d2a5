"""Which process serves which version, and who must go when there are too many.

A version whose process keeps dying waits longer and longer for the next one, so that a poison machine costs
its own users and nobody else. After a death that several requests may have caused, the version is served
carefully for a while: one request at a time, so that the next death has one cause.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from stateward_server.model.index import selector_path
from stateward_server.model.limits import HostLimits
from stateward_server.model.machine import Language, Module
from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.ports.host import HostListener, HostLost, ModuleSource
from stateward_server.runtime import command
from stateward_server.runtime.frames import Json
from stateward_server.runtime.process import HostProcess, Refused, Verdict

_LOOK_SECONDS = 0.5
_BUSY_SECONDS = 0.02
"""Whoever used more of the processor between two looks may be at something endless, beside many others."""
_CPU_LEASE_SECONDS = 60
_FORGET_SECONDS = 30.0
"""A process that lived this long is no sign of a poison version."""
_PATIENCE_SECONDS = (0.0, 0.0, 0.5, 1.0, 2.0, 5.0)
"""How long the next start waits after so many quick deaths."""
_RETRY_LOAD_SECONDS = 5.0
_CAREFUL_SECONDS = 30.0
_BROKEN_BY = {
    "TIMED_OUT": "MODULE_TIMED_OUT",
    "OUT_OF_MEMORY": "MODULE_OUT_OF_MEMORY",
    "THREW": "MODULE_LOAD_FAILED",
}
"""What a module is told that ended its process while it loaded."""
_BYTES_PER_CHAR = 12
"""Of the heap, for each character of the snapshots held in it: most take half of that."""

_REFUSALS = frozenset(
    {"MODULE_EXPORT_MISSING", "MODULE_LOAD_FAILED", "MODULE_SYNTAX_ERROR", "MODULE_XSTATE_UNSUPPORTED"}
)
_METADATA = frozenset({"column", "export", "import", "line"})
_LONGEST = 2_001
_MEDDLED = "the module changes what its process says of it"


class Broken(Exception):
    """A module that cannot be loaded: what its author or its callers are told."""

    def __init__(self, reason: str, message: str, **metadata: Json) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = {key: str(value) for key, value in metadata.items()}


@dataclass(slots=True)
class _Slot:
    """What is known of one version's processes."""

    starting: asyncio.Task[HostProcess] | None = None
    born: float = 0.0
    deaths: int = 0
    not_before: float = 0.0
    careful_until: float = 0.0
    broken: Broken | None = None
    broken_until: float = 0.0


@dataclass(slots=True)
class _Owner:
    """Passes on what a process tells, with the version it belongs to."""

    slots: Slots
    version: VersionId

    def inbox(self, uid: int) -> None:
        listener = self.slots.listener
        if listener is not None:
            listener.inbox(InstanceUid(uid))

    def logged(self, uid: int | None, level: str, text: str) -> None:
        listener = self.slots.listener
        if listener is not None:
            listener.logged(self.version, None if uid is None else InstanceUid(uid), level, text)

    def ended(self, process: HostProcess) -> None:
        self.slots.ended(self.version, process)


class Slots:
    """The processes of a pool. All of its work happens on one event loop."""

    def __init__(self, source: ModuleSource, limits: HostLimits) -> None:
        self.listener: HostListener | None = None
        self._source = source
        self._limits = limits
        self._ready: dict[VersionId, HostProcess] = {}
        self._slots: dict[VersionId, _Slot] = {}
        self._spares: list[asyncio.Task[HostProcess]] = []
        self._all: set[HostProcess] = set()
        self._starts = asyncio.Semaphore(limits.starts)
        self._looking: asyncio.TimerHandle | None = None
        self._ticks = 0
        self._closed = False

    def listen(self, listener: HostListener) -> None:
        self.listener = listener
        self._refill()

    def ready(self, version: VersionId) -> HostProcess | None:
        """Return the version's process if it is up."""
        return self._ready.get(version)

    def tick(self) -> int:
        """Return the next moment of use; a counter tells older from newer without asking the clock."""
        self._ticks += 1
        return self._ticks

    async def process(self, version: VersionId) -> HostProcess:
        """Return the version's process, starting one if need be. Raises Broken, HostLost."""
        slot = self._slots.setdefault(version, _Slot())
        now = asyncio.get_running_loop().time()
        if slot.broken is not None and now < slot.broken_until:
            raise slot.broken
        if slot.starting is None:
            slot.starting = asyncio.create_task(self._bring_up(version, slot))
            slot.starting.add_done_callback(lambda task: _started(slot, task))
        # Many callers wait for one start; the first to give up must not end it for the others.
        return await asyncio.shield(slot.starting)

    async def spare(self) -> HostProcess:
        """Return a fresh process with nothing loaded. Raises HostLost."""
        while self._spares:
            process = await asyncio.shield(self._spares.pop(0))
            if process.alive:
                self._refill()
                return process
        process = await self._start()
        self._refill()
        return process

    def ended(self, version: VersionId, process: HostProcess) -> None:
        """Take leave of a process that has ended, and tell whose services went with it."""
        if self._ready.get(version) is not process:
            return
        del self._ready[version]
        slot = self._slots[version]
        now = asyncio.get_running_loop().time()
        slot.deaths = slot.deaths + 1 if now - slot.born < _FORGET_SECONDS else 1
        if process.ambiguous:
            slot.careful_until = now + _CAREFUL_SECONDS
        slot.not_before = now + _PATIENCE_SECONDS[min(slot.deaths, len(_PATIENCE_SECONDS) - 1)]
        if self.listener is not None and not self._closed:
            self.listener.lost(version)

    def is_careful(self, version: VersionId) -> bool:
        """Whether the version is served one request at a time."""
        process = self._ready.get(version)
        if process is not None:
            return process.turn is not None
        slot = self._slots.get(version)
        return slot is not None and slot.careful_until > asyncio.get_running_loop().time()

    def be_careful(self, version: VersionId) -> None:
        """Serve the next process of this version one request at a time."""
        slot = self._slots.setdefault(version, _Slot())
        slot.careful_until = asyncio.get_running_loop().time() + _CAREFUL_SECONDS

    async def close(self) -> None:
        """End every process, those that are only starting too, and wait until nothing of them is left."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()
        for process in self._all:
            process.kill()
        starting = [slot.starting for slot in self._slots.values() if slot.starting is not None]
        await asyncio.gather(*self._spares, *starting, return_exceptions=True)
        await asyncio.gather(*(process.gone for process in self._all))

    async def _bring_up(self, version: VersionId, slot: _Slot) -> HostProcess:
        loop = asyncio.get_running_loop()
        wait = slot.not_before - loop.time()
        if wait > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(loop.create_future(), wait)
        module = await self._source(version)
        await self._make_room()
        process = await self.spare()
        process.owner = _Owner(self, version)
        try:
            await load(process, module, self._limits)
        except Broken as broken:
            process.kill()
            slot.broken, slot.broken_until = broken, loop.time() + _RETRY_LOAD_SECONDS
            raise
        except BaseException:
            process.kill()
            raise
        if not process.alive:
            raise HostLost("the host process ended as soon as it was up")
        slot.broken, slot.born = None, loop.time()
        process.used = self.tick()
        if slot.careful_until > loop.time():
            process.turn = asyncio.Lock()
            loop.call_at(slot.careful_until, self._relax, process)
        self._ready[version] = process
        return process

    def _relax(self, process: HostProcess) -> None:
        process.turn = None

    async def _make_room(self) -> None:
        """Give up the process that is missed least: with nothing to lose, idle, unused for longest."""
        while len(self._ready) >= max(self._limits.processes, 1):
            version, process = min(self._ready.items(), key=_worth)
            del self._ready[version]
            await process.quiet()  # what it was sent is still done
            process.kill()
            if (process.unsettled or process.recorded) and self.listener is not None:
                self.listener.lost(version)

    async def _start(self) -> HostProcess:
        async with self._starts:
            if self._closed:
                raise HostLost("the server is closing")
            process = HostProcess(self._limits)
            self._all.add(process)
            process.gone.add_done_callback(lambda _: self._all.discard(process))
            if self._looking is None:
                self._look()
            await process.start()
        return process

    def _refill(self) -> None:
        while not self._closed and len(self._spares) < self._limits.spares:
            task = asyncio.create_task(self._start())
            task.add_done_callback(_observe)
            self._spares.append(task)

    def _look(self) -> None:
        """Watch what the kernel's limits do not cover: memory held, and processors kept unasked."""
        if self._closed:
            return
        limit = self._limits.rss_mb * 1024 * 1024
        for process in [process for process in self._all if process.pid]:
            with contextlib.suppress(OSError):
                used_s = command.allow_cpu(process.pid, _CPU_LEASE_SECONDS)
                if used_s - process.used_s > _BUSY_SECONDS:
                    process.nudge()
                process.used_s = used_s
            if command.resident_bytes(process.pid) > limit:
                process.kill(Verdict("OUT_OF_MEMORY", f"it held more than {self._limits.rss_mb} MB"))
        self._looking = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)


async def load(process: HostProcess, module: Module, limits: HostLimits) -> tuple[str, str]:
    """Load a module into a fresh process: dialect and machine id. Raises Broken, HostLost."""
    bounds = {
        "contextBytes": limits.context_bytes,
        "maxIterations": limits.iterations,
        "authoriserMs": limits.authoriser_ms,
        "logBytes": limits.log_bytes,
        "logLines": limits.log_lines,
        "indexValues": limits.index_values,
        "indexValueBytes": limits.index_value_bytes,
        "messages": limits.messages,
        "heldChars": limits.heap_mb * 1024 * 1024 // _BYTES_PER_CHAR,
    }
    selectors = [[index, selector_path(text)] for index, text in module.selectors]
    language = "ts" if module.language is Language.TYPESCRIPT else "js"
    try:
        async with asyncio.timeout(limits.load_ms / 1000):
            result = await process.request("load", module.source, language, bounds, selectors)
    except TimeoutError:
        process.kill()
        text = f"the module took more than {limits.load_ms} ms to evaluate"
        raise Broken("MODULE_TIMED_OUT", text) from None
    except Refused as refused:
        raise _said(refused) from None
    if isinstance(result, Verdict):
        raise Broken(_BROKEN_BY[result.kind], f"the module was stopped while it loaded: {result.message}")
    match result:
        case ["v4" | "v5" as dialect, str(machine_id)]:
            return dialect, machine_id
        case _:
            raise Broken("MODULE_LOAD_FAILED", _MEDDLED)


def _said(refused: Refused) -> Broken:
    """Return why a module was refused. Its code has run by then and may have changed what is said of it."""
    if refused.reason not in _REFUSALS:
        return Broken("MODULE_LOAD_FAILED", _MEDDLED)
    metadata = {key: str(value)[:_LONGEST] for key, value in refused.metadata.items() if key in _METADATA}
    return Broken(refused.reason, refused.message[:_LONGEST], **metadata)


def _worth(pair: tuple[VersionId, HostProcess]) -> tuple[bool, bool, bool, int]:
    """How much would be missed with a process; commits it is still at have been sent and do not count."""
    process = pair[1]
    return bool(process.recorded), bool(process.unsettled), process.asked > 0, process.used


def _started(slot: _Slot, task: asyncio.Task[HostProcess]) -> None:
    slot.starting = None
    _observe(task)


def _observe(task: asyncio.Task[HostProcess]) -> None:
    """Take note of a failure that its waiters, if any are left, are told too."""
    if not task.cancelled():
        task.exception()
