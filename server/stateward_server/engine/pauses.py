"""How long to wait after something failed, and whether to try again at all."""

from __future__ import annotations

from enum import Enum

from stateward_server.model.errors import Code, StatewardError
from stateward_server.model.limits import EngineLimits

PATIENCE_MS = 1_000
"""How long a delivery may take before others are let by: its machine does not answer, or is slow."""

_LONGEST_MS = 3_600_000
_LONGEST_TROUBLE_MS = 60_000

_TROUBLE = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.ABORTED, Code.INTERNAL})
_FINAL = frozenset({Code.PERMISSION_DENIED, Code.INVALID_ARGUMENT})


class Verdict(Enum):
    """What a refusal means for a delivery."""

    PAUSED = "paused"
    """The receiver takes nothing now: wait until it is resumed."""
    TROUBLE = "trouble"
    """The server could not, for reasons of its own: try again, without counting."""
    AGAIN = "again"
    """The receiver could not take it: try again a few times."""
    FINAL = "final"
    """It will never be taken."""


def verdict(error: StatewardError) -> Verdict:
    """Judge a refusal."""
    if error.reason == "INSTANCE_PAUSED":
        return Verdict.PAUSED
    if error.code in _TROUBLE:
        return Verdict.TROUBLE
    if error.code in _FINAL or error.reason == "INSTANCE_ENDED":
        return Verdict.FINAL
    return Verdict.AGAIN


def backoff(limits: EngineLimits, attempts: int) -> int:
    """Return the pause after so many failed attempts, in milliseconds."""
    return min(limits.backoff_ms << min(2 * (attempts - 1), 40), _LONGEST_MS)


def trouble_pause(limits: EngineLimits, times: int) -> int:
    """Return the pause after the server itself was in trouble so many times in a row, in milliseconds."""
    return min(limits.retry_ms << min(times - 1, 40), _LONGEST_TROUBLE_MS)
