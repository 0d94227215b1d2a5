"""An instance, for code that does not await: see `stateward.blocking`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping

from . import _instance, _listener
from ._blocking_streams import Listener
from ._feed import OnReconnect
from ._portal import Portal
from ._wait import Wait
from .state import (
    DeadLetter,
    InstanceInfo,
    MachineVersion,
    Mode,
    Reply,
    State,
    Timer,
    Transition,
    Update,
)


class Instance:
    """One instance of a machine, like `stateward.Instance`. Get one from `Machine.instance`."""

    def __init__(self, portal: Portal, instance: _instance.Instance) -> None:
        self._portal = portal
        self._instance = instance
        self.machine = instance.machine
        self.name = instance.name

    def create(
        self,
        *,
        context: Mapping[str, object] | None = None,
        version: str | MachineVersion | None = None,
        wait: Wait = Wait.SETTLED,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Create the instance and run it to its first state. See `stateward.Instance.create`."""
        return self._portal.run(
            self._instance.create(
                context=context, version=version, wait=wait, request_id=request_id, timeout=timeout
            )
        )

    def get(self, *, timeout: float | None = None) -> State:
        """Return the last committed state. See `stateward.Instance.get`."""
        return self._portal.run(self._instance.get(timeout=timeout))

    def info(self, *, timeout: float | None = None) -> InstanceInfo:
        """Return what is known of the instance beside its state. See `stateward.Instance.info`."""
        return self._portal.run(self._instance.info(timeout=timeout))

    def get_or_create(
        self,
        *,
        context: Mapping[str, object] | None = None,
        version: str | MachineVersion | None = None,
        wait: Wait = Wait.SETTLED,
        timeout: float | None = None,
    ) -> State:
        """Return the state, after a creation if need be. See `stateward.Instance.get_or_create`."""
        return self._portal.run(
            self._instance.get_or_create(context=context, version=version, wait=wait, timeout=timeout)
        )

    def send(
        self,
        event: str | Mapping[str, object],
        *,
        wait: Wait = Wait.SETTLED,
        expected_revision: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Send one event. See `stateward.Instance.send`."""
        return self._portal.run(
            self._instance.send(
                event,
                wait=wait,
                expected_revision=expected_revision,
                request_id=request_id,
                timeout=timeout,
            )
        )

    def delete(self, *, request_id: str | None = None, timeout: float | None = None) -> None:
        """Delete the instance with its history and timers. See `stateward.Instance.delete`."""
        self._portal.run(self._instance.delete(request_id=request_id, timeout=timeout))

    def subscribe(
        self,
        *,
        mode: Mode = "latest",
        resume_token: str | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> Generator[Update, None, None]:
        """Watch the instance until it ends. See `stateward.Instance.subscribe`."""
        updates = self._instance.subscribe(mode=mode, resume_token=resume_token, on_reconnect=on_reconnect)
        return self._portal.iterate(updates, close=updates.aclose)

    def on_change(
        self,
        callback: Callable[[Update], object],
        *,
        mode: Mode = "latest",
        resume_token: str | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> Listener:
        """Call a function with each update, in a thread of its own. See `stateward.Instance.on_change`."""

        async def call(update: Update) -> None:
            await asyncio.to_thread(callback, update)

        async def listen() -> _listener.Listener[Update]:
            return self._instance.on_change(
                call, mode=mode, resume_token=resume_token, on_reconnect=on_reconnect
            )

        return Listener(self._portal, self._portal.run(listen()))

    def wait_for(
        self,
        *,
        state: str | None = None,
        tag: str | None = None,
        done: bool = False,
        predicate: Callable[[State], bool] | None = None,
        timeout: float | None = None,
    ) -> State:
        """Return the first state for which all that is asked holds. See `stateward.Instance.wait_for`."""
        return self._portal.run(
            self._instance.wait_for(state=state, tag=tag, done=done, predicate=predicate, timeout=timeout)
        )

    def transitions(self, *, page_size: int | None = None) -> Generator[Transition, None, None]:
        """List the instance's history, oldest first. See `stateward.Instance.transitions`."""
        return self._portal.iterate(self._instance.transitions(page_size=page_size))

    def pause(self, *, request_id: str | None = None, timeout: float | None = None) -> InstanceInfo:
        """Refuse callers' events until it is resumed. See `stateward.Instance.pause`."""
        return self._portal.run(self._instance.pause(request_id=request_id, timeout=timeout))

    def resume(self, *, request_id: str | None = None, timeout: float | None = None) -> InstanceInfo:
        """Take events again after a pause. See `stateward.Instance.resume`."""
        return self._portal.run(self._instance.resume(request_id=request_id, timeout=timeout))

    def timers(self, *, page_size: int | None = None) -> Generator[Timer, None, None]:
        """List the instance's pending timers. See `stateward.Instance.timers`."""
        return self._portal.iterate(self._instance.timers(page_size=page_size))

    def cancel_timer(
        self, timer: str | Timer, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Cancel a pending timer. See `stateward.Instance.cancel_timer`."""
        self._portal.run(self._instance.cancel_timer(timer, request_id=request_id, timeout=timeout))

    def dead_letters(self, *, page_size: int | None = None) -> Generator[DeadLetter, None, None]:
        """List what could not be delivered, oldest first. See `stateward.Instance.dead_letters`."""
        return self._portal.iterate(self._instance.dead_letters(page_size=page_size))

    def retry_dead_letter(
        self, letter: int | DeadLetter, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Put a dead letter back. See `stateward.Instance.retry_dead_letter`."""
        self._portal.run(self._instance.retry_dead_letter(letter, request_id=request_id, timeout=timeout))

    def discard_dead_letter(
        self, letter: int | DeadLetter, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Delete a dead letter for good. See `stateward.Instance.discard_dead_letter`."""
        self._portal.run(self._instance.discard_dead_letter(letter, request_id=request_id, timeout=timeout))

    def __repr__(self) -> str:
        return repr(self._instance)
