"""When a failed call is tried again, and how long to wait before.

Promises: only failures that the contract calls harmless to repeat are repeated, at most `attempts` times in
all and never past the caller's deadline. Waits are random between half and the whole of a doubling limit, so
that many clients do not come back at the same moment, and yet none gives up too soon. Writes are repeated
with the same request id, which the caller of `retrying` has put into the request.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from .errors import ResourceExhausted, StatewardError, StoreConflict, Unavailable

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a client repeats calls that failed without harm.

    Repeated are: `Unavailable`, `StoreConflict`, and `ResourceExhausted` where the server says when to come
    back.

    Args:
        attempts: How often a call is tried in all; 1 never repeats. A subscription that has been connected
            once reconnects without this limit.
        first_delay: Longest wait before the second attempt, in seconds; it doubles with each further one.
        max_delay: Where the doubling ends, in seconds.
        sleep: Waits for a number of seconds. Replace it in tests.
        random: Returns a number from 0 up to 1. Replace it in tests.
    """

    attempts: int = 10
    first_delay: float = 0.2
    max_delay: float = 5.0
    sleep: Callable[[float], Awaitable[object]] = field(default=asyncio.sleep, repr=False, kw_only=True)
    random: Callable[[], float] = field(default=random.random, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"a call is tried at least once, got attempts={self.attempts}")

    def delay(self, failures: int, retry_after: float | None = None) -> float:
        """Return the seconds to wait after that many failures in a row, on top of what the server asks."""
        limit = min(self.max_delay, self.first_delay * 2.0 ** min(failures - 1, 60))
        return (1.0 + self.random()) / 2.0 * limit + (retry_after or 0.0)


def repeatable(error: StatewardError) -> bool:
    """Tell whether a call that failed like this may be sent again."""
    match error:
        case Unavailable() | StoreConflict():
            return True
        case ResourceExhausted():
            return error.retry_after is not None
        case _:
            return False


async def retrying(
    attempt: Callable[[float], Awaitable[Result]], *, policy: RetryPolicy, timeout: float
) -> Result:
    """Run `attempt`, which gets the seconds left, until it succeeds or must not be repeated."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    for tries in itertools.count(1):
        try:
            return await attempt(deadline - loop.time())
        except StatewardError as error:
            delay = policy.delay(tries, error.retry_after)
            out_of_time = loop.time() + delay >= deadline
            if tries >= policy.attempts or out_of_time or not repeatable(error):
                raise
        await policy.sleep(delay)
    raise AssertionError("unreachable: count() does not end")
