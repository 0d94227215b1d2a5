"""How much goes into one frame, and how much is read from the log at once: both are bounded in bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stateward_server.model.ledger import Transition
from stateward_server.model.limits import WatchLimits

FRAME_BYTES = WatchLimits().frame_bytes
FIRST_PAGE = 16
LAST_PAGE = 256

_READ_BYTES = 4_000_000
_PRICE = 200


def weight(transition: Transition) -> int:
    """Return about how many bytes a state takes in a frame."""
    view = transition.view
    return _PRICE + len(view.value_json) + len(view.public_json or "")


def chunks(transitions: Sequence[Transition]) -> Iterator[Sequence[Transition]]:
    """Divide into what may share a frame; one that is too large by itself gets one of its own."""
    start = size = 0
    for index, transition in enumerate(transitions):
        size += weight(transition)
        if size > FRAME_BYTES and index > start:
            yield transitions[start:index]
            start, size = index, weight(transition)
    if start < len(transitions):
        yield transitions[start:]


def next_page(size: int, page: Sequence[Transition]) -> int:
    """Return how much to read next, judging by what the last page, of that size, held."""
    if not page:
        return size
    each = sum(len(item.snapshot_json) for item in page) // len(page)
    return max(1, min(size * 4, _READ_BYTES // (each + _PRICE), LAST_PAGE))
