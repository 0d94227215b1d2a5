"""Bringing instances into being, for callers and for the relay."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import structlog

from stateward_server.engine import refusals
from stateward_server.engine.actor import Actor
from stateward_server.engine.directory import Directory
from stateward_server.engine.envelope import Envelope
from stateward_server.engine.finishing import finished
from stateward_server.engine.hop import may_read
from stateward_server.engine.plan import plan
from stateward_server.engine.room import Room
from stateward_server.model.ledger import (
    Cause,
    Committed,
    Instance,
    InstanceKey,
    Parent,
    Repeated,
    RequestTag,
)
from stateward_server.model.names import VersionId
from stateward_server.model.step import Denied, EventInput, Failed, Step
from stateward_server.model.wait import Reply, Wait
from stateward_server.ports.host import Address, HostLost
from stateward_server.ports.store import Loaded, StoreFault

log = structlog.get_logger()

_Made: TypeAlias = tuple[Instance, asyncio.Future[Reply]]
"""A new instance, and the reply that comes when its creator's wait is over."""


class Creation:
    """Creates instances; each is awake when its creator hears of it."""

    def __init__(self, room: Room, directory: Directory) -> None:
        self._room = room
        self._directory = directory

    async def create(
        self,
        key: InstanceKey,
        version: VersionId,
        context_json: str | None,
        auth_json: str,
        *,
        request: RequestTag | None,
        wait: Wait | None,
        parent: Parent | None = None,
    ) -> tuple[Instance, Reply]:
        """Create an instance and reply when its first state is durable and `wait` is over.

        Raises AlreadyExists, PermissionDenied, FailedPrecondition (the machine failed), Unavailable.
        """
        existing = await self._directory.wake(key)
        if existing is not None:
            instance, reply = await self._existing(key, existing, request, wait, auth_json)
            return instance, await reply
        making = self._make(key, version, context_json, auth_json, request=request, wait=wait, parent=parent)
        instance, reply = await finished(self._room.spawn, making)
        return instance, await reply

    async def _make(
        self,
        key: InstanceKey,
        version: VersionId,
        context_json: str | None,
        auth_json: str,
        *,
        request: RequestTag | None,
        wait: Wait | None,
        parent: Parent | None,
    ) -> _Made:
        room = self._room
        uid = await room.ledger.allocate_uid()
        instance = Instance(uid, key, version, room.clock.now_ms(), parent)
        at = Address(version, uid)
        step = await self._start(at, key, context_json, auth_json)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        envelope = Envelope(
            EventInput(step.event_json, auth_json), Cause.CREATED, request, wait=wait, reply=reply
        )
        commit = plan(instance, 0, [(envelope, step)], {}, now_ms=instance.created_at, epoch=room.epoch)
        try:
            result = await room.committer.submit(commit)
        except StoreFault as fault:
            log.error("commit_failed", machine=key.machine, error=str(fault))
            room.host.abort(at, 0)
            raise refusals.no_store() from None
        if isinstance(result, Committed):
            actor = Actor(room, Loaded(instance, commit.transitions[0]), (), warm=True)
            self._directory.admit(actor)
            actor.adopt(commit, [(envelope, step)])
            return instance, reply
        room.host.abort(at, 0)
        existing = await self._directory.wake(key)
        if existing is None or not isinstance(result, Repeated):
            raise refusals.exists(key)
        return await self._existing(key, existing, request, wait, auth_json)

    async def _start(self, at: Address, key: InstanceKey, context_json: str | None, auth_json: str) -> Step:
        for _ in range(2):
            try:
                outcome = await self._room.host.start(at, key.name, context_json, auth_json)
            except HostLost as lost:
                log.warning("host_lost", version=at.version, error=str(lost))
                continue
            match outcome:
                case Step():
                    return outcome
                case Denied():
                    raise refusals.denied(key)
                case Failed(reason, message):
                    raise refusals.failed(reason, message)
        raise refusals.no_host()

    async def _existing(
        self,
        key: InstanceKey,
        actor: Actor,
        request: RequestTag | None,
        wait: Wait | None,
        auth_json: str,
    ) -> _Made:
        """Answer the creation of something that exists: a repeat gets its outcome, all else a refusal.

        What has come after it is shown to whom the machine shows it.
        """
        ledger = self._room.ledger
        stored = await ledger.find_request(actor.instance.uid, request.id) if request else None
        if stored is None or stored.revision != 1 or request is None or stored.request is None:
            raise refusals.exists(key)
        if stored.request.digest != request.digest:
            raise refusals.reused(request.id)
        shown = wait is None or await may_read(self._room.host, actor.at, key.name, actor.last, auth_json)
        # It may have gone to sleep while the store was asked, and nobody must wait at one that sleeps.
        awake = await self._directory.wake(key)
        if awake is None or awake.instance.uid != actor.instance.uid:
            raise refusals.gone(key)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        envelope = Envelope(
            EventInput(stored.event_json, None), Cause.CREATED, request, wait=wait, reply=reply
        )
        awake.waiters.answer(envelope, stored, awake.last if shown else None, replayed=True)
        return awake.instance, reply
