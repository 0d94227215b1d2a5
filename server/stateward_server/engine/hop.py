"""Ways to the machine host, with a snapshot where it holds none; a hop is made once more when it was lost."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from stateward_server.engine.envelope import Envelope
from stateward_server.engine.refusals import no_host
from stateward_server.model.ledger import Transition
from stateward_server.model.names import InstanceName
from stateward_server.model.step import (
    EventInput,
    Input,
    LostChildren,
    NeedSnapshot,
    Outcome,
    Outcomes,
    Resume,
    Status,
    Step,
)
from stateward_server.ports.host import Address, HostLost, MachineHost

log = structlog.get_logger()


class Hop:
    """The way of one instance to the host."""

    def __init__(self, host: MachineHost, at: Address, name: InstanceName, *, warm: bool) -> None:
        """`warm` says that the host already holds the instance at its last revision."""
        self._host = host
        self._at = at
        self._name = name
        self._warm = warm

    def chill(self) -> None:
        """The host may not hold the instance any more, or not as the ledger has it."""
        self._warm = False

    async def ask(self, last: Transition, inputs: Sequence[Input]) -> Outcomes | LostChildren:
        """Have the inputs stepped on top of `last`. Raises Unavailable (HOST_UNAVAILABLE)."""
        for _ in range(2):
            resume = None if self._warm else Resume(self._name, last.snapshot_json)
            try:
                reply = await self._host.step(self._at, last.revision, inputs, resume)
                if isinstance(reply, NeedSnapshot):
                    resume = Resume(self._name, last.snapshot_json)
                    reply = await self._host.step(self._at, last.revision, inputs, resume)
            except HostLost as lost:
                log.warning("host_lost", version=self._at.version, error=str(lost))
                self._warm = False
                continue
            if isinstance(reply, NeedSnapshot):
                continue
            self._warm = True
            return reply
        raise no_host()

    async def shows(self, last: Transition, repeat: Envelope) -> bool:
        """Tell whether the sender of a repeat may see `last`: having been let in once entitles nobody to it.

        Raises Unavailable (HOST_UNAVAILABLE).
        """
        auth = repeat.input.auth_json if isinstance(repeat.input, EventInput) else None
        if auth is None or repeat.wait is None:
            return True
        return await may_read(self._host, self._at, self._name, last, auth)


async def may_read(
    host: MachineHost, at: Address, name: InstanceName, transition: Transition, auth_json: str
) -> bool:
    """Ask `allowRead` about one committed state. Raises Unavailable (HOST_UNAVAILABLE)."""
    try:
        answer = await host.allow_read(at, transition.revision, auth_json, None)
        if answer is None:
            resume = Resume(name, transition.snapshot_json)
            answer = await host.allow_read(at, transition.revision, auth_json, resume)
    except HostLost:
        raise no_host() from None
    return bool(answer)


def until_end(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Cut after the step that ended the machine: what follows must be refused, not stepped."""
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, Step) and outcome.view.status is not Status.ACTIVE:
            return outcomes[: index + 1]
    return outcomes
