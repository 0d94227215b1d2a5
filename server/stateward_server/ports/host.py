"""The seam to what runs user code. A host is a function, not an owner: it sees no store and no clock of ours.

Versions are addressed by id; the host fetches a module's source itself through `ModuleSource`.
Faults are raised as `HostLost`; everything a machine does wrong is an outcome, not an exception.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from stateward_server.model.machine import Inspection, Module
from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.model.step import Denied, Failed, Input, Outcome, Question, Resume, StepReply

ModuleSource: TypeAlias = Callable[[VersionId], Awaitable[Module]]
"""Fetch the module of a version that is known to exist."""


class HostLost(Exception):
    """The process that held the instance died before it answered; nothing of the step has happened."""


class HostListener(Protocol):
    """What a host tells the engine unasked. Calls return at once and never raise."""

    def inbox(self, uid: InstanceUid) -> None:
        """A child has sent the machine an event: an InboxInput is wanted."""
        ...

    def lost(self, version: VersionId) -> None:
        """The process of this version died, and every running child of its instances with it."""
        ...

    def logged(self, version: VersionId, uid: InstanceUid | None, level: str, text: str) -> None:
        """User code wrote to its console, or an effect failed after its commit (level `error`)."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """Which instance of which version a call is about."""

    version: VersionId
    uid: InstanceUid


class MachineHost(Protocol):
    """Runs the machines of many versions. `revision` names the snapshot a call builds on."""

    async def inspect(self, module: Module) -> Inspection:
        """Load a module in a process of its own and check it.

        Raises InvalidArgument: MODULE_SYNTAX_ERROR (line, column), MODULE_LOAD_FAILED, MODULE_EXPORT_MISSING,
        MODULE_XSTATE_UNSUPPORTED, MODULE_TIMED_OUT, MODULE_OUT_OF_MEMORY.
        """
        ...

    async def start(
        self, at: Address, instance_name: str, context_json: str | None, auth_json: str | None
    ) -> Outcome:
        """Authorise creation and compute the initial state (revision 1), recording its effects."""
        ...

    async def step(
        self, at: Address, revision: int, inputs: Sequence[Input], resume: Resume | None
    ) -> StepReply:
        """Authorise and compute transitions one after the other on the snapshot of `revision`.

        Steps that succeed stack up: the n-th is revision `revision + n` until `commit` or `abort`.
        A call implies `commit(revision)` for effect-free steps at or below `revision`.
        """
        ...

    def commit(self, at: Address, revision: int) -> bool:
        """Run the recorded effects of every step up to `revision`: the ledger has them.

        False when the process that recorded them is gone, and they with it.
        """
        ...

    def abort(self, at: Address, revision: int) -> None:
        """Forget every step above `revision`: the ledger refused them."""
        ...

    async def allow_read(
        self, at: Address, revision: int, auth_json: str, resume: Resume | None
    ) -> bool | None:
        """Ask the machine whether this caller may read that snapshot; None means: ask again with a Resume.

        With a Resume the answer is about the snapshot it carries, and nothing is kept.
        """
        ...

    async def judge(self, at: Address, question: Question, auth_json: str) -> Denied | Failed | None:
        """Ask the machine's authoriser as a call of this caller would, without the call; None allows.

        Nothing is computed or kept, and what the host holds of the instance is not looked at.
        """
        ...

    def stop_children(self, at: Address) -> None:
        """Stop every running service of the instance; each is reported lost before the next input."""
        ...

    def evict(self, at: Address) -> None:
        """Forget an instance that has no running service."""
        ...
