"""One parcel to whoever it is for: an event, a child to create, word of a child's end.

Returns when the receiver has it, which may mean that it had it before; raises what it was refused with. What
is meant for a parent that is gone or has ended goes nowhere: routing has stopped.
"""

from __future__ import annotations

import json
from dataclasses import replace

import structlog

from stateward_server.engine import refusals
from stateward_server.engine.actor import Actor
from stateward_server.engine.creation import Creation
from stateward_server.engine.directory import Directory
from stateward_server.engine.envelope import Envelope
from stateward_server.model.errors import AlreadyExists, FailedPrecondition, no_machine, no_version
from stateward_server.model.ledger import Cause, InstanceKey, Owed, Parent, RequestTag
from stateward_server.model.names import (
    InstanceUid,
    OrgId,
    VersionId,
    instance_name,
    machine_name,
    version_id,
)
from stateward_server.model.outbox import Parcel, ParcelKind
from stateward_server.model.step import EndInput, EventInput, LostInput, Ref, Status
from stateward_server.ports.store import Catalog, Ledger

log = structlog.get_logger()


class Delivery:
    """Carries parcels to instances of their sender's organisation, and no other."""

    def __init__(self, directory: Directory, creation: Creation, ledger: Ledger, catalog: Catalog) -> None:
        self._directory = directory
        self._creation = creation
        self._ledger = ledger
        self._catalog = catalog

    async def deliver(self, owed: Owed) -> None:
        """Raises StatewardError, StoreFault."""
        parcel = owed.parcel
        tag = _tag(f"outbox-{owed.position}")
        match parcel.kind:
            case ParcelKind.EVENT if parcel.to_uid is None:
                await self._send(_key(owed.sender.org, parcel.to), owed, tag)
            case ParcelKind.SPAWN:
                await self._spawn(_key(owed.sender.org, parcel.to), owed, tag)
            case _:
                await self._to_relative(parcel, owed.sender, tag)

    async def _send(self, key: InstanceKey, owed: Owed, tag: RequestTag) -> None:
        actor = await self._directory.wake(key)
        if actor is None:
            raise refusals.gone(key)
        event = EventInput(owed.parcel.payload_json or "", _sender(owed.sender))
        await actor.ask(Envelope(event, Cause.MESSAGE, tag))

    async def _to_relative(self, parcel: Parcel, sender: InstanceKey, tag: RequestTag) -> None:
        """Deliver what is meant for one certain instance: the parent, or the sender itself."""
        actor = await self._directory.wake_uid(parcel.to_uid or InstanceUid(0))
        if actor is None:
            log.info("relative_gone", kind=parcel.kind.value, child=parcel.child)
            return
        text = parcel.payload_json or ""
        child = parcel.child
        match parcel.kind:
            case ParcelKind.EVENT:
                envelope = Envelope(EventInput(text, _sender(sender)), Cause.MESSAGE, tag)
            case ParcelKind.SERVICE:
                envelope = Envelope(EventInput(text, None), Cause.SERVICE, tag)
            case ParcelKind.LOST:
                envelope = Envelope(LostInput(child), Cause.LOST, tag)
            case ParcelKind.UNBORN:
                envelope = Envelope(_unborn(child, text), Cause.CHILD, tag)
            case _:
                by, failed = Ref(sender.machine, sender.name), parcel.kind is ParcelKind.FAILED
                envelope = Envelope(EndInput(child, by, failed, parcel.payload_json), Cause.CHILD, tag)
        try:
            await actor.ask(envelope)
        except FailedPrecondition as refusal:
            if refusal.reason != "INSTANCE_ENDED":
                raise
            log.info("relative_ended", kind=parcel.kind.value, child=child)

    async def _spawn(self, key: InstanceKey, owed: Owed, tag: RequestTag) -> None:
        parcel, sender = owed.parcel, owed.sender
        parent = Parent(owed.uid, sender.machine, sender.name, parcel.child)
        version = await self._version(key, parcel.version)
        try:
            await self._creation.create(
                key,
                version,
                parcel.payload_json,
                _sender(sender),
                request=tag,
                wait=None,
                parent=parent,
            )
        except AlreadyExists:
            actor = await self._directory.wake(key)
            if actor is None:
                raise
            await self._adopt(actor, parent, owed)

    async def _adopt(self, actor: Actor, parent: Parent, owed: Owed) -> None:
        """Make an existing instance a child, unless another one that lives is its parent.

        One that has ended already says so at once, or its new parent would wait for ever.
        """
        key = actor.instance.key
        taken = await actor.between_turns(lambda: self._take(actor, parent))
        log.info("instance_adopted" if taken else "adoption_refused", machine=key.machine, instance=key.name)
        kind = {Status.DONE: ParcelKind.DONE, Status.ERROR: ParcelKind.FAILED}.get(actor.last.view.status)
        if taken and kind is not None:
            payload = _outcome(actor.last.snapshot_json, kind)
            word = Parcel(
                kind, Ref(parent.machine, parent.name), parent.uid, parent.child, payload_json=payload
            )
            await self._to_relative(word, key, _tag(f"outbox-{owed.position}-end"))

    async def _take(self, actor: Actor, parent: Parent) -> bool:
        present = actor.instance.parent
        if present == parent:
            return True
        if present is not None and present.uid != parent.uid:
            loaded = await self._ledger.load_uid(present.uid)
            if loaded is not None and loaded.last.view.status is Status.ACTIVE:
                return False
        await self._ledger.set_parent(actor.instance.uid, parent)
        actor.instance = replace(actor.instance, parent=parent)
        return True

    async def _version(self, key: InstanceKey, wanted: str | None) -> VersionId:
        if wanted is not None:
            found = await self._catalog.get_version(key.org, key.machine, version_id(wanted))
            if found is None:
                raise no_version(key.machine, wanted)
            return found.id
        machine = await self._catalog.get_machine(key.org, key.machine)
        if machine is None:
            raise no_machine(key.machine)
        if machine.current_version is None:
            raise refusals.no_version_yet(key.machine)
        return machine.current_version.id


def _key(org: OrgId, ref: Ref) -> InstanceKey:
    """Check a machine's own words for another instance. Raises InvalidArgument (INVALID_NAME)."""
    return InstanceKey(org, machine_name(ref.machine), instance_name(ref.instance))


def _unborn(child: str, text: str) -> EndInput:
    told = json.loads(text)
    return EndInput(child, Ref(told["machine"], told["instance"]), True, json.dumps(told["error"]))


def _sender(key: InstanceKey) -> str:
    """Return the authContext that the receiver's authoriser sees."""
    return json.dumps({"stateBackedSender": {"machineName": key.machine, "machineInstanceName": key.name}})


def _tag(identity: str) -> RequestTag:
    # Callers' request ids are UUIDs, so none of these is ever one of theirs.
    return RequestTag(identity, identity.encode())


def _outcome(snapshot_json: str, kind: ParcelKind) -> str | None:
    """Return the output or the error that an ended machine keeps in its snapshot, if it does."""
    stored = json.loads(snapshot_json)
    found = stored.get("output" if kind is ParcelKind.DONE else "error") if isinstance(stored, dict) else None
    return None if found is None else json.dumps(found)
