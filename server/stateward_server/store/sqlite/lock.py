"""Ownership of a data directory: one process at a time, for as long as it lives.

Called first when a store opens and last when it closes. The lock is the kernel's (`flock`), so it ends with
the process however that dies; the file itself stays and means nothing. Its text, the owner's process id, is
for people.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from stateward_server.ports.store import StoreFault

_NAME = "stateward.lock"


class DirectoryLock:
    """Holds a data directory. Raises StoreFault if someone else does, be it in this process."""

    def __init__(self, directory: Path) -> None:
        """Create the directory if need be, and take it."""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(directory / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreFault(f"the data directory {directory} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.truncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            owner = os.pread(self._file, 32, 0).decode(errors="replace").strip()
            os.close(self._file)
            if isinstance(error, BlockingIOError):
                raise StoreFault(
                    f"another server (process {owner or 'unknown'}) uses the data directory {directory}: "
                    "stop it, or name another directory"
                ) from error
            raise StoreFault(f"the data directory {directory} cannot be locked: {error.strerror}") from error

    def release(self) -> None:
        """Give the directory up."""
        os.close(self._file)
