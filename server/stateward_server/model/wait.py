"""What a reply waits for after the commit, and how it tells that the moment has come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from stateward_server.model.ledger import Transition
from stateward_server.model.step import Status, View


class Until(Enum):
    """The kinds of moment a caller can wait for."""

    COMMITTED = "committed"
    SETTLED = "settled"
    DONE = "done"
    STATE = "state"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Wait:
    """A condition on a view; `match` is the state or the tag, `timeout_ms` counts from the commit."""

    until: Until
    timeout_ms: int
    match: str = ""

    def met(self, view: View) -> bool:
        """Tell whether a state of this view is what the caller waits for."""
        match self.until:
            case Until.COMMITTED:
                return True
            case Until.SETTLED:
                return view.settled
            case Until.DONE:
                return view.status is Status.DONE
            case Until.STATE:
                return self.match in view.states
            case Until.TAG:
                return self.match in view.tags

    def hopeless(self, view: View) -> bool:
        """Tell whether the condition can no longer come true: the machine has ended without it."""
        return view.status is not Status.ACTIVE


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to an event: its own transition, and the newest one when the wait was over."""

    own: Transition
    latest: Transition
    met: bool
    replayed: bool
