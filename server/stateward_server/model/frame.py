"""What a subscriber gets: frames, each with the token that continues right after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from stateward_server.model.ledger import Transition


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state when the watch began."""

    token: str
    transition: Transition


@dataclass(frozen=True, slots=True)
class Changes:
    """Transitions that followed, oldest first; at least one."""

    token: str
    transitions: tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """Nothing new, and nothing at or below `revision` is still to come."""

    token: str
    revision: int


@dataclass(frozen=True, slots=True)
class Draining:
    """The server is about to stop: resume elsewhere or later."""

    token: str


Frame: TypeAlias = Snapshot | Changes | Progress | Draining
