"""The engine's bounds, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Bounds of the engine; times are milliseconds, counts are per instance unless they say otherwise."""

    settle_ms: int = 90_000
    """Services may run this long after the last external event."""
    mailbox: int = 1024
    """Events waiting at one instance; more are refused with MAILBOX_FULL."""
    batch: int = 64
    """Events of one instance that share a hop to the host and a commit."""
    awake: int = 10_000
    """Instances held in memory by the whole server; idle ones beyond it are put to sleep."""
    timers_near: int = 4096
    """Timers held in memory by the whole server; the rest stay on disk until they are near."""
    retry_ms: int = 1_000
    """First pause before an internal delivery that failed is tried again; doubles up to a minute."""
