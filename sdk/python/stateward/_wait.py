"""What a reply waits for after the commit: the public `Wait`.

A value only; the server does the waiting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar


class Point(Enum):
    """A point in the life of an instance."""

    COMMITTED = "committed"
    SETTLED = "settled"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class InState:
    """A state node is active."""

    path: str


@dataclass(frozen=True, slots=True)
class HasTag:
    """A state with this tag is active."""

    tag: str


@dataclass(frozen=True, slots=True)
class Wait:
    """What a reply waits for, once the transition is on disk.

    Use `Wait.COMMITTED`, `Wait.SETTLED` (the default of every call), `Wait.DONE`, `Wait.state("paid")` or
    `Wait.tag("ready")`, each with `.within(seconds)` for its own limit. When the limit passes first, the
    reply carries the newest state and its `condition_met` is False; that is no error.
    """

    until: Point | InState | HasTag
    timeout: float | None = None

    COMMITTED: ClassVar[Wait]
    """Reply as soon as the transition is on disk."""
    SETTLED: ClassVar[Wait]
    """Reply when no service of the machine is running any more."""
    DONE: ClassVar[Wait]
    """Reply when the machine has ended."""

    def __post_init__(self) -> None:
        if self.timeout is not None and not self.timeout > 0:
            raise ValueError(f"a wait needs a timeout above 0 seconds, got {self.timeout}")

    @classmethod
    def state(cls, path: str, *, timeout: float | None = None) -> Wait:
        """Wait until a state is active, given as a dotted path such as `"checkout.paying"`.

        Args:
            path: The state's dotted path below the root.
            timeout: Seconds to wait; by default, and at most, what the server allows (90 s).
        """
        return cls(InState(_text(path, "state path")), timeout)

    @classmethod
    def tag(cls, tag: str, *, timeout: float | None = None) -> Wait:
        """Wait until a state with this tag is active.

        Args:
            tag: The tag.
            timeout: Seconds to wait; by default, and at most, what the server allows (90 s).
        """
        return cls(HasTag(_text(tag, "tag")), timeout)

    def within(self, timeout: float) -> Wait:
        """Return the same wait with a limit in seconds."""
        return replace(self, timeout=timeout)


def _text(value: str, what: str) -> str:
    if not value:
        raise ValueError(f"a wait needs a {what}, got an empty string")
    return value


Wait.COMMITTED = Wait(Point.COMMITTED)
Wait.SETTLED = Wait(Point.SETTLED)
Wait.DONE = Wait(Point.DONE)
