"""Log lines, many to a write: a system call for each would cost several times as much as the line itself.

Lines wait for at most `_DELAY_S`, or until there is a lot of them; at exit what waits is written. Only a
process that is killed loses lines, and only those of its last moment. structlog takes this for a file.
Threads of gRPC and of the ledger log, too, and may do so in the middle of a write.
"""

from __future__ import annotations

import asyncio
import atexit
from collections import deque
from contextlib import suppress
from typing import BinaryIO

_DELAY_S = 0.05
_MANY_BYTES = 64 * 1024


class Lines:
    """A binary file for logs that writes behind."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._scheduled = False
        atexit.register(self.drain)

    def write(self, line: bytes) -> int:
        """Keep a line until the next write."""
        self._waiting.append(line)
        self._size += len(line)
        return len(line)

    def flush(self) -> None:
        """See to it that what was kept gets written soon; at once outside an event loop."""
        if self._scheduled and self._size < _MANY_BYTES:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.drain()
            return
        if self._size >= _MANY_BYTES:
            self.drain()
        else:
            self._scheduled = True
            loop.call_later(_DELAY_S, self.drain)

    def drain(self) -> None:
        """Write what was kept."""
        self._scheduled = False
        self._size = 0
        lines = []
        # One by one, and not by taking the whole away: a thread may be about to add to it.
        with suppress(IndexError):
            while True:
                lines.append(self._waiting.popleft())
        if lines:
            self._file.write(b"".join(lines))
            self._file.flush()
