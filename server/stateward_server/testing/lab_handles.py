"""What a test holds of a Lab: a machine, an instance, a state. Made by `Lab.machine`, not by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stateward_server.model.ledger import InstanceKey, TimerRow, Transition
from stateward_server.model.machine import Version
from stateward_server.model.names import MachineName, instance_name


@dataclass(frozen=True, slots=True)
class State:
    """One committed state of an instance, and what led to it."""

    revision: int
    value: Any
    """XState's state value: a string or nested dictionaries."""
    states: tuple[str, ...]
    """Active state nodes as dotted paths."""
    tags: tuple[str, ...]
    public: Any
    """The object under `context.public`."""
    context: Any
    """The whole context, which only a test may see."""
    status: str
    settled: bool
    cause: str
    event: dict[str, Any]
    output: Any
    time_ms: int

    @classmethod
    def of(cls, transition: Transition) -> State:
        """Read a transition of the ledger."""
        view, stored = transition.view, json.loads(transition.snapshot_json)
        return cls(
            revision=transition.revision,
            value=json.loads(view.value_json),
            states=view.states,
            tags=view.tags,
            public=None if view.public_json is None else json.loads(view.public_json),
            context=stored.get("context"),
            status=view.status.value,
            settled=view.settled,
            cause=transition.cause.value,
            event=json.loads(transition.event_json),
            output=stored.get("output"),
            time_ms=transition.time_ms,
        )


@dataclass(frozen=True, slots=True)
class Pending:
    """A timer that has not fired: what it will send, and in how many milliseconds."""

    id: str
    in_ms: int
    event: dict[str, Any]


class Bench(Protocol):
    """What handles ask of their Lab."""

    async def create(self, key: InstanceKey, version: Version, context: object, auth: object) -> None: ...

    async def send(self, key: InstanceKey, event: object, auth: object) -> None: ...

    async def timers_of(self, key: InstanceKey) -> Sequence[TimerRow]: ...

    async def wait_for(self, met: Callable[[], bool]) -> None: ...

    def history_of(self, key: InstanceKey) -> Sequence[Transition]: ...

    def logs_of(self, key: InstanceKey) -> list[str]: ...

    def now_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class LabMachine:
    """A published machine."""

    bench: Bench
    name: MachineName
    version: Version

    async def create(self, name: str, *, context: object = None, auth: object = None) -> LabInstance:
        """Create an instance and let it rest. Raises StatewardError."""
        key = InstanceKey(self.version.org, self.name, instance_name(name))
        await self.bench.create(key, self.version, context, {} if auth is None else auth)
        return LabInstance(self.bench, key)

    def instance(self, name: str) -> LabInstance:
        """Return a handle without creating anything."""
        return LabInstance(self.bench, InstanceKey(self.version.org, self.name, instance_name(name)))


@dataclass(frozen=True, slots=True)
class LabInstance:
    """One instance; its properties tell of the last committed state."""

    bench: Bench
    key: InstanceKey

    async def send(self, event: str | dict[str, Any], *, auth: object = None, **data: Any) -> State:
        """Send an event, let all it causes happen, and return the state then. Raises StatewardError."""
        whole = {"type": event, **data} if isinstance(event, str) else {**event, **data}
        await self.bench.send(self.key, whole, {} if auth is None else auth)
        return self.state

    async def until(self, path: str) -> State:
        """Wait, in real time, until a state is active: for services that take real time to answer."""
        await self.bench.wait_for(lambda: path in self.state.states)
        return self.state

    async def settled(self) -> State:
        """Wait, in real time, until no service runs."""
        await self.bench.wait_for(lambda: self.state.settled)
        return self.state

    async def timers(self) -> list[Pending]:
        """Return the pending timers, the next one first."""
        rows = await self.bench.timers_of(self.key)
        now = self.bench.now_ms()
        pending = [Pending(row.id, row.due_ms - now, json.loads(row.event_json)) for row in rows]
        return sorted(pending, key=lambda timer: (timer.in_ms, timer.id))

    @property
    def state(self) -> State:
        return State.of(self.bench.history_of(self.key)[-1])

    @property
    def history(self) -> list[State]:
        """Every committed state since the Lab was opened, oldest first."""
        return [State.of(one) for one in self.bench.history_of(self.key)]

    @property
    def values(self) -> list[Any]:
        """The state value of every transition, oldest first."""
        return [state.value for state in self.history]

    @property
    def value(self) -> Any:
        return self.state.value

    @property
    def public(self) -> Any:
        return self.state.public

    @property
    def tags(self) -> tuple[str, ...]:
        return self.state.tags

    @property
    def logs(self) -> list[str]:
        """What the instance's code wrote to its console or logged, and what of its effects failed."""
        return self.bench.logs_of(self.key)
