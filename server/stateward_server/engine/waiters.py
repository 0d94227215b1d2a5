"""Replies that wait for more than the commit: settled, a state, a tag, the end."""

from __future__ import annotations

from dataclasses import dataclass

from stateward_server.engine.alarms import Alarm, Alarms
from stateward_server.engine.envelope import Envelope
from stateward_server.model.ledger import Transition
from stateward_server.model.wait import Reply, Until, Wait
from stateward_server.ports.clock import Clock

_Wanted = tuple[Until, str]


@dataclass(slots=True, eq=False)
class _Waiter:
    envelope: Envelope
    wait: Wait
    own: Transition
    replayed: bool
    alarm: Alarm | None = None


class Waiters:
    """The open waits of one instance. Every transition is offered to all of them, so none is missed.

    What many wait for is looked at once: a service may run for long, and each caller waits for its end.
    """

    def __init__(self, alarms: Alarms, clock: Clock) -> None:
        self._alarms = alarms
        self._clock = clock
        self._open: dict[_Wanted, dict[_Waiter, None]] = {}
        """By what they wait for, in the order they came."""
        self._latest: Transition | None = None

    def __bool__(self) -> bool:
        return bool(self._open)

    def answer(
        self, envelope: Envelope, own: Transition, latest: Transition | None, *, replayed: bool
    ) -> None:
        """Reply to the sender of `own` now, or once what it waits for comes true or its time is over.

        Without `latest` the sender may see nothing that came after.
        """
        wait = envelope.wait
        if wait is None or wait.met(own.view):
            envelope.resolve(Reply(own, own, True, replayed))
        elif latest is None:
            envelope.resolve(Reply(own, own, False, replayed))
        elif replayed and wait.met(latest.view):
            envelope.resolve(Reply(own, latest, True, replayed))
        elif wait.hopeless(latest.view) or wait.timeout_ms <= 0:
            envelope.resolve(Reply(own, latest, False, replayed))
        else:
            self._latest = latest
            waiter = _Waiter(envelope, wait, own, replayed)
            waiter.alarm = self._alarms.set(
                self._clock.now_ms() + wait.timeout_ms, lambda: self._give_up(waiter)
            )
            self._open.setdefault(_wanted(wait), {})[waiter] = None
            if envelope.reply is not None:  # a caller that goes away waits no more
                envelope.reply.add_done_callback(lambda _: self._close(waiter))

    def offer(self, transition: Transition) -> None:
        """Show a newly committed transition to every open wait: all of them began before it."""
        self._latest = transition
        for wanted in tuple(self._open):
            wait = next(iter(self._open[wanted])).wait
            met = wait.met(transition.view)
            if met or wait.hopeless(transition.view):
                for waiter in tuple(self._open[wanted]):
                    self._close(waiter)
                    waiter.envelope.resolve(Reply(waiter.own, transition, met, waiter.replayed))

    def refuse_all(self, error: Exception) -> None:
        """End every wait with an error: the instance is gone or the server stops."""
        for waiters in tuple(self._open.values()):
            for waiter in tuple(waiters):
                self._close(waiter)
                waiter.envelope.refuse(error)

    def _give_up(self, waiter: _Waiter) -> None:
        self._close(waiter)
        latest = self._latest or waiter.own
        waiter.envelope.resolve(Reply(waiter.own, latest, waiter.wait.met(latest.view), waiter.replayed))

    def _close(self, waiter: _Waiter) -> None:
        if waiter.alarm is not None:
            waiter.alarm.cancel()
        wanted = _wanted(waiter.wait)
        waiters = self._open.get(wanted)
        if waiters is not None:
            waiters.pop(waiter, None)
            if not waiters:
                del self._open[wanted]


def _wanted(wait: Wait) -> _Wanted:
    return (wait.until, wait.match)
