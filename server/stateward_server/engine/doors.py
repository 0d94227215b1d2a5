"""What administrators do with instances: pause, resume, look at timers, decide about dead letters.

Changes are made between two turns of the instance, and on disk with the request that asked for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from stateward_server.engine import refusals
from stateward_server.engine.actor import Actor
from stateward_server.engine.directory import Directory
from stateward_server.engine.finishing import finished
from stateward_server.engine.relay import Relay
from stateward_server.engine.room import Room
from stateward_server.model.ledger import Commit, DeadLetter, Extra, InstanceKey, TimerRow
from stateward_server.model.machine import RequestRecord
from stateward_server.model.outbox import Parcel, ParcelKind
from stateward_server.model.step import Status
from stateward_server.ports.store import DeadLetters, Loaded

log = structlog.get_logger()


class Pauses:
    """Stops and starts the intake of instances."""

    def __init__(self, room: Room, directory: Directory, relay: Relay) -> None:
        self._room = room
        self._directory = directory
        self._relay = relay

    async def pause(self, key: InstanceKey, request: RequestRecord | None) -> Loaded:
        """Refuse callers from now on, and let all else wait. Raises NotFound."""
        return await self._set(key, request, paused=True)

    async def resume(self, key: InstanceKey, request: RequestRecord | None) -> Loaded:
        """Deliver what has waited, and take events again. Raises NotFound."""
        return await self._set(key, request, paused=False)

    async def _set(self, key: InstanceKey, request: RequestRecord | None, *, paused: bool) -> Loaded:
        actor = await _awake(self._directory, key)

        async def work() -> None:
            changed = actor.instance.paused is not paused
            await self._room.ledger.set_paused(actor.instance.uid, request, paused=paused)
            actor.instance = replace(actor.instance, paused=paused)
            if not paused:
                # Here, and not in the caller's task: a caller that has gone must not leave it half done.
                actor.resume()
                self._relay.resumed(key)
            if changed:
                happened = "instance_paused" if paused else "instance_resumed"
                log.info(happened, machine=key.machine, instance=key.name)

        await actor.between_turns(work)
        return Loaded(actor.instance, actor.last)


class PendingTimers:
    """Shows and cancels the timers of an instance."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def list(self, key: InstanceKey, after: str, limit: int) -> Sequence[TimerRow]:
        """Return up to `limit` timers with an id above `after`, by id. Raises NotFound."""
        actor = await _awake(self._directory, key)
        return [actor.timers[id_] for id_ in sorted(actor.timers) if id_ > after][:limit]

    async def cancel(self, key: InstanceKey, timer: str, request: RequestRecord | None) -> None:
        """Delete a pending timer. Raises NotFound (TIMER_NOT_FOUND)."""
        actor = await _awake(self._directory, key)

        async def work() -> None:
            if timer not in actor.timers:
                raise refusals.no_timer(timer)
            extra = None if request is None else Extra(request=request)
            await actor.file(Commit(actor.instance, actor.last.revision, (), (), (timer,), extra))
            log.info("timer_cancelled", machine=key.machine, instance=key.name, timer=timer)

        await actor.between_turns(work)


class Letters:
    """Decides about dead letters: put back, or delete."""

    def __init__(self, room: Room, directory: Directory, relay: Relay, letters: DeadLetters) -> None:
        self._room = room
        self._directory = directory
        self._relay = relay
        self._letters = letters

    async def retry(self, key: InstanceKey, letter: int, request: RequestRecord | None, *, by: str) -> None:
        """Put a letter back. Raises NotFound, FailedPrecondition (DEAD_LETTER_NOT_RETRYABLE)."""
        found = await self._letters.get_letter(key, letter)
        if found is None:
            raise refusals.no_letter(letter)
        if isinstance(found.what, Parcel):
            await self._put_back(found, found.what, request)
        else:
            await self._arm(found, found.what, request)
        log.info("dead_letter_retried", machine=key.machine, instance=key.name, dead_letter=letter, by=by)

    async def discard(self, key: InstanceKey, letter: int, request: RequestRecord | None, *, by: str) -> None:
        """Delete a letter. Raises NotFound."""
        found = await self._letters.get_letter(key, letter)
        if found is None or not await self._letters.discard_letter(letter, request):
            raise refusals.no_letter(letter)
        log.info(
            "dead_letter_discarded",
            machine=key.machine,
            instance=key.name,
            dead_letter=letter,
            reason=found.reason,
            by=by,
        )

    async def _put_back(self, letter: DeadLetter, parcel: Parcel, request: RequestRecord | None) -> None:
        if parcel.kind is ParcelKind.SERVICE and parcel.payload_json is None:
            raise refusals.not_retryable(letter.id, "its content is not known")

        async def work() -> None:
            if not await self._letters.put_back(letter, request):
                raise refusals.no_letter(letter.id)
            if letter.position is not None:
                self._relay.revisit(letter.position)
            else:
                self._relay.wake()

        await finished(self._room.spawn, work())

    async def _arm(self, letter: DeadLetter, row: TimerRow, request: RequestRecord | None) -> None:
        actor = await self._directory.wake_uid(letter.uid)
        if actor is None:
            raise refusals.not_retryable(letter.id, "its instance is gone")

        async def work() -> None:
            if actor.last.view.status is not Status.ACTIVE:
                raise refusals.not_retryable(letter.id, "its instance has ended")
            if row.id in actor.timers:
                raise refusals.not_retryable(letter.id, f"timer {row.id[:200]!r} is pending anew")
            if await self._letters.get_letter(letter.owner, letter.id) is None:
                raise refusals.no_letter(letter.id)
            due = replace(row, due_ms=self._room.clock.now_ms())
            extra = Extra(letters_gone=(letter.id,), request=request)
            await actor.file(Commit(actor.instance, actor.last.revision, (), (due,), (), extra))

        await actor.between_turns(work)


async def _awake(directory: Directory, key: InstanceKey) -> Actor:
    actor = await directory.wake(key)
    if actor is None:
        raise refusals.gone(key)
    return actor
