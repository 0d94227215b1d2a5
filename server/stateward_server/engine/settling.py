"""The settle limit: how long services may run after the last thing that came from outside the instance."""

from __future__ import annotations

from collections.abc import Callable

from stateward_server.engine.alarms import Alarm, Alarms
from stateward_server.ports.clock import Clock


class Settling:
    """The limit of one actor."""

    def __init__(self, alarms: Alarms, clock: Clock, limit_ms: int, passed: Callable[[], None]) -> None:
        """`passed` is called when the time is over."""
        self._alarms = alarms
        self._clock = clock
        self._limit_ms = limit_ms
        self._passed = passed
        self._alarm: Alarm | None = None

    def __bool__(self) -> bool:
        """Tell whether the time is running."""
        return self._alarm is not None

    def begin(self) -> None:
        """Count from now, whatever was left."""
        self.end()
        self._alarm = self._alarms.set(self._clock.now_ms() + self._limit_ms, self._over)

    def end(self) -> None:
        """Nothing runs that has to be watched."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _over(self) -> None:
        self._alarm = None
        self._passed()
