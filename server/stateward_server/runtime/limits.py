"""What user code may use, in one frozen object: handed in, never read from anywhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostLimits:
    """Bounds of the machine hosts. Times are in milliseconds, sizes in the unit the name says."""

    processes: int = 64
    """Processes alive at once, one per machine version in use; the idlest gives way to a new one."""
    spares: int = 1
    """Processes kept ready for the next version."""
    starts: int = 2
    """Processes starting at once."""
    deadline_ms: int = 5_000
    """How long one request may keep a process busy before it is killed."""
    authoriser_ms: int = 5_000
    """How long an authoriser that answers with a promise may take."""
    load_ms: int = 10_000
    """How long a module may take to evaluate."""
    heap_mb: int = 128
    """The JavaScript heap of a process."""
    data_mb: int = 1_024
    """All private memory of a process, mapped or not; an idle one maps about 560 MB."""
    rss_mb: int = 512
    """Memory a process may hold resident before it is killed."""
    context_bytes: int = 400_000
    """The JSON of a context."""
    iterations: int = 10_000
    """Microsteps in one step, after which the machine is said to loop."""
    log_bytes: int = 16_000
    """One line of a console."""
    log_lines: int = 200
    """Lines of one process in a second."""
    frame_bytes: int = 32_000_000
    """One answer of a process; a longer one ends it."""
