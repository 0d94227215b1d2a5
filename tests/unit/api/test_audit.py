"""The audit log at the edge: which calls are in it, when, and with what; over a real socket."""

# ruff: noqa: N802 - the names are the contract's

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import grpc
import jwt
import pytest
from tests.e2e.kit import refusal

from stateward.v1 import (
    audit_pb2,
    audit_service_pb2_grpc,
    instance_service_pb2_grpc,
    key_pb2,
    key_service_pb2_grpc,
    subscription_service_pb2_grpc,
    token_service_pb2_grpc,
)
from stateward.v1 import audit_service_pb2 as audit_pb
from stateward.v1 import instance_service_pb2 as instance_pb
from stateward.v1 import key_service_pb2 as key_pb
from stateward.v1 import subscription_service_pb2 as subscription_pb
from stateward.v1 import token_service_pb2 as token_pb
from stateward_server.api.audit_entries import AuditServicer
from stateward_server.api.edge import Edge
from stateward_server.api.paging import PageTokens
from stateward_server.api.rates import Rates
from stateward_server.api.records import Records
from stateward_server.api.server import ApiServer
from stateward_server.api.streams import Streams
from stateward_server.audit.trail import Trail
from stateward_server.auth.authenticator import AUDIENCE, Authenticator
from stateward_server.auth.revocations import Revocations
from stateward_server.auth.scopes import PRODUCTION
from stateward_server.auth.secrets import Secrets
from stateward_server.model.audit import AuditEntry, AuditQuery
from stateward_server.model.limits import RateLimits
from stateward_server.model.names import OrgId, mint
from stateward_server.model.org import Key
from stateward_server.model.principal import NO_ORG
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy
from stateward_server.testing.faulty_store import FaultyStore
from stateward_server.testing.store_samples import with_owner

ORG, OTHER_ORG = OrgId(mint("org", bytes(16))), OrgId(mint("org", bytes(15) + b"\1"))
ADMIN, OTHER_ADMIN = mint("sba", bytes(32)), mint("sba", bytes(31) + b"\1")
KEY = mint("sbk", bytes(16))
NOW = 1_700_000_000_000
SECRETS = Secrets(bytes(32))


async def fine() -> None:
    """Let the call succeed."""


@dataclass
class Services(
    key_service_pb2_grpc.KeyServiceServicer,
    instance_service_pb2_grpc.InstanceServiceServicer,
    subscription_service_pb2_grpc.SubscriptionServiceServicer,
    token_service_pb2_grpc.TokenServiceServicer,
):
    """What is called: `act` runs within each call."""

    act: Callable[[], Awaitable[None]] = fine
    served: int = 0

    async def CreateKey(self, request: Any, context: Any) -> key_pb.CreateKeyResponse:
        await self._serve()
        return key_pb.CreateKeyResponse(key=key_pb2.Key(name=f"keys/{KEY}"), secret="sbsec_secret")

    async def DeleteKey(self, request: Any, context: Any) -> key_pb.DeleteKeyResponse:
        await self._serve()
        return key_pb.DeleteKeyResponse()

    async def SendEvent(self, request: Any, context: Any) -> instance_pb.SendEventResponse:
        await self._serve()
        return instance_pb.SendEventResponse()

    async def ExchangeToken(self, request: Any, context: Any) -> token_pb.ExchangeTokenResponse:
        await self._serve()
        return token_pb.ExchangeTokenResponse()

    async def WatchInstance(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._serve()
        yield subscription_pb.WatchInstanceResponse()

    async def _serve(self) -> None:
        self.served += 1
        await self.act()


@dataclass
class Audited:
    """A running server with an audit log."""

    store: MemoryStore
    faults: FaultyStore
    clock: ManualClock
    services: Services
    channel: grpc.aio.Channel
    trail: Trail
    keys: Any = field(init=False)
    instances: Any = field(init=False)
    subscriptions: Any = field(init=False)
    audit: Any = field(init=False)
    tokens: Any = field(init=False)

    def __post_init__(self) -> None:
        self.keys = key_service_pb2_grpc.KeyServiceStub(self.channel)
        self.instances = instance_service_pb2_grpc.InstanceServiceStub(self.channel)
        self.subscriptions = subscription_service_pb2_grpc.SubscriptionServiceStub(self.channel)
        self.audit = audit_service_pb2_grpc.AuditServiceStub(self.channel)
        self.tokens = token_service_pb2_grpc.TokenServiceStub(self.channel)

    async def create(self, metadata: Any) -> Any:
        request = key_pb.CreateKeyRequest(display_name="nothing of this")
        return await self.keys.CreateKey(request, metadata=metadata)

    async def delete(self, metadata: Any) -> Any:
        return await self.keys.DeleteKey(key_pb.DeleteKeyRequest(name=f"keys/{KEY}"), metadata=metadata)

    async def send(self, metadata: Any) -> Any:
        request = instance_pb.SendEventRequest(name="machines/m/instances/i", event_json='"nor this"')
        return await self.instances.SendEvent(request, metadata=metadata)

    async def entries(self, org: OrgId = ORG) -> list[AuditEntry]:
        """What is on disk, oldest first, without what each call has of its own."""
        await self.trail.settle()
        found = await self.store.list_audit(AuditQuery(org), None, 1_000)
        return [replace(entry, id="", peer="") for entry in reversed(found)]


def bearer(token: str, acting: object = None) -> tuple[tuple[str, str | bytes], ...]:
    said = (("stateward-auth-context-bin", json.dumps(acting).encode()),) if acting else ()
    return (("authorization", f"Bearer {token}"), *said)


def user(secret: str | None = None, **claims: object) -> str:
    """A token of one of the organisation's end users."""
    body = {"aud": AUDIENCE, "exp": NOW // 1000 + 60, "act": {"sub": "ann", "sid": "tab"}} | claims
    return jwt.encode(body, secret or SECRETS.signing_secret(KEY), "HS256", {"kid": KEY})


def entry(method: str, **changed: Any) -> AuditEntry:
    of = AuditEntry("", ORG, NOW, "usr_1", method, "", False, "", "", "", "OK")
    return replace(of, **changed)


@pytest.fixture
async def audited() -> AsyncIterator[Audited]:
    clock = ManualClock(NOW)
    store = MemoryStore(clock=clock, entropy=SeededEntropy())
    await with_owner(store, ORG, ADMIN)
    await with_owner(store, OTHER_ORG, OTHER_ADMIN, "usr_2")
    await store.create_key(Key(KEY, ORG, "", tuple(sorted(PRODUCTION)), NOW), 10, None)
    faults, revocations = FaultyStore(store), Revocations()
    trail = Trail(faults.store)
    edge = Edge(
        Authenticator(store, SECRETS, clock, revocations),
        SeededEntropy(),
        Streams(clock, 20_000, revocations),
        Records(trail, clock, SeededEntropy()),
        rates=Rates.of(RateLimits(org_per_second=1_000), clock),
    )
    services = cast(Any, Services)()
    server = ApiServer(edge, (services, AuditServicer(trail, PageTokens(bytes(32)))))
    port = server.bind("127.0.0.1:0")
    writing = asyncio.ensure_future(trail.run())
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Audited(store, faults, clock, services, channel, trail)
    await server.stop(0)
    writing.cancel()


async def reason(call: Awaitable[Any]) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value).reason


# ------------------------------------------------------------------ before the effect


async def test_an_administrative_call_is_on_record_before_it_takes_effect(audited: Audited):
    meanwhile: list[AuditEntry] = []

    async def look() -> None:
        meanwhile.extend(await audited.store.list_audit(AuditQuery(ORG), None, 10))

    audited.services.act = look
    await audited.delete(bearer(ADMIN))
    assert [replace(each, id="", peer="") for each in meanwhile] == [
        entry("KeyService.DeleteKey", resource=f"keys/{KEY}", outcome="")
    ]
    assert await audited.entries() == [entry("KeyService.DeleteKey", resource=f"keys/{KEY}")]


async def test_nobody_writes_into_any_log_by_saying_whom_they_speak_for(audited: Audited):
    metadata = bearer("", acting={"sub": "ann"})[1:]
    await audited.tokens.ExchangeToken(token_pb.ExchangeTokenRequest(), metadata=metadata)
    assert audited.services.served == 1
    assert await audited.entries(NO_ORG) == []


async def test_what_cannot_be_on_record_does_not_happen(audited: Audited):
    audited.faults.fail("write_audit")
    assert await reason(audited.delete(bearer(ADMIN))) == "STORE_UNAVAILABLE"
    assert (audited.services.served, await audited.entries()) == (0, [])
    await audited.delete(bearer(ADMIN))
    assert (audited.services.served, len(await audited.entries())) == (1, 1)


async def test_an_outcome_that_cannot_be_written_is_written_later(audited: Audited):
    async def break_down() -> None:
        audited.faults.fail("write_audit")

    audited.services.act = break_down
    await audited.delete(bearer(ADMIN))
    audited.services.act = fine
    await asyncio.wait_for(audited.delete(bearer(ADMIN)), 10)
    assert [each.outcome for each in await audited.entries()] == ["OK", "OK"]


async def test_a_caller_does_not_wait_for_the_outcome_to_be_written(audited: Audited):
    async def hold() -> None:
        released.append(audited.faults.hold("write_audit"))

    released: list[asyncio.Event] = []
    audited.services.act = hold
    await audited.delete(bearer(ADMIN))
    assert [each.outcome for each in await audited.store.list_audit(AuditQuery(ORG), None, 10)] == [""]
    released[0].set()
    assert [each.outcome for each in await audited.entries()] == ["OK"]


async def test_calls_that_come_together_are_written_together(audited: Audited):
    released = audited.faults.hold("write_audit")
    rows = [entry("KeyService.DeleteKey", id=f"aud_{number}") for number in range(20)]
    opening = [asyncio.ensure_future(audited.trail.open(row)) for row in rows]
    first = asyncio.ensure_future(audited.trail.settle())
    await asyncio.wait(opening, timeout=0)
    late = [asyncio.ensure_future(audited.trail.open(replace(row, id=row.id + "b"))) for row in rows]
    await asyncio.wait(late, timeout=0)
    assert not any(each.done() for each in (*opening, first, *late))
    released.set()
    await asyncio.gather(*opening, first, *late)
    assert len(await audited.entries()) == 40
    assert audited.faults.calls == ["write_audit", "write_audit"]


async def test_a_call_that_is_given_up_says_so(audited: Audited):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    audited.services.act = hang
    call = asyncio.ensure_future(audited.delete(bearer(ADMIN)))
    await begun.wait()
    call.cancel()
    await ended.wait()
    assert [each.outcome for each in await audited.entries()] == ["CANCELLED"]


# ------------------------------------------------------------------ what it says


async def test_what_a_call_has_made_is_what_it_was_about_and_nothing_of_it_is_kept(audited: Audited):
    await audited.create(bearer(ADMIN))
    [found] = await audited.store.list_audit(AuditQuery(ORG), None, 10)
    assert replace(found, id="", peer="") == entry("KeyService.CreateKey", resource=f"keys/{KEY}")
    assert found.id.startswith("aud_")
    assert found.peer.startswith("ipv4:127.0.0.1:")
    assert not any(secret in repr(found) for secret in (ADMIN, "secret", "nothing of this"))


async def test_a_refusal_of_the_service_is_the_outcome(audited: Audited):
    async def crash() -> None:
        raise RuntimeError

    audited.services.act = crash
    assert await reason(audited.delete(bearer(ADMIN))) == "INTERNAL"
    assert [each.outcome for each in await audited.entries()] == ["INTERNAL"]


async def test_calls_for_somebody_else_are_on_record_with_whom(audited: Audited):
    await audited.send(bearer(ADMIN, {"sub": "ann\ud800", "sid": "x" * 500, "mail": "ann@example.com"}))
    assert await audited.entries() == [
        entry(
            "InstanceService.SendEvent",
            resource="machines/m/instances/i",
            acting=True,
            sub="ann?",
            sid="x" * 128,
        )
    ]


async def test_a_stream_for_somebody_else_is_on_record_until_it_ends(audited: Audited):
    request = subscription_pb.WatchInstanceRequest(name="machines/m/instances/i")
    call = audited.subscriptions.WatchInstance(request, metadata=bearer(ADMIN, {"sub": "ann"}))
    assert len([frame async for frame in call]) == 1
    [found] = await audited.entries()
    assert found == entry(
        "SubscriptionService.WatchInstance", resource="machines/m/instances/i", acting=True, sub="ann"
    )


async def test_everyday_calls_are_not(audited: Audited):
    await audited.send(bearer(ADMIN))
    await audited.send(bearer(user()))
    assert audited.faults.calls == []


# ------------------------------------------------------------------ those not let in


async def test_who_lacks_the_scope_for_an_administrative_call_is_on_record(audited: Audited):
    assert await reason(audited.delete(bearer(user()))) == "SCOPE_MISSING"
    assert await reason(audited.send(bearer(user(), {"sub": "root"}))) == "SCOPE_MISSING"
    head = {"subject": KEY, "sub": "ann", "sid": "tab", "outcome": "SCOPE_MISSING"}
    assert await audited.entries() == [
        entry("KeyService.DeleteKey", resource=f"keys/{KEY}", **head),
        entry("InstanceService.SendEvent", resource="machines/m/instances/i", acting=True, **head),
    ]
    assert audited.services.served == 0


async def test_what_a_caller_names_cannot_steer_a_terminal(audited: Audited):
    request = key_pb.DeleteKeyRequest(name="keys/\x1b[2J\n" + "x" * 600)
    await audited.keys.DeleteKey(request, metadata=bearer(ADMIN))
    [found] = await audited.entries()
    assert found.resource == "keys/?[2J?" + "x" * 502


async def test_a_bad_token_is_on_record_where_it_names_a_key(audited: Audited):
    assert await reason(audited.delete(bearer(user("x" * 49)))) == "TOKEN_INVALID"
    assert await reason(audited.delete(bearer(user(exp=1)))) == "TOKEN_EXPIRED"
    assert await reason(audited.delete(bearer("who knows"))) == "TOKEN_INVALID"
    assert await reason(audited.send(bearer(user("x" * 49)))) == "TOKEN_INVALID"
    found = await audited.entries()
    assert [(each.subject, each.sub, each.outcome) for each in found] == [
        (KEY, "", "TOKEN_INVALID"),
        (KEY, "ann", "TOKEN_EXPIRED"),
    ]


async def test_a_flood_of_refusals_does_not_fill_the_log(audited: Audited):
    for _ in range(100):
        assert await reason(audited.delete(bearer(user()))) == "SCOPE_MISSING"
    assert len(await audited.entries()) == 60
    await audited.delete(bearer(ADMIN))
    assert sum(each.outcome == "OK" for each in await audited.entries()) == 1
    await audited.clock.advance(2_000)
    for _ in range(5):
        assert await reason(audited.delete(bearer(user(exp=NOW // 1000 + 90)))) == "SCOPE_MISSING"
    assert len(await audited.entries()) == 63


# ------------------------------------------------------------------ reading it


async def listed(audited: Audited, token: str = ADMIN, **asked: Any) -> audit_pb.ListAuditEntriesResponse:
    request = audit_pb.ListAuditEntriesRequest(**asked)
    return cast(
        "audit_pb.ListAuditEntriesResponse",
        await audited.audit.ListAuditEntries(request, metadata=bearer(token)),
    )


async def test_an_owner_reads_it_newest_first_page_by_page(audited: Audited):
    await audited.create(bearer(ADMIN))
    await audited.clock.advance(5)
    await audited.delete(bearer(ADMIN))
    first = await listed(audited, page_size=1)
    [newest] = first.audit_entries
    assert (newest.method, newest.outcome) == ("KeyService.DeleteKey", "OK")
    assert newest.create_time.ToMilliseconds() == NOW + 5
    second = await listed(audited, page_size=1, page_token=first.next_page_token)
    [oldest] = second.audit_entries
    assert second.next_page_token == ""
    assert oldest.name.startswith("auditEntries/aud_")
    oldest.name = oldest.peer = ""
    oldest.ClearField("create_time")
    assert oldest == audit_pb2.AuditEntry(
        subject="users/usr_1", method="KeyService.CreateKey", resource=f"keys/{KEY}", outcome="OK"
    )
    mismatch = listed(audited, page_token=first.next_page_token, method="KeyService.CreateKey")
    assert await reason(mismatch) == "PAGE_TOKEN_MISMATCH"


async def test_it_is_filtered(audited: Audited):
    await audited.create(bearer(ADMIN))
    await reason(audited.delete(bearer(user())))
    both = ["KeyService.CreateKey", "KeyService.DeleteKey"]
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"subject": "users/usr_1"}, ["KeyService.CreateKey"]),
        ({"subject": f"keys/{KEY}"}, ["KeyService.DeleteKey"]),
        ({"method": "KeyService.DeleteKey"}, ["KeyService.DeleteKey"]),
        ({"end_time": {"seconds": NOW // 1000}}, []),
        ({"start_time": {"seconds": NOW // 1000 + 1}}, []),
        ({"start_time": {"seconds": -(1 << 60)}, "end_time": {"seconds": 1 << 60}}, both),
    ]
    for asked, methods in cases:
        found = (await listed(audited, **asked)).audit_entries
        assert sorted(each.method for each in found) == methods
    assert await reason(listed(audited, subject="ann")) == "INVALID_NAME"
    assert await reason(listed(audited, method="KeyService.Delete")) == "INVALID_FIELD"


async def test_it_can_be_read_while_nothing_can_be_written(audited: Audited):
    async def break_down() -> None:
        for _ in range(2):
            audited.faults.fail("write_audit")

    audited.services.act = break_down
    await audited.delete(bearer(ADMIN))
    assert [each.outcome for each in (await listed(audited)).audit_entries] == [""]
    assert [each.outcome for each in (await listed(audited)).audit_entries] == ["OK"]


async def test_others_do_not_see_it(audited: Audited):
    await audited.delete(bearer(ADMIN))
    assert list((await listed(audited, OTHER_ADMIN)).audit_entries) == []
    assert await reason(listed(audited, user())) == "SCOPE_MISSING"
