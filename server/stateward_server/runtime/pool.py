"""The machine host: one process for each machine version in use, started when it is first needed.

Implements the MachineHost port. Keeps a spare process warm, bounds how many live and how many start at once,
gives up the idlest when a new version needs room, and never lets one version's fault reach another. Holds no
snapshot: what a lost process knew is told to it again by the caller's Resume.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import HostLimits
from stateward_server.model.machine import Inspection, Module
from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.model.step import (
    Denied,
    Failed,
    InboxInput,
    Input,
    Outcome,
    Outcomes,
    Question,
    Resume,
    Step,
    StepReply,
)
from stateward_server.ports.host import Address, HostListener, HostLost, ModuleSource
from stateward_server.runtime.frames import FrameFault, Json
from stateward_server.runtime.outcomes import (
    input_frame,
    judgement,
    question_frame,
    resume_frame,
    start_reply,
    step_reply,
)
from stateward_server.runtime.process import HostProcess, Refused, Verdict
from stateward_server.runtime.slots import Broken, Slots, load

T = TypeVar("T")

_KEEPS_NOTHING = frozenset({"read", "judge"})

__all__ = ["HostLimits", "HostPool"]


class HostPool:
    """Runs machines in Deno processes. Call `listen` before the first step and `close` at the end."""

    def __init__(self, source: ModuleSource, limits: HostLimits | None = None) -> None:
        self._limits = limits or HostLimits()
        self._slots = Slots(source, self._limits)
        self._inspections = asyncio.Semaphore(self._limits.inspections)

    def listen(self, listener: HostListener) -> None:
        """Tell `listener` what children send, what user code prints, and which processes are lost."""
        self._slots.listen(listener)

    async def close(self) -> None:
        """End every process and wait until they are gone."""
        await self._slots.close()

    def pid_of(self, version: VersionId) -> int:
        """Return the process id of a version's host, 0 when it has none. For operators and measurements."""
        process = self._slots.ready(version)
        return process.pid if process is not None else 0

    def kill(self, version: VersionId) -> None:
        """End a version's process, as the kernel might. For operators and tests."""
        process = self._slots.ready(version)
        if process is not None:
            process.kill()

    async def inspect(self, module: Module) -> Inspection:
        async with self._inspections:
            process = await self._slots.spare()
            try:
                dialect, machine_id = await load(process, module, self._limits)
            except Broken as broken:
                refusal = InvalidArgument(broken.reason, broken.message)
                refusal.metadata.update(broken.metadata)
                raise refusal from None
            finally:
                process.kill()
        return Inspection(dialect, machine_id)

    async def start(
        self, at: Address, instance_name: str, context_json: str | None, auth_json: str | None
    ) -> Outcome:
        try:
            process, result = await self._ask(at, "start", instance_name, context_json, auth_json)
        except Broken as broken:
            return Failed(broken.reason, broken.message)
        if isinstance(result, Verdict):
            return _failed(result)
        outcome = _read(process, start_reply, result)
        if isinstance(outcome, Step):
            _note(process, at.uid, outcome)
        else:
            process.uids.discard(at.uid)
        return outcome

    async def step(
        self, at: Address, revision: int, inputs: Sequence[Input], resume: Resume | None
    ) -> StepReply:
        if self._slots.is_careful(at.version):
            inputs = inputs[:1]
        frames = [input_frame(one) for one in inputs]
        if any(isinstance(one, InboxInput) for one in inputs):
            self._listen_again(at)
        try:
            process, result = await self._ask(at, "step", revision, frames, resume_frame(resume))
        except Broken as broken:
            return Outcomes((Failed(broken.reason, broken.message),))
        if isinstance(result, Verdict):
            if len(inputs) == 1:
                return Outcomes((_failed(result),))
            # One of them ended the process. Taken one at a time, the next round will tell which.
            self._slots.be_careful(at.version)
            raise HostLost("the host process ended while it took a batch")
        reply = _read(process, lambda wire: step_reply(wire, inputs), result)
        if isinstance(reply, Outcomes):
            for outcome in reply.items:
                if isinstance(outcome, Step):
                    _note(process, at.uid, outcome)
        return reply

    def commit(self, at: Address, revision: int) -> bool:
        process = self._slots.ready(at.version)
        if process is None or at.uid not in process.uids:
            return False
        process.recorded.discard(at.uid)
        process.run("commit", at.uid, revision)
        return True

    def abort(self, at: Address, revision: int) -> None:
        process = self._slots.ready(at.version)
        if process is not None:
            process.recorded.discard(at.uid)
        self._post(at, "abort", revision)
        if process is not None and revision == 0:
            process.uids.discard(at.uid)

    async def allow_read(
        self, at: Address, revision: int, auth_json: str, resume: Resume | None
    ) -> bool | None:
        try:
            _, result = await self._ask(at, "read", revision, auth_json, resume_frame(resume))
        except Broken as broken:
            raise HostLost(f"{broken.reason}: {broken.message}") from None
        if isinstance(result, Verdict):
            return False
        return result if result is None else result is True

    async def judge(self, at: Address, question: Question, auth_json: str) -> Denied | Failed | None:
        try:
            process, result = await self._ask(at, "judge", question_frame(question), auth_json)
        except Broken as broken:
            return Failed(broken.reason, broken.message)
        return _failed(result) if isinstance(result, Verdict) else _read(process, judgement, result)

    def stop_children(self, at: Address) -> None:
        self._post(at, "stop")

    def evict(self, at: Address) -> None:
        self._post(at, "drop")
        process = self._slots.ready(at.version)
        if process is not None:
            process.uids.discard(at.uid)
            process.unsettled.discard(at.uid)
            process.recorded.discard(at.uid)
            process.announced.discard(at.uid)

    def _listen_again(self, at: Address) -> None:
        """What the inbox has is about to be asked for, so it may be announced anew."""
        process = self._slots.ready(at.version)
        if process is not None:
            process.announced.discard(at.uid)

    def _post(self, at: Address, op: str, *args: object) -> None:
        process = self._slots.ready(at.version)
        if process is not None and at.uid in process.uids:
            process.post(op, at.uid, *args)

    async def _ask(self, at: Address, op: str, *args: object) -> tuple[HostProcess, Json | Verdict]:
        """Send a request about an instance and wait for the answer. Raises Broken, HostLost."""
        while True:
            process = self._slots.ready(at.version) or await self._slots.process(at.version)
            process.used = self._slots.tick()
            turn = process.turn
            if turn is None:
                return process, await self._request(process, op, at.uid, args)
            async with turn:
                await process.quiet()
                if process.alive:
                    return process, await self._request(process, op, at.uid, args)
            # It ended while this waited for its turn: nothing was sent, so ask the next one.

    async def _request(
        self, process: HostProcess, op: str, uid: InstanceUid, args: tuple[object, ...]
    ) -> Json | Verdict:
        if op not in _KEEPS_NOTHING:
            process.uids.add(uid)
        try:
            return await process.request(op, uid, *args)
        except Refused as refused:
            # The worker itself failed; what it holds can be trusted no more.
            process.kill()
            raise HostLost(f"{refused.reason}: {refused.message}") from refused


def _read(process: HostProcess, parse: Callable[[Json], T], wire: Json) -> T:
    try:
        return parse(wire)
    except FrameFault as fault:
        process.kill()
        raise HostLost(str(fault)) from fault


def _failed(verdict: Verdict) -> Failed:
    return Failed(f"MACHINE_{verdict.kind}", f"the machine was stopped: {verdict.message}")


def _note(process: HostProcess, uid: InstanceUid, step: Step) -> None:
    """Remember what would be lost with the process: the one with the least to lose is given up first."""
    if step.effects:
        process.recorded.add(uid)
    if step.view.settled:
        process.unsettled.discard(uid)
    else:
        process.unsettled.add(uid)
