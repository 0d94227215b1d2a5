"""The handle of one instance: create it, send it events, read it, watch it.

Making a handle does no I/O. Arguments are checked before anything is sent.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping

from . import _calls
from ._administration import Administered
from ._feed import OnReconnect
from ._json import encode_event, encode_object
from ._listener import Callback, Listener
from ._names import checked
from ._pages import walk
from ._subscription import Subscription
from ._transport import Caller
from ._wait import Wait
from ._watch_calls import watch
from .errors import DeadlineExceeded, InstanceEnded, InstanceExists, InstanceNotFound
from .state import InstanceInfo, MachineVersion, Mode, Reply, State, Transition, Update

REPLY_MARGIN = 30.0
"""Seconds that a call may take on top of what it waits for."""


class Instance(Administered):
    """One instance of a machine, which may or may not exist yet.

    Get one from `Machine.instance`. Every method raises `StatewardError`s; see `stateward.errors`.

    Attributes:
        machine: The machine's name.
        name: The instance's name.
    """

    def __init__(self, caller: Caller, machine: str, name: str) -> None:
        self._caller = caller
        self.machine = machine
        self.name = checked(name, "instance")

    def __repr__(self) -> str:
        return f"<Instance {self.machine}/{self.name}>"

    async def create(
        self,
        *,
        context: Mapping[str, object] | None = None,
        version: str | MachineVersion | None = None,
        wait: Wait = Wait.SETTLED,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Create the instance and run it to its first state.

        Args:
            context: Initial context, merged over the machine's own and given to XState 5 as `input`.
            version: The machine version to run; the current one by default.
            wait: What the reply waits for.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            InstanceExists: The name is taken.
            NoCurrentVersion: The machine has no version yet.
            RejectedByMachineAuthorizer: The machine's allowWrite said no.
            TypeError: The context is not JSON.
            ValueError: The context holds a value that JSON cannot carry.
        """
        call = _calls.create_instance(
            self.machine,
            self.name,
            context_json="" if context is None else encode_object(context, "context"),
            version=version.id if isinstance(version, MachineVersion) else version,
            wait=wait,
            request_id=request_id or str(uuid.uuid4()),
        )
        return await self._caller.call(call, self._seconds(wait, timeout))

    async def get(self, *, timeout: float | None = None) -> State:
        """Return the last committed state.

        Args:
            timeout: Seconds for the call with all its attempts.

        Raises:
            InstanceNotFound: There is no such instance.
            RejectedByMachineAuthorizer: The machine's allowRead said no.
        """
        return await self._caller.call(_calls.get_state(self.machine, self.name), timeout)

    async def info(self, *, timeout: float | None = None) -> InstanceInfo:
        """Return what is known of the instance beside its state: its version, when it was created.

        Args:
            timeout: Seconds for the call with all its attempts.

        Raises:
            InstanceNotFound: There is no such instance.
            RejectedByMachineAuthorizer: The machine's allowRead said no.
        """
        return await self._caller.call(_calls.get_info(self.machine, self.name), timeout)

    async def get_or_create(
        self,
        *,
        context: Mapping[str, object] | None = None,
        version: str | MachineVersion | None = None,
        wait: Wait = Wait.SETTLED,
        timeout: float | None = None,
    ) -> State:
        """Return the state of the instance, which is created first if it does not exist.

        Args:
            context: Initial context, for a creation.
            version: The machine version to run, for a creation; the current one by default.
            wait: What a creation waits for.
            timeout: Seconds for each call with all its attempts.

        Raises:
            NoCurrentVersion: The machine has no version yet.
            RejectedByMachineAuthorizer: The machine's allowRead or allowWrite said no.
            TypeError: The context is not JSON.
            ValueError: The context holds a value that JSON cannot carry.
        """
        try:
            return await self.get(timeout=timeout)
        except InstanceNotFound:
            pass
        try:
            reply = await self.create(context=context, version=version, wait=wait, timeout=timeout)
        except InstanceExists:
            return await self.get(timeout=timeout)
        return reply.state

    async def send(
        self,
        event: str | Mapping[str, object],
        *,
        wait: Wait = Wait.SETTLED,
        expected_revision: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Send one event; the reply comes after its transition is on disk.

        Args:
            event: The event's type, or an object with a `type`.
            wait: What the reply waits for after that.
            expected_revision: Refuse unless the instance is at this revision.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            InstanceNotFound: There is no such instance.
            InstanceEnded: The instance takes no more events.
            RejectedByMachineAuthorizer: The machine's allowWrite said no.
            MachineFault: The machine's own code failed on the event; nothing changed.
            RevisionMismatch: The instance is not at `expected_revision`.
            TypeError: The event is not JSON.
            ValueError: The event has no type, or holds a value that JSON cannot carry.
        """
        if expected_revision is not None and expected_revision < 1:
            raise ValueError(f"revisions start at 1, got expected_revision={expected_revision}")
        call = _calls.send_event(
            self.machine,
            self.name,
            event_json=encode_event(event),
            expected_revision=expected_revision or 0,
            wait=wait,
            request_id=request_id or str(uuid.uuid4()),
        )
        return await self._caller.call(call, self._seconds(wait, timeout))

    async def delete(self, *, request_id: str | None = None, timeout: float | None = None) -> None:
        """Delete the instance with its history and timers.

        Args:
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            InstanceNotFound: There is no such instance.
        """
        call = _calls.delete_instance(self.machine, self.name, request_id=request_id or str(uuid.uuid4()))
        await self._caller.call(call, timeout)

    def subscribe(
        self,
        *,
        mode: Mode = "latest",
        resume_token: str | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> Subscription:
        """Watch the instance: the current state first, then each that follows, until the instance ends.

        Reconnects by itself and goes on where it was. Leaving the loop ends the stream.

        Args:
            mode: `"latest"` may skip intermediate states, never the newest; `"every_transition"` skips none.
            resume_token: Go on right after the update that carried it, without a first snapshot.
            on_reconnect: Called when the connection is lost, and when it is back.

        Raises:
            ValueError: There is no such mode. All else is raised while iterating.
            InstanceNotFound: There is no such instance.
            RejectedByMachineAuthorizer: The machine's allowRead said no, now or after a later transition.
            ResumeTokenExpired: `every_transition` cannot go on without a gap. (`latest` takes a fresh
                snapshot.)
            ResumeTokenDiverged: The server's history is not the one that the token was made for.
        """
        opening = watch(self.machine, self.name, mode)
        return Subscription(
            self._caller,
            opening,
            gapless=mode == "every_transition",
            resume_token=resume_token,
            on_reconnect=on_reconnect,
        )

    def on_change(
        self,
        callback: Callback[Update],
        *,
        mode: Mode = "latest",
        resume_token: str | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> Listener[Update]:
        """Call a function with the current state, then with each that follows, until the instance ends.

        Needs a running event loop; returns at once, and the function is called from a task of its own.

        Args:
            callback: Called with each `Update`. If it is async, the next update waits for it.
            mode: As for `subscribe`.
            resume_token: As for `subscribe`.
            on_reconnect: As for `subscribe`.

        Returns:
            The handle that takes it off again: `stop()`. Its `wait()` raises what `subscribe` would raise.
        """
        updates = self.subscribe(mode=mode, resume_token=resume_token, on_reconnect=on_reconnect)
        return Listener(updates, callback)

    async def wait_for(
        self,
        *,
        state: str | None = None,
        tag: str | None = None,
        done: bool = False,
        predicate: Callable[[State], bool] | None = None,
        timeout: float | None = None,
    ) -> State:
        """Return the first state, from now on, for which all that is asked holds at once.

        Args:
            state: This state is active, given as a dotted path.
            tag: A state with this tag is active.
            done: The machine has reached its final state.
            predicate: This function returns true.
            timeout: Seconds to wait; without it, for as long as it takes.

        Raises:
            DeadlineExceeded: The time is over. It is a TimeoutError.
            InstanceEnded: The instance ended without it.
            TypeError: Nothing is asked for.
        """
        if state is None and tag is None and not done and predicate is None:
            raise TypeError("wait_for needs a state, a tag, done=True or a predicate")

        def holds(candidate: State) -> bool:
            return (
                (state is None or candidate.matches(state))
                and (tag is None or candidate.has_tag(tag))
                and (not done or candidate.done)
                and (predicate is None or predicate(candidate))
            )

        limit = asyncio.timeout(timeout)
        try:
            async with limit, self.subscribe(mode="every_transition") as updates:
                async for update in updates:
                    if holds(update.state):
                        return update.state
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlineExceeded(f"{self!r} did not get there within {timeout:g} s") from None
        raise InstanceEnded(f"{self!r} ended without getting there", reason="INSTANCE_ENDED")

    async def transitions(self, *, page_size: int | None = None) -> AsyncGenerator[Transition, None]:
        """List the instance's history, oldest first. For administrators.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            InstanceNotFound: There is no such instance.
            ScopeMissing: The token may not read history.
        """
        async for transition in walk(
            self._caller,
            lambda size, token: _calls.list_transitions(self.machine, self.name, size, token),
            page_size,
        ):
            yield transition

    def _seconds(self, wait: Wait, timeout: float | None) -> float | None:
        """A call must outlive what it waits for, unless its caller wants otherwise."""
        if timeout is not None or wait.timeout is None:
            return timeout
        return max(self._caller.transport.timeout, wait.timeout + REPLY_MARGIN)
