"""Machines in Python, for the fake host: what one is, and that of the host suite.

A test with other needs writes its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeAlias

from stateward_server.model.step import (
    CancelTimer,
    Message,
    Ref,
    SendParent,
    SendTo,
    SetTimer,
    Spawn,
    TimerOp,
)

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a fake machine does with an event: where it goes and what it wants done after the commit."""

    value: str
    context: Json
    timer: tuple[str, int, str] | None = None
    """Id, delay in milliseconds and event type of the timer the new state waits for."""
    service: str | None = None
    """The service that runs in the new state."""
    says: str | None = None
    """What is written to the console after the commit."""
    done: bool = False
    messages: tuple[Message, ...] = ()
    child: tuple[str, Ref] | None = None
    """The other instance that is a child of the machine while it is in the new state, and its id."""
    far: TimerOp | None = None
    """What is set, or cancelled, of the timers whose events go to other instances."""


class FakeMachine(Protocol):
    """A machine in Python. Raises whatever it likes: that is MACHINE_THREW."""

    def start(self, context: Json | None) -> Reaction: ...

    def react(self, value: str, context: Json, event: Json) -> Reaction | None:
        """Return what an event does, None when the machine has no transition for it."""
        ...

    def finishes(self, service: str) -> bool:
        """Whether the service succeeds as soon as it runs; otherwise it runs until it is stopped."""
        ...

    def allows(self, auth: Json, event: Json | None) -> bool:
        """Answer for allowRead and allowWrite."""
        ...


_KID = Ref("sample", "kid-1")
_TOGGLE = '{"type":"TOGGLE"}'


class SampleMachine:
    """The machine of the host suite."""

    _MOVES: ClassVar = {
        ("on", "TOGGLE"): Reaction("off", {}),
        ("off", "WAIT"): Reaction("waiting", {}, timer=("after", 1000, "after")),
        ("waiting", "STOP"): Reaction("off", {}),
        ("waiting", "after"): Reaction("off", {}),
        ("off", "WORK"): Reaction("working", {}, service="work"),
        ("off", "STICK"): Reaction("sticking", {}, service="stuck"),
        ("working", "done.work"): Reaction("off", {}),
        ("working", "lost.work"): Reaction("failed", {}),
        ("sticking", "lost.stuck"): Reaction("failed", {}),
        ("off", "PARENT"): Reaction(
            "parenting", {}, messages=(Spawn("kid", _KID, None, '{"count":7}'),), child=("kid", _KID)
        ),
        ("parenting", "TELL"): Reaction("parenting", {}, messages=(SendTo(_KID, _TOGGLE),)),
        ("parenting", "LATER"): Reaction("parenting", {}, far=SetTimer("later", 1000, _TOGGLE, None, _KID)),
        ("parenting", "NEVER"): Reaction("parenting", {}, far=CancelTimer("later")),
        ("parenting", "LEAVE"): Reaction("off", {}),
        ("parenting", "done.kid"): Reaction("off", {}),
        ("parenting", "failed.kid"): Reaction("failed", {}),
    }

    def start(self, context: Json | None) -> Reaction:
        return Reaction("off", {"public": {"count": (context or {}).get("count", 0)}})

    def react(self, value: str, context: Json, event: Json) -> Reaction | None:
        match event["type"]:
            case "REPORT":
                return Reaction(value, context, messages=(SendParent('{"type":"REPORTED"}'),))
            case "SHOUT":
                return Reaction(value, context, says="shout")
            case "BOOM":
                raise RuntimeError("boom")
            case "FINISH":
                return Reaction("over", context, done=True)
            case "TOGGLE" if value == "off":
                return Reaction("on", {"public": {"count": context["public"]["count"] + 1}})
        move = self._MOVES.get((value, event["type"]))
        return replace(move, context=context) if move else None

    def finishes(self, service: str) -> bool:
        return service == "work"

    def allows(self, auth: Json, event: Json | None) -> bool:  # noqa: ARG002 - it looks at the caller only
        return auth.get("ok") is True
