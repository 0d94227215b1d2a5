"""One host process: a Deno with its socket, the requests it owes, and its end.

Requests go out in one write per turn of the event loop and are answered in order, but for those whose
authoriser made a promise. A process that does not answer in time is killed. If it owed one answer, that
request gets the blame as a Verdict; if it owed several, any may be to blame (answers leave together, so the
first that is missing need not be the one it was at), and all learn with HostLost that nothing of theirs
happened. Neither can user code that has got hold of its voice promise answers for ever, or flood the server
with what nobody asked for. Knows no versions.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from asyncio import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from stateward_server.model.limits import HostLimits
from stateward_server.ports.host import HostLost
from stateward_server.runtime import command
from stateward_server.runtime.frames import FrameFault, FrameReader, Json, encode

_STDERR_BYTES = 4_000
_CONNECT_SECONDS = 20
_NOISE = 1_000
"""What a process may tell in a second beyond the lines of its console; it bounds itself to much less."""
_IN_A_ROW = 100
"""Authorisers that one promised answer may have to wait for: more than a batch has events."""
_LEVELS = frozenset({"debug", "info", "warning", "error"})
_OUT_OF_MEMORY = {-signal.SIGTRAP, -signal.SIGABRT, -signal.SIGILL, -signal.SIGSEGV}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the process ended, told to the request it was at. `kind` is the tail of the error reason."""

    kind: str
    message: str


class Refused(Exception):
    """The process answered a request with an error."""

    def __init__(self, reason: str, message: str, metadata: dict[str, Json]) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = metadata


class ProcessOwner(Protocol):
    """What a process tells unasked. Calls return at once and never raise."""

    def inbox(self, uid: int) -> None: ...

    def logged(self, uid: int | None, level: str, text: str) -> None: ...

    def ended(self, process: HostProcess) -> None: ...


class HostProcess(asyncio.Protocol):
    """Call `start` first; then `request`, `run` and `post`; `kill` at any time."""

    def __init__(self, limits: HostLimits) -> None:
        self.owner: ProcessOwner | None = None
        self.uids: set[int] = set()
        self.unsettled: set[int] = set()
        """Instances with running services."""
        self.recorded: set[int] = set()
        """Instances with effects that wait for their commit."""
        self.announced: set[int] = set()
        """Instances whose inbox has something, which nobody has asked for since it was said."""
        self.used = 0
        self.used_s = 0.0
        """Processor time at the last look."""
        self.turn: asyncio.Lock | None = None
        """Held by whoever asks something, when only one at a time may."""
        self.ambiguous = False
        """It was ended by one of several requests, and nobody can tell which."""
        self.gone: Future[None] = asyncio.get_running_loop().create_future()
        """Done when the process has ended and nothing of it is left open."""
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(limits.frame_bytes)
        self._transport: asyncio.WriteTransport | None = None
        self._child: asyncio.SubprocessTransport | None = None
        self._connected: Future[None] = self._loop.create_future()
        self._out: list[bytes] = []
        self._pending: dict[int, Future[Json | Verdict] | None] = {}
        self._promised: dict[int, Future[Json | Verdict] | None] = {}
        self._due: dict[int, float] = {}
        """Until when an answer that was promised has to come."""
        self._second = 0
        self._told = 0
        self._quiet: Future[None] | None = None
        self._last_id = 0
        self._progress = 0.0
        self._deadline: asyncio.TimerHandle | None = None
        self._verdict: Verdict | None = None
        self._stderr = b""
        self.alive = True

    async def start(self) -> None:
        """Start the process and wait until it is connected. Raises HostLost, having left nothing behind."""
        folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="stateward-host-")
        socket = Path(folder) / "s"
        server = await self._loop.create_unix_server(lambda: self, str(socket))
        try:
            await self._spawn(socket)
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._connected
        except TimeoutError as error:
            raise HostLost("a host process did not start in time") from error
        finally:
            server.close()
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            if self._transport is None:
                self.kill()

    async def _spawn(self, socket: Path) -> None:
        try:
            child, _ = await self._loop.subprocess_exec(
                lambda: _Child(self),
                *command.arguments(socket, self._limits),
                env=command.environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                cwd="/",
                start_new_session=True,
            )
        except BaseException:
            self.alive = False
            self.gone.set_result(None)
            raise
        self._child = child
        if not self.alive:
            self.kill()
        with contextlib.suppress(ProcessLookupError):
            command.restrain(child.get_pid(), self._limits)
            command.allow_cpu(child.get_pid(), _CONNECT_SECONDS)

    @property
    def pid(self) -> int:
        return self._child.get_pid() if self._child else 0

    @property
    def asked(self) -> int:
        """How many callers wait for its answers."""
        return sum(future is not None for future in (*self._pending.values(), *self._promised.values()))

    def request(self, op: str, *args: object) -> Future[Json | Verdict]:
        """Send a request; the future yields its result or a Verdict. It raises HostLost or Refused."""
        future: Future[Json | Verdict] = self._loop.create_future()
        if not self.alive:
            future.set_exception(HostLost("the host process has ended"))
            return future
        self._send(future, op, args)
        return future

    async def quiet(self) -> None:
        """Wait until it owes nothing that keeps it busy, or has ended."""
        while self._pending and self.alive:
            if self._quiet is None:
                self._quiet = self._loop.create_future()
            await asyncio.shield(self._quiet)

    def run(self, op: str, *args: object) -> None:
        """Send a request whose answer nobody awaits, but which may be the one that hangs."""
        if self.alive:
            self._send(None, op, args)

    def nudge(self) -> None:
        """Have a process that is in use give a sign of life: what spins unasked would spin for ever."""
        if self.owner is not None and not self._pending:
            self.run("nudge", 0)

    def post(self, op: str, *args: object) -> None:
        """Send what needs no answer."""
        if self.alive:
            self._write(encode([0, op, *args]))

    def kill(self, verdict: Verdict | None = None) -> None:
        if self._verdict is None:
            self._verdict = verdict
        self.alive = False
        if self._child is not None and self._child.get_returncode() is None:
            # Popen.kill would reap a process that has just died, and its exit status would be lost.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child.get_pid(), signal.SIGKILL)

    def _send(self, future: Future[Json | Verdict] | None, op: str, args: tuple[object, ...]) -> None:
        self._last_id = ident = self._last_id + 1
        if not self._pending:
            self._progress = self._loop.time()
        self._pending[ident] = future
        if self._deadline is None:
            self._watch()
        self._write(encode([ident, op, *args]))

    def _write(self, frame: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)

    def _flush(self) -> None:
        frames, self._out = self._out, []
        # A process that was killed a moment ago: whoever waits for it hears of its end.
        if frames and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(frames) if len(frames) > 1 else frames[0])

    def _watch(self) -> None:
        """Look now and then whether the process still answers; a timer per request would cost more."""
        seconds = self._limits.deadline_ms / 1000
        self._deadline = None
        if not (self._pending or self._promised) or not self.alive:
            return
        now = self._loop.time()
        left = self._progress + seconds - now if self._pending else seconds
        if left <= 0:
            busy = f"it kept the processor for more than {self._limits.deadline_ms} ms"
            self.kill(Verdict("TIMED_OUT", busy))
            return
        if self._due and min(self._due.values()) <= now:
            self.kill(Verdict("TIMED_OUT", "it never gave an answer that it had promised"))
            return
        self._deadline = self._loop.call_later(max(left, seconds / 8), self._watch)

    def _promise(self, key: int) -> None:
        """Let an answer come later: it waits for authorisers, or behind others that do."""
        if key in self._pending:
            self._promised[key] = self._pending.pop(key)
            longest = _IN_A_ROW * self._limits.authoriser_ms + self._limits.deadline_ms
            self._due[key] = self._loop.time() + longest / 1000

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The process connects before it loads any code, so whoever comes later is not it.
        if self._transport is not None:
            transport.close()
            return
        self._transport = cast(asyncio.WriteTransport, transport)
        if not self._connected.done():
            self._connected.set_result(None)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                ident = frame[0]
                if ident == 0:
                    self._notified(frame)
                else:
                    self._answered(ident, frame)
        except (FrameFault, IndexError, TypeError, KeyError, AttributeError) as error:
            self.kill(Verdict("THREW", f"its host sent what is no frame: {error}"))
        if self._pending:
            self._progress = self._loop.time()
        elif self._quiet is not None:
            self._silence()

    def _answered(self, ident: Json, frame: list[Json]) -> None:
        key = cast(int, ident)
        if key in self._pending:
            future = self._pending.pop(key)
        elif key in self._promised:
            future = self._promised.pop(key)
            del self._due[key]
        else:
            raise FrameFault("an answer to no request")
        if future is None or future.done():
            return
        if frame[1] == 1:
            future.set_result(frame[2])
        else:
            told = cast(dict[str, Json], frame[2])
            metadata = dict(cast(dict[str, Json], told.get("metadata") or {}))
            future.set_exception(Refused(str(told["reason"]), str(told["message"]), metadata))

    def _silence(self) -> None:
        if self._quiet is not None:
            self._quiet.set_result(None)
            self._quiet = None

    def _notified(self, frame: list[Json]) -> None:
        kind = frame[1]
        if kind == "later":
            self._promise(cast(int, frame[2]))
            return
        if self.owner is None:
            return
        uid = frame[2]
        known = uid if isinstance(uid, int) and uid in self.uids else None
        if kind == "inbox" and known is not None and known not in self.announced:
            self.announced.add(known)
            self.owner.inbox(known)
            return
        self._count()
        if kind == "log":
            level, text = str(frame[3]), str(frame[4])[: self._limits.log_bytes + 1]
            self.owner.logged(known, level if level in _LEVELS else "info", text)

    def _count(self) -> None:
        """Note that the process told something which it could tell without end. Raises FrameFault."""
        second = int(self._loop.time())
        if second != self._second:
            self._second, self._told = second, 0
        self._told += 1
        # Its seconds are not these: twice its lines can come in one.
        if self._told > 2 * self._limits.log_lines + _NOISE:
            raise FrameFault("more than a host has to say")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - its exit tells more
        self.kill()

    def stderr_received(self, data: bytes) -> None:
        self._stderr = (self._stderr + data)[-_STDERR_BYTES:]

    def process_exited(self) -> None:
        """Settle every debt."""
        self.alive = False
        if self._deadline is not None:
            self._deadline.cancel()
        verdict = self._verdict or self._post_mortem()
        # Asked one at a time, it had answered everything before the first it owes.
        if verdict is not None and (len(self._pending) == 1 or (self._pending and self.turn is not None)):
            self._blame(self._pending.pop(next(iter(self._pending))), verdict)
        self.ambiguous = verdict is not None and bool(self._pending)
        for future in (*self._pending.values(), *self._promised.values()):
            if future is not None and not future.done():
                future.set_exception(HostLost("the host process ended before it answered"))
        self._pending.clear()
        self._promised.clear()
        self._silence()
        if not self._connected.done():
            self._connected.set_exception(HostLost(f"a host process did not start: {self._words()}"))
        if self._transport is not None:
            self._transport.close()
        if self.owner is not None:
            self.owner.ended(self)

    def buried(self) -> None:
        """Nothing of the process is left but the transport itself."""
        if self._child is not None:
            self._child.close()
        if not self.gone.done():
            self.gone.set_result(None)

    def _blame(self, future: Future[Json | Verdict] | None, verdict: Verdict) -> None:
        if future is None:
            if self.owner is not None:
                text = f"an effect ended the process of its machine: {verdict.message}"
                self.owner.logged(None, "error", text)
        elif not future.done():
            future.set_result(verdict)

    def _post_mortem(self) -> Verdict | None:
        code = self._child.get_returncode() if self._child else None
        if code in _OUT_OF_MEMORY:
            return Verdict("OUT_OF_MEMORY", f"it used more than {self._limits.heap_mb} MB")
        return None

    def _words(self) -> str:
        return self._stderr.decode(errors="replace").strip()[-500:]


class _Child(asyncio.SubprocessProtocol):
    """The kernel's side of the process: what it complains of, and that it has ended."""

    def __init__(self, process: HostProcess) -> None:
        self._process = process

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - stderr is the only pipe
        self._process.stderr_received(data)

    def process_exited(self) -> None:
        self._process.process_exited()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - its exit tells more
        self._process.buried()
