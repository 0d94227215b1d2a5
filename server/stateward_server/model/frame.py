"""What a subscriber gets: frames, each with the token that continues right after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from stateward_server.model.index import IndexCondition
from stateward_server.model.ledger import Instance, Transition


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


@dataclass(frozen=True, slots=True)
class Filter:
    """Chooses instances by state, tag and values of indexes; empty chooses all."""

    states: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    indexes: frozenset[IndexCondition] = frozenset()

    def matches(self, transition: Transition) -> bool:
        """Tell whether one of the states, and one of the tags, is active, and every condition holds."""
        view = transition.view
        return (
            (not self.states or not self.states.isdisjoint(view.states))
            and (not self.tags or not self.tags.isdisjoint(view.tags))
            and all(each.holds(transition.indexes) for each in self.indexes)
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """An instance and one of its states."""

    instance: Instance
    transition: Transition


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the instances that match when the watch of a machine begins."""

    token: str
    entries: tuple[Entry, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Entered:
    """An instance matches now and did not before."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Changed:
    """An instance matched before and still does."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Left:
    """An instance does not match any more; revision 0 says that it was deleted."""

    instance: Instance
    revision: int


Change: TypeAlias = Entered | Changed | Left


@dataclass(frozen=True, slots=True)
class Stirred:
    """What happened to a machine's instances, in the order it was committed; at least one change."""

    token: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing new, and everything committed before this frame has been sent."""

    token: str


MachineFrame: TypeAlias = Page | Stirred | Idle | Draining
