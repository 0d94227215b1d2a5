"""Spans of time as people write them: `90s`, `2h`, `1d 12h`."""

from __future__ import annotations

import re

_UNITS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_PART = re.compile(r"\s*(\d+)\s*(ms|[smhdw])")


def milliseconds(span: int | str) -> int:
    """Return a span in milliseconds; a number is one already. Raises ValueError."""
    if isinstance(span, int):
        return span
    total, end = 0, 0
    for part in _PART.finditer(span):
        if part.start() != end:
            break
        total += int(part[1]) * _UNITS[part[2]]
        end = part.end()
    if end == 0 or span[end:].strip():
        raise ValueError(f"{span!r} is no span of time: write 500ms, 90s, 15m, 2h, 3d, 2w or several of them")
    return total
