"""Ask `allowRead` once per state and distinct caller claims, however many subscribers share them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from stateward_server.model.ledger import Instance, Transition

MayRead = Callable[[Instance, Transition, str], Awaitable[bool]]

_Key = tuple[int, int, int, str]


class Readers:
    """A small memory of verdicts about recent transitions."""

    def __init__(self, may_read: MayRead, size: int = 4096) -> None:
        self._may_read = may_read
        self._size = size
        self._verdicts: OrderedDict[_Key, asyncio.Future[bool]] = OrderedDict()

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

    def _forget_failure(self, key: _Key, done: asyncio.Future[bool]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._verdicts.pop(key, None)
