"""`stateward serve` that kills itself with SIGKILL at a named point of a turn, when told to.

Run as `doomed.py POINT ARMED serve …`: the process dies when it comes to POINT while the file ARMED exists,
and removes the file first, so that the next one lives. The points are methods of the real rooms, hooked from
here: the server itself knows nothing of this.
"""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stateward_server.cli.main import main
from stateward_server.engine.timers import TimerQueue
from stateward_server.engine.waiters import Waiters
from stateward_server.runtime.pool import HostPool
from stateward_server.store.sqlite import schema
from stateward_server.store.sqlite.ledger import SqliteLedger
from stateward_server.watch.hub import Hub

POINTS: dict[str, tuple[Any, str, bool]] = {
    "before the commit": (SqliteLedger, "apply", False),
    "after the commit": (SqliteLedger, "apply", True),
    "before publishing": (Hub, "publish", False),
    "before the effects": (HostPool, "commit", False),
    "before the reply": (Waiters, "answer", False),
    "before arming a timer": (TimerQueue, "arm", False),
    "during a migration": (schema, "_check_ours", True),
}
"""Where a server can be made to die: an owner, its method, and whether the method has done its work."""


def doom(point: str, armed: Path) -> None:
    """Hook the point."""
    owner, name, afterwards = POINTS[point]
    original: Callable[..., Any] = getattr(owner, name)

    def die() -> None:
        if armed.exists():
            armed.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    async def later(*args: Any, **options: Any) -> Any:
        if not afterwards:
            die()
        result = await original(*args, **options)
        if afterwards:
            die()
        return result

    def now(*args: Any, **options: Any) -> Any:
        if not afterwards:
            die()
        result = original(*args, **options)
        if afterwards:
            die()
        return result

    setattr(owner, name, later if inspect.iscoroutinefunction(original) else now)


if __name__ == "__main__":
    doom(sys.argv[1], Path(sys.argv[2]))
    sys.argv = ["stateward", *sys.argv[3:]]
    main()
