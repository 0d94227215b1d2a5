"""What an instance owes to others, or to itself: parcels, which are written with the commit that made them.

A parcel is on disk before anyone acts on it, and leaves the disk once it has been dealt with. Its position in
the outbox is its identity: receivers know by it what they have had.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from stateward_server.model.names import InstanceUid
from stateward_server.model.step import Ref


class ParcelKind(Enum):
    """What is to be done with a parcel."""

    EVENT = "event"
    """Send an event; the receiver's `allowWrite` decides."""
    SPAWN = "spawn"
    """Create a child, or adopt the instance that has its name."""
    DONE = "done"
    """Tell the parent that a child has reached its end."""
    FAILED = "failed"
    """Tell the parent that a child has ended on an error."""
    UNBORN = "unborn"
    """Tell the parent that a child it asked for could not be created."""
    SERVICE = "service"
    """Give the machine an event of one of its services once more: it could not take it."""
    LOST = "lost"
    """Tell the machine once more that a service was lost: it could not take it."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One thing that is owed. Names in `to` are a machine's own words, checked on delivery."""

    kind: ParcelKind
    to: Ref
    to_uid: InstanceUid | None = None
    """The very instance that is meant, for words to a parent: not a later one of the same name."""
    child: str = ""
    """The id by which the parent knows the child, or the machine its service."""
    version: str | None = None
    payload_json: str | None = None
    """The event, the initial context, the output or the error; None where there is none."""
    attempt: int = 0
    """How often delivery has failed."""
    not_before_ms: int = 0
