"""What every actor shares: the collaborators of the engine, in one place and read-only."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from stateward_server.engine.alarms import Alarms
from stateward_server.engine.committer import Committer, Publish
from stateward_server.model.ledger import TimerRow
from stateward_server.model.limits import EngineLimits
from stateward_server.ports.clock import Clock
from stateward_server.ports.host import MachineHost
from stateward_server.ports.store import Ledger, Timers


@dataclass(frozen=True, slots=True)
class Room:
    """Collaborators of an actor. The callables return at once and never raise."""

    host: MachineHost
    ledger: Ledger
    timers: Timers
    committer: Committer
    clock: Clock
    alarms: Alarms
    limits: EngineLimits
    epoch: int
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    """Run a task as a child of the engine."""
    publish: Publish
    arm: Callable[[TimerRow], None]
    """Tell the timer room of a committed timer."""
    owed: Callable[[], None]
    """Tell the relay that parcels were committed."""
