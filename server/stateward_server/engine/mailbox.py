"""The mail of one instance, and which pieces of it may share a turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from stateward_server.engine.envelope import Envelope, Errand, Mail, Probe
from stateward_server.engine.refusals import mailbox_full
from stateward_server.model.step import EventInput, TimerInput


class Mailbox:
    """A queue. Bounded for whoever waits for an answer; timers are bounded where they come from."""

    def __init__(self, limit: int, batch: int) -> None:
        self._limit = limit
        self._batch = batch
        self._mail: deque[Mail] = deque()

    def __bool__(self) -> bool:
        return bool(self._mail)

    @property
    def first(self) -> Mail:
        return self._mail[0]

    def put(self, mail: Mail) -> None:
        """Queue one piece. Raises ResourceExhausted (MAILBOX_FULL)."""
        bounded = isinstance(mail, Envelope) and mail.reply is not None
        if bounded and len(self._mail) >= self._limit and not _is_timer(mail):
            raise mailbox_full(self._limit)
        self._mail.append(mail)

    def put_first(self, mail: Iterable[Mail]) -> None:
        """Put mail, in its order, before all that waits."""
        self._mail.extendleft(reversed([*mail]))

    def take(self) -> Mail:
        return self._mail.popleft()

    def take_all_but_errands(self) -> list[Envelope | Probe]:
        """Take all that is for the machine, in its order."""
        taken = [mail for mail in self._mail if not isinstance(mail, Errand)]
        self._mail = deque(mail for mail in self._mail if isinstance(mail, Errand))
        return taken

    def take_batch(self) -> list[Envelope]:
        """Take what may share a hop: callers' events in a row, or one piece of anything else."""
        first = self._mail.popleft()
        if not isinstance(first, Envelope):
            return []
        batch = [first]
        seen = {first.request.id} if first.request else set()
        while self._mail and len(batch) < self._batch and _shareable(batch[-1]):
            after = self._mail[0]
            if not isinstance(after, Envelope) or not _shareable(after):
                break
            if after.request and after.request.id in seen:
                break
            if after.request:
                seen.add(after.request.id)
            batch.append(after)
            self._mail.popleft()
        return batch


def _is_timer(mail: Mail) -> bool:
    return isinstance(mail, Envelope) and isinstance(mail.input, TimerInput)


def _shareable(envelope: Envelope) -> bool:
    return isinstance(envelope.input, EventInput) and not envelope.expected_revision
