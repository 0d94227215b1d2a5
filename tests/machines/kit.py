"""A scene: one instance of an example machine on a Lab, and a script of what was done to it.

The same scenario runs as it is, with the instance put out of memory before each act, and, from the script it
left, on XState itself (`native.ts`).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stateward_server.testing.durations import milliseconds
from stateward_server.testing.lab import Lab, LabInstance, LabMachine

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / "docs" / "examples" / "workflows"

AS_IT_IS = "as-it-is"
FORGETFUL = "forgetful"
"""Out of memory before each act."""


@dataclass(slots=True)
class Scene:
    """The stage of one scenario."""

    lab: Lab
    machine: LabMachine
    mode: str = AS_IT_IS
    script: list[list[Any]] = field(default_factory=list)
    _instance: LabInstance | None = None

    @classmethod
    @asynccontextmanager
    async def of(cls, file: str) -> AsyncIterator[Scene]:
        async with Lab.open() as lab:
            yield cls(lab, await lab.machine(WORKFLOWS / file))

    @property
    def instance(self) -> LabInstance:
        assert self._instance is not None, "begin first"
        return self._instance

    async def begin(self, context: object = None, name: str = "one") -> None:
        """Create the instance; what was done before belongs to another play."""
        self.script = [["begin", context]]
        self._instance = await self.machine.create(f"{name}-{self.mode}", context=context)

    async def send(self, event: str, *, auth: object = None, **data: Any) -> None:
        self.script.append(["send", {"type": event, **data}])
        await self._forget()
        await self.instance.send(event, auth=auth, **data)

    async def advance(self, span: int | str) -> None:
        self.script.append(["advance", milliseconds(span)])
        await self._forget()
        await self.lab.advance(span)

    async def _forget(self) -> None:
        if self.mode == FORGETFUL:
            await self.lab.passivate()

    @property
    def value(self) -> Any:
        return self.instance.value

    @property
    def public(self) -> Any:
        return self.instance.public

    @property
    def tags(self) -> tuple[str, ...]:
        return self.instance.tags

    @property
    def done(self) -> bool:
        return self.instance.state.status == "done"

    @property
    def output(self) -> Any:
        return self.instance.state.output

    async def timers(self) -> list[int]:
        """In how many milliseconds each pending timer fires."""
        return [timer.in_ms for timer in await self.instance.timers()]

    def trace(self) -> list[str]:
        """Every state of the instance, in a form that can be compared."""
        return trace(self.instance)


def trace(instance: LabInstance) -> list[str]:
    """Every state of an instance, in a form that can be compared."""
    return [
        json.dumps([state.value, list(state.tags), state.public, state.status], sort_keys=True)
        for state in instance.history
    ]


Play = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A machine and what is played with it. The last instance is what is compared with XState itself."""

    file: str
    play: Play

    @property
    def id(self) -> str:
        return f"{self.file}-{self.play.__name__}"


SCENARIOS: list[Scenario] = []


def scenario(file: str) -> Callable[[Play], Play]:
    """Put a function on the list of scenarios."""

    def enlist(play: Play) -> Play:
        SCENARIOS.append(Scenario(file, play))
        return play

    return enlist
