"""What administrators do with an instance: pause it, look at its timers, decide about its dead letters.

The part of `Instance` that needs the scope `instances.admin`.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator

from . import _calls
from ._pages import walk
from ._transport import Caller
from .state import DeadLetter, InstanceInfo, Timer


class Administered:
    """An instance, to an administrator."""

    _caller: Caller
    machine: str
    name: str

    async def pause(self, *, request_id: str | None = None, timeout: float | None = None) -> InstanceInfo:
        """Refuse callers' events, and let timers, messages and what services say wait, until it is resumed.

        For administrators. Pausing a paused instance does nothing.

        Args:
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            InstanceNotFound: There is no such instance.
            ScopeMissing: The token may not administer instances.
        """
        call = _calls.pause_instance(self.machine, self.name, request_id=request_id or str(uuid.uuid4()))
        return await self._caller.call(call, timeout)

    async def resume(self, *, request_id: str | None = None, timeout: float | None = None) -> InstanceInfo:
        """Take events again after a pause; what has waited is delivered in order. For administrators.

        Args:
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            InstanceNotFound: There is no such instance.
            ScopeMissing: The token may not administer instances.
        """
        call = _calls.resume_instance(self.machine, self.name, request_id=request_id or str(uuid.uuid4()))
        return await self._caller.call(call, timeout)

    async def timers(self, *, page_size: int | None = None) -> AsyncGenerator[Timer, None]:
        """List the instance's pending timers by their ids. For administrators.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            InstanceNotFound: There is no such instance.
            ScopeMissing: The token may not administer instances.
        """
        async for timer in walk(
            self._caller,
            lambda size, token: _calls.list_timers(self.machine, self.name, size, token),
            page_size,
        ):
            yield timer

    async def cancel_timer(
        self, timer: str | Timer, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Cancel a pending timer. The machine is not told. For administrators.

        Args:
            timer: The timer or its id.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            InstanceNotFound: There is no such instance.
            TimerNotFound: The timer has fired, was cancelled, or never was.
            ScopeMissing: The token may not administer instances.
        """
        chosen = timer.id if isinstance(timer, Timer) else timer
        call = _calls.cancel_timer(
            self.machine, self.name, chosen, request_id=request_id or str(uuid.uuid4())
        )
        await self._caller.call(call, timeout)

    async def dead_letters(self, *, page_size: int | None = None) -> AsyncGenerator[DeadLetter, None]:
        """List what was owed to or by the instance and could not be delivered, oldest first.

        For administrators.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            MachineNotFound: There is no such machine.
            ScopeMissing: The token may not administer instances.
        """
        async for letter in walk(
            self._caller,
            lambda size, token: _calls.list_letters(self.machine, self.name, size, token),
            page_size,
        ):
            yield letter

    async def retry_dead_letter(
        self, letter: int | DeadLetter, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Put a dead letter back, to be attempted anew. For administrators.

        Args:
            letter: The letter or its number.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            DeadLetterNotFound: It was retried or discarded.
            DeadLetterNotRetryable: What it needs is gone.
            ScopeMissing: The token may not administer instances.
        """
        number = letter.id if isinstance(letter, DeadLetter) else letter
        call = _calls.retry_letter(
            self.machine, self.name, number, request_id=request_id or str(uuid.uuid4())
        )
        await self._caller.call(call, timeout)

    async def discard_dead_letter(
        self, letter: int | DeadLetter, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Delete a dead letter for good. For administrators.

        Args:
            letter: The letter or its number.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            DeadLetterNotFound: It was retried or discarded.
            ScopeMissing: The token may not administer instances.
        """
        number = letter.id if isinstance(letter, DeadLetter) else letter
        call = _calls.discard_letter(
            self.machine, self.name, number, request_id=request_id or str(uuid.uuid4())
        )
        await self._caller.call(call, timeout)
