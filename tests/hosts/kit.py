"""What the host tests share: a rig that runs modules given as text, driving instances as the engine does."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from stateward_server.model.limits import HostLimits
from stateward_server.model.machine import Language, Module
from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.model.step import (
    EventInput,
    Failed,
    InboxInput,
    Input,
    NeedSnapshot,
    Outcome,
    Outcomes,
    Resume,
    Step,
    StepReply,
)
from stateward_server.ports.host import Address, HostLost
from stateward_server.runtime.pool import HostPool
from stateward_server.testing.host_listener import RecordingListener

AUTH = '{"sub":"ann"}'
ALLOW = "export const allowRead = () => true; export const allowWrite = () => true;\n"
_ids = itertools.count(1)


class Rig:
    """A pool, its listener, and modules by the order they came in."""

    def __init__(self, limits: HostLimits | None = None) -> None:
        self.modules: dict[VersionId, Module] = {}
        self.listener = RecordingListener()
        self.pool = HostPool(self._source, limits)
        self.pool.listen(self.listener)

    async def _source(self, version: VersionId) -> Module:
        return self.modules[version]

    def version(self, source: str, language: Language = Language.TYPESCRIPT) -> VersionId:
        version = VersionId(f"v{next(_ids)}")
        self.modules[version] = Module(source, language)
        return version

    async def start(self, source: str, context: object = None) -> Driven:
        """Start an instance of a module and commit it."""
        return await self.instance(self.version(source), context)

    async def instance(self, version: VersionId, context: object = None) -> Driven:
        at = Address(version, InstanceUid(next(_ids)))
        outcome = await self.pool.start(at, "one", None if context is None else json.dumps(context), AUTH)
        assert isinstance(outcome, Step), outcome
        driven = Driven(self, at)
        driven.keep([outcome])
        return driven

    async def failing_start(self, source: str) -> Outcome:
        return await self.pool.start(
            Address(self.version(source), InstanceUid(next(_ids))), "one", None, AUTH
        )


class Driven:
    """One instance: remembers its revision and its newest step."""

    def __init__(self, rig: Rig, at: Address) -> None:
        self.rig = rig
        self.at = at
        self.revision = 0
        self.last: Step | None = None

    @property
    def step(self) -> Step:
        assert self.last is not None
        return self.last

    @property
    def value(self) -> Any:
        return json.loads(self.step.view.value_json)

    @property
    def context(self) -> Any:
        return json.loads(self.step.snapshot_json)["context"]

    @property
    def resume(self) -> Resume:
        return Resume("one", self.step.snapshot_json)

    def keep(self, outcomes: Sequence[Outcome]) -> None:
        """Commit the steps among the outcomes."""
        for outcome in outcomes:
            if isinstance(outcome, Step):
                self.revision += 1
                self.last = outcome
        self.rig.pool.commit(self.at, self.revision)

    async def ask(self, *inputs: Input, resume: bool = False) -> StepReply:
        """Have inputs computed, commit nothing; try once more when the host was lost, as the engine does."""
        given = self.resume if resume else None
        try:
            reply = await self.rig.pool.step(self.at, self.revision, inputs, given)
        except HostLost:
            reply = await self.rig.pool.step(self.at, self.revision, inputs, self.resume)
        if isinstance(reply, NeedSnapshot):
            reply = await self.rig.pool.step(self.at, self.revision, inputs, self.resume)
        return reply

    async def outcome(self, event: str | dict[str, object], auth: str | None = AUTH) -> Outcome:
        """Send one event, commit its step, return what became of it."""
        given = {"type": event} if isinstance(event, str) else event
        return await self.take(EventInput(json.dumps(given), auth))

    async def take(self, one: Input, *, resume: bool = False) -> Outcome:
        reply = await self.ask(one, resume=resume)
        assert isinstance(reply, Outcomes), reply
        (outcome,) = reply.items
        self.keep([outcome])
        return outcome

    async def send(self, event: str | dict[str, object], auth: str | None = AUTH) -> Step:
        outcome = await self.outcome(event, auth)
        assert isinstance(outcome, Step), outcome
        return outcome

    async def fails(self, event: str | dict[str, object]) -> Failed:
        outcome = await self.outcome(event)
        assert isinstance(outcome, Failed), outcome
        return outcome

    async def hear(self) -> Step:
        """Wait for something from a child and take it."""
        assert await self.rig.listener.next_inbox() == self.at.uid
        outcome = await self.take(InboxInput())
        assert isinstance(outcome, Step), outcome
        return outcome
