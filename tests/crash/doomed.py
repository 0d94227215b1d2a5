"""`stateward serve` that kills itself with SIGKILL at a named point of a turn, when told to, and a witness.

Run as `doomed.py ARMED WITNESS serve …`. The file ARMED names a point, and how often to let it pass: when the
process comes to it, it removes the file, so that the next one lives, and dies. What machines write to their
consoles is appended to the file WITNESS at once, behind the name of the instance. The points are methods of
the real rooms, hooked from here: the server itself knows nothing of this.
"""

from __future__ import annotations

import inspect
import os
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stateward_server.cli.main import main
from stateward_server.engine.delivery import Delivery
from stateward_server.engine.engine import Engine
from stateward_server.engine.ringing import Ringer
from stateward_server.engine.timers import TimerQueue
from stateward_server.engine.waiters import Waiters
from stateward_server.runtime.pool import HostPool
from stateward_server.store.sqlite import batch, schema
from stateward_server.store.sqlite.ledger import SqliteLedger
from stateward_server.store.sqlite.mail import SqliteMail
from stateward_server.watch.hub import Hub

POINTS: dict[str, tuple[Any, str, bool]] = {
    "before the commit": (SqliteLedger, "apply", False),
    "during the commit": (batch, "_write", True),
    "after the commit": (SqliteLedger, "apply", True),
    "before publishing": (Hub, "publish", False),
    "before the effects": (HostPool, "commit", False),
    "after the effects": (HostPool, "commit", True),
    "before the reply": (Waiters, "answer", False),
    "before arming a timer": (TimerQueue, "arm", False),
    "before delivering a timer": (Ringer, "ring", False),
    "while a service runs": (Engine, "logged", False),
    "as a service speaks": (Engine, "inbox", False),
    "before relaying a message": (Delivery, "deliver", False),
    "after relaying a message": (Delivery, "deliver", True),
    "before forgetting a message": (SqliteMail, "acknowledge", False),
    "after forgetting a message": (SqliteMail, "acknowledge", True),
}
"""Where a server can be made to die: an owner, its method, and whether the method has done its work."""
MIGRATION = "a statement of a migration"
"""One more, passed by in the start only."""


class Doom:
    """Dies where the file says."""

    def __init__(self, armed: Path) -> None:
        self._armed = armed
        self._passed: Counter[str] = Counter()

    def pass_by(self, point: str) -> None:
        """Come to a point."""
        try:
            name, _, times = self._armed.read_text().partition("\n")
        except FileNotFoundError:
            return
        if name != point:
            return
        self._passed[point] += 1
        if self._passed[point] > int(times or 0):
            self._armed.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(self, point: str) -> None:
        owner, name, afterwards = POINTS[point]
        original: Callable[..., Any] = getattr(owner, name)

        async def later(*args: Any, **options: Any) -> Any:
            if not afterwards:
                self.pass_by(point)
            result = await original(*args, **options)
            if afterwards:
                self.pass_by(point)
            return result

        def now(*args: Any, **options: Any) -> Any:
            if not afterwards:
                self.pass_by(point)
            result = original(*args, **options)
            if afterwards:
                self.pass_by(point)
            return result

        setattr(owner, name, later if inspect.iscoroutinefunction(original) else now)

    def hook_migrations(self) -> None:
        original = schema._check_ours

        def check(db: sqlite3.Connection, found: int) -> None:
            original(db, found)
            if self._armed.exists():
                db.set_trace_callback(lambda _: self.pass_by(MIGRATION))

        schema._check_ours = check


def watch(witness: Path) -> None:
    """Have what machines write to their consoles kept by the kernel, which outlives a killed process."""
    file = os.open(witness, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    original = Engine.logged

    def logged(engine: Engine, version: Any, uid: Any, level: str, text: str) -> None:
        actor = engine._directory.find_uid(uid)
        os.write(file, f"{actor.instance.key.name if actor else '?'} {text}\n".encode())
        original(engine, version, uid, level, text)

    setattr(Engine, "logged", logged)  # noqa: B010 - hooked, as the points are


if __name__ == "__main__":
    doom = Doom(Path(sys.argv[1]))
    for each in POINTS:
        doom.hook(each)
    doom.hook_migrations()
    watch(Path(sys.argv[2]))
    sys.argv = ["stateward", *sys.argv[3:]]
    main()
