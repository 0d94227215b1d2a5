"""A subscription: one instance's states, in order, across lost connections and server restarts.

Promises: no revision is delivered twice or out of order; with `every_transition` none is left out. A lost
connection is reopened right after the last frame.
"""

from __future__ import annotations

from ._feed import QUIET_LIMIT, Feed, OnReconnect
from ._frames import Frame
from ._transport import Caller
from ._watch_calls import Stream, Watch
from .errors import Internal, ResumeTokenExpired, StatewardError, Unavailable
from .state import State, Update


class Subscription(Feed[Frame, Update]):
    """An async iterator of `Update`s; as an async context manager it closes itself.

    It ends after the state in which the instance has ended (done, failed or stopped). It survives a cancelled
    `anext`, as by a timeout: the next one goes on where it stopped. After it raised an error, it is over.
    """

    def __init__(
        self,
        caller: Caller,
        watch: Watch[Frame],
        *,
        gapless: bool,
        resume_token: str | None,
        on_reconnect: OnReconnect | None = None,
        quiet_limit: float = QUIET_LIMIT,
    ) -> None:
        super().__init__(caller, on_reconnect=on_reconnect, quiet_limit=quiet_limit)
        self._watch = watch
        self._gapless = gapless
        self._resume_token = resume_token or ""
        self._last_revision = 0

    async def __anext__(self) -> Update:
        update = await super().__anext__()
        if update.state.ended:
            await self.aclose()
        return update

    async def _open(self) -> Stream[Frame]:
        return await self._caller.transport.watch(
            self._watch, resume_token=self._resume_token, auth_context=self._caller.auth_context
        )

    def _accept(self, frame: Frame) -> None:
        """Queue what is new. Until its last state, a frame can only be resumed from the frame before it."""
        before, self._resume_token = self._resume_token, frame.resume_token
        for state in frame.states:
            if state.revision <= self._last_revision:
                continue
            self._refuse_gap(state)
            self._last_revision = state.revision
            last = state is frame.states[-1]
            self._ready.append(Update(state, frame.resume_token if last else before))
        if frame.draining:
            raise Unavailable(f"{self._caller.transport.target} is shutting down", reason="DRAINING")

    def _ended(self) -> None:
        """All has been delivered and nothing can follow: the instance had ended where the stream began."""
        self._over = True
        self._disconnect()

    def _curable(self, error: StatewardError) -> bool:
        if isinstance(error, ResumeTokenExpired) and not self._gapless:
            # Only the newest state counts, and a fresh snapshot has it.
            self._resume_token = ""
            return True
        return False

    def _refuse_gap(self, state: State) -> None:
        expected = self._last_revision + 1
        if self._gapless and self._last_revision and state.revision != expected:
            self._over = True
            raise Internal(f"the server skipped from revision {self._last_revision} to {state.revision}")
