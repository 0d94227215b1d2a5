"""Where every stream gets its states, its verdicts and its tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stateward_server.model.errors import OutOfRange, ResourceExhausted
from stateward_server.model.ledger import InstanceKey
from stateward_server.ports.store import ChangeLog, Ledger, Loaded, StoreIdentity
from stateward_server.watch.hub import Hub
from stateward_server.watch.readers import Readers
from stateward_server.watch.tokens import ResumeTokens

Read = Callable[[InstanceKey, str], Awaitable[Loaded]]
"""Return the last committed state to a caller with these claims, or raise."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The collaborators of all streams."""

    hub: Hub
    ledger: Ledger
    changes: ChangeLog
    identity: StoreIdentity
    read: Read
    readers: Readers
    tokens: ResumeTokens


def diverged(what: str) -> OutOfRange:
    """The token points into a history that this store does not have."""
    return OutOfRange("RESUME_TOKEN_DIVERGED", f"the resume token is {what}: subscribe without a token")


def expired(what: str, oldest: int) -> OutOfRange:
    """The history after the token's place is not whole any more."""
    return OutOfRange(
        "RESUME_TOKEN_EXPIRED",
        f"history before {what} {oldest} is gone: subscribe without a token",
        retry_after=None,
        **{f"oldest_{what}": oldest},
    )


def too_slow(what: str, place: int, token: str) -> ResourceExhausted:
    """A live buffer overflowed."""
    return ResourceExhausted(
        "SUBSCRIBER_TOO_SLOW",
        f"the subscriber fell behind after {what} {place}: resume from the last token",
        retry_after=0.1,
        resume_token=token,
        **{what: place},
    )
