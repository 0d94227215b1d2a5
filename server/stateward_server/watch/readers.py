"""Ask `allowRead` once per state and distinct caller claims, however many subscribers share them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from stateward_server.model.ledger import Instance, Transition

MayRead = Callable[[Instance, Transition, str], Awaitable[bool]]

_Key = tuple[int, int, int, str]


class Readers:
    """A small memory of verdicts about recent transitions."""

    def __init__(self, may_read: MayRead, size: int = 4096) -> None:
        self._may_read = may_read
        self._size = size
        self._verdicts: OrderedDict[_Key, asyncio.Future[bool]] = OrderedDict()

    async def allowed(
        self, instance: Instance, transitions: Sequence[Transition], auth_json: str
    ) -> Sequence[Transition]:
        """Return the transitions up to the first that these claims may not see."""
        verdicts = [self._known(instance, each, auth_json) for each in transitions]
        if not all(verdicts):
            verdicts = list(await self.ask([(instance, each) for each in transitions], auth_json))
        return transitions if all(verdicts) else transitions[: verdicts.index(False)]

    async def ask(self, states: Sequence[tuple[Instance, Transition]], auth_json: str) -> Sequence[bool]:
        """Return the verdicts about many states; what is not known yet is asked all at once."""
        return await asyncio.gather(
            *(self.allows(instance, transition, auth_json) for instance, transition in states)
        )

    async def allows(self, instance: Instance, transition: Transition, auth_json: str) -> bool:
        """Tell whether the machine lets these claims see that state."""
        key = (instance.uid, transition.revision, transition.epoch, auth_json)
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = asyncio.ensure_future(self._may_read(instance, transition, auth_json))
            self._verdicts[key] = verdict
            if len(self._verdicts) > self._size:
                self._verdicts.popitem(last=False)
            verdict.add_done_callback(lambda done: self._forget_failure(key, done))
        elif verdict.done():
            return verdict.result()
        # One subscriber's end must not end the question for the others.
        return await asyncio.shield(verdict)

    def _known(self, instance: Instance, transition: Transition, auth_json: str) -> bool | None:
        verdict = self._verdicts.get((instance.uid, transition.revision, transition.epoch, auth_json))
        return verdict.result() if verdict is not None and verdict.done() else None

    def _forget_failure(self, key: _Key, done: asyncio.Future[bool]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._verdicts.pop(key, None)
