"""What would become of a caller's call, without making it: for administrators who ask why."""

from __future__ import annotations

from dataclasses import dataclass

from stateward_server.engine import refusals
from stateward_server.engine.directory import Directory
from stateward_server.engine.room import Room
from stateward_server.model.errors import StatewardError
from stateward_server.model.ledger import InstanceKey
from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.model.step import (
    CreationQuestion,
    Denied,
    EventQuestion,
    Failed,
    Question,
    ReadQuestion,
    Status,
)
from stateward_server.ports.host import Address, HostLost
from stateward_server.ports.store import Loaded

_NOBODY = InstanceUid(0)


@dataclass(frozen=True, slots=True)
class Examination:
    """What an instance and its machine say to a call."""

    revision: int
    """Of the state that was asked about; 0 where there is none."""
    obstacle: StatewardError | None
    """What refuses everybody: there is no such instance, there is one already, it is paused or has ended."""
    verdict: Denied | Failed | None
    """What the authoriser says; None allows."""
    asked: bool
    """Whether it could be asked at all."""


class Examiner:
    """Asks about the last committed state. Waits for no turn, and changes nothing."""

    def __init__(self, room: Room, directory: Directory) -> None:
        self._room = room
        self._directory = directory

    async def read(self, key: InstanceKey, auth_json: str) -> Examination:
        """Examine reading an instance. Raises Unavailable."""
        loaded = await self._load(key)
        if loaded is None:
            return Examination(0, refusals.gone(key), None, asked=False)
        question = ReadQuestion(key.name, loaded.last.snapshot_json)
        return await self._ask(loaded, question, auth_json, None)

    async def send(self, key: InstanceKey, event_json: str, auth_json: str) -> Examination:
        """Examine sending an event. Raises Unavailable."""
        loaded = await self._load(key)
        if loaded is None:
            return Examination(0, refusals.gone(key), None, asked=False)
        status = loaded.last.view.status
        obstacle = None
        if loaded.instance.paused:
            obstacle = refusals.paused(key)
        elif status is not Status.ACTIVE:
            obstacle = refusals.ended(status)
        question = EventQuestion(key.name, loaded.last.snapshot_json, event_json)
        return await self._ask(loaded, question, auth_json, obstacle)

    async def create(
        self, key: InstanceKey, version: VersionId, context_json: str | None, auth_json: str
    ) -> Examination:
        """Examine creating an instance. Raises Unavailable."""
        obstacle = refusals.exists(key) if await self._load(key) else None
        at = Address(version, _NOBODY)
        verdict = await self._judge(at, CreationQuestion(key.name, context_json), auth_json)
        return Examination(0, obstacle, verdict, asked=True)

    async def _load(self, key: InstanceKey) -> Loaded | None:
        actor = self._directory.find(key)
        return Loaded(actor.instance, actor.last) if actor else await self._room.ledger.load(key)

    async def _ask(
        self, loaded: Loaded, question: Question, auth_json: str, obstacle: StatewardError | None
    ) -> Examination:
        at = Address(loaded.last.version, loaded.instance.uid)
        verdict = await self._judge(at, question, auth_json)
        return Examination(loaded.last.revision, obstacle, verdict, asked=True)

    async def _judge(self, at: Address, question: Question, auth_json: str) -> Denied | Failed | None:
        for _ in range(2):
            try:
                return await self._room.host.judge(at, question, auth_json)
            except HostLost:
                continue
        raise refusals.no_host()
