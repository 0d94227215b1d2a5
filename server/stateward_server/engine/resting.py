"""Mail that could not be taken and that nobody waits for: it is tried again after a pause.

Losses of services are kept apart, for nothing may overtake them: they come with the next turn, if there is
one before the pause is over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stateward_server.engine.alarms import Alarms
from stateward_server.engine.envelope import Envelope, Mail
from stateward_server.engine.pauses import trouble_pause
from stateward_server.model.limits import EngineLimits
from stateward_server.model.step import LostInput
from stateward_server.ports.clock import Clock


class Resting:
    """What of one actor's mail rests. Each failure in a row makes the pause longer."""

    def __init__(
        self, alarms: Alarms, clock: Clock, limits: EngineLimits, put_back: Callable[[Sequence[Mail]], None]
    ) -> None:
        """`put_back` gets the mail when its pause is over."""
        self._alarms = alarms
        self._clock = clock
        self._limits = limits
        self._put_back = put_back
        self._batches = 0
        self._failures = 0
        self._losses: list[Mail] = []

    def __bool__(self) -> bool:
        return self._batches > 0

    def put(self, mail: Sequence[Mail]) -> None:
        """Keep mail until its pause is over."""
        self._losses.extend(each for each in mail if is_loss(each))
        others = [each for each in mail if not is_loss(each)]
        self._failures += 1
        self._batches += 1
        # Twice as long as a delivery rests: nobody waits for this.
        pause = trouble_pause(self._limits, self._failures + 1)
        self._alarms.set(self._clock.now_ms() + pause, lambda: self._over(others))

    def take_losses(self) -> Sequence[Mail]:
        """Hand over the losses, which must come before whatever is at hand."""
        losses, self._losses = self._losses, []
        return losses

    def succeeded(self) -> None:
        """Hear that a turn went well."""
        self._failures = 0

    def _over(self, others: Sequence[Mail]) -> None:
        self._batches -= 1
        self._put_back([*self.take_losses(), *others])


def is_loss(mail: Mail) -> bool:
    """Tell whether a piece of mail reports the loss of a service, unasked."""
    return isinstance(mail, Envelope) and isinstance(mail.input, LostInput) and mail.reply is None
