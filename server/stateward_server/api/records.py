"""The audit entries of calls: made of what the edge knows, opened before a call, closed with its outcome."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from google.protobuf.message import Message

from stateward_server.api.rates import Buckets
from stateward_server.audit.trail import Trail
from stateward_server.auth.scopes import BY_METHOD
from stateward_server.model.audit import AuditEntry, AuditOutcome
from stateward_server.model.names import OrgId, mint
from stateward_server.model.principal import NO_ORG, NOBODY, Principal
from stateward_server.ports.clock import Clock, Entropy

_CLAIM = 128
_RESOURCE = 512
"""Characters that are kept."""
_REFUSALS_PER_SECOND = 1
_BURST_S = 60

Home = Callable[[Any], Awaitable[tuple[OrgId, str] | None]]
"""Return whose log a request belongs in, and what it is about; None where it can change nothing."""


class Records:
    """Makes the entries."""

    def __init__(
        self, trail: Trail, clock: Clock, entropy: Entropy, homes: Mapping[str, Home] | None = None
    ) -> None:
        """`homes` are for methods whose organisation is not that of the caller's token."""
        self._trail = trail
        self._clock = clock
        self._entropy = entropy
        self._homes = homes or {}
        self._refusals = Buckets(_REFUSALS_PER_SECOND, _BURST_S)

    async def begin(
        self, method: str, who: Principal, request: Any, peer: str, *, acting: bool
    ) -> Record | None:
        """Return the record of a call, once it is on disk. Raises StoreFault: the call must not go on."""
        org, resource, is_final = who.org, "", False
        if method in self._homes:
            found = await self._homes[method](request)
            if found is None:
                return None
            org, resource = found
            is_final = bool(resource)
        elif isinstance(request, Message):
            resource = named(request)
            is_final = "name" in request.DESCRIPTOR.fields_by_name
        entry = replace(self._entry(method, who, resource, peer, acting=acting), org=org)
        record = Record(self._trail, entry, is_final=is_final)
        try:
            await self._trail.open(entry)
        except BaseException:
            record.close("CANCELLED")
            raise
        return record

    def refused(
        self,
        method: str,
        who: Principal,
        request: Message | None,
        peer: str,
        reason: str,
        *,
        acting: bool,
    ) -> None:
        """Note a call that was not let in, unless too many of its organisation were lately."""
        now_ms = self._clock.now_ms()
        if who.org == NO_ORG or self._refusals.wait(who.org, now_ms):
            return
        self._refusals.take(who.org, now_ms)
        resource = named(request) if request is not None else ""
        entry = self._entry(method, who, resource, peer, acting=acting)
        self._trail.note(replace(entry, outcome=reason))

    def _entry(self, method: str, who: Principal, resource: str, peer: str, *, acting: bool) -> AuditEntry:
        claims = json.loads(who.auth_json)
        return AuditEntry(
            id=mint("aud", self._entropy.token_bytes(16)),
            org=who.org,
            time_ms=self._clock.now_ms(),
            subject="" if who is NOBODY else who.subject,
            method=short(method),
            resource=_plain(resource, _RESOURCE),
            acting=acting,
            sub=_claim(claims, "sub"),
            sid=_claim(claims, "sid"),
            peer=unquote(peer),
            outcome="",
        )


class Record:
    """The entry of one call while it runs."""

    def __init__(self, trail: Trail, entry: AuditEntry, *, is_final: bool) -> None:
        """`is_final` says that the resource is known: the response has none to add."""
        self._trail = trail
        self._entry = entry
        self._is_final = is_final
        self._org = entry.org
        self._resource = entry.resource

    def answered(self, response: Message) -> None:
        """Take what the call was about from what it has made."""
        if self._is_final or not (resource := _within(response)):
            return
        self._resource = _plain(resource, _RESOURCE)
        collection, _, name = resource.partition("/")
        if self._org == NO_ORG and collection == "orgs":
            self._org = OrgId(name)

    def close(self, outcome: str) -> None:
        """Fill in what became of the call: OK or a reason."""
        self._trail.close(AuditOutcome(self._entry, self._org, self._resource, outcome))


def short(method: str) -> str:
    """Return `KeyService.CreateKey` for `/stateward.v1.KeyService/CreateKey`."""
    return method.removeprefix("/stateward.v1.").replace("/", ".")


METHODS = frozenset(map(short, BY_METHOD))
"""All there are, as entries name them."""


def named(request: Message) -> str:
    """Return the resource name that a request is about; blank where it names none."""
    fields = request.DESCRIPTOR.fields_by_name
    said: Any = request
    if "name" in fields:
        return str(said.name)
    if "machine_id" in fields:
        return f"machines/{said.machine_id}"
    if "parent" in fields:
        return f"{said.parent}/instances/{said.instance_id}" if "instance_id" in fields else str(said.parent)
    return _within(request)


def _within(message: Message) -> str:
    """Return the name of the first resource in a message."""
    for field, value in message.ListFields():
        part = field.message_type
        if part is not None and not field.is_repeated and "name" in part.fields_by_name:
            return str(value.name)
    return ""


def _claim(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    return _plain(value, _CLAIM) if isinstance(value, str) else ""


def _plain(text: str, most: int) -> str:
    """Return what can be stored, and shown on a terminal: no halves of characters, nothing that steers it."""
    return "".join(each if each.isprintable() else "?" for each in text[:most])
