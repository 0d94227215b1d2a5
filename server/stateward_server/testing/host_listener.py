"""A listener for tests of hosts: keeps what it is told, and lets a test wait for more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stateward_server.model.names import InstanceUid, VersionId


class RecordingListener:
    """A HostListener that remembers."""

    def __init__(self) -> None:
        self.inboxes: list[InstanceUid] = []
        self.losses: list[VersionId] = []
        self.logs: list[tuple[InstanceUid | None, str, str]] = []
        self._told = asyncio.Event()

    def inbox(self, uid: InstanceUid) -> None:
        self.inboxes.append(uid)
        self._told.set()

    def lost(self, version: VersionId) -> None:
        self.losses.append(version)
        self._told.set()

    def logged(self, version: VersionId, uid: InstanceUid | None, level: str, text: str) -> None:  # noqa: ARG002
        self.logs.append((uid, level, text))
        self._told.set()

    async def next_inbox(self) -> InstanceUid:
        """Wait for a child to send something and return whose."""
        await self._until(lambda: self.inboxes)
        return self.inboxes.pop(0)

    async def next_loss(self) -> VersionId:
        await self._until(lambda: self.losses)
        return self.losses.pop(0)

    async def next_log(self) -> tuple[InstanceUid | None, str, str]:
        await self._until(lambda: self.logs)
        return self.logs.pop(0)

    async def _until(self, have: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not have():
                self._told.clear()
                await self._told.wait()
