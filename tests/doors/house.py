"""A whole server in the test's process, with two organisations that have some of everything.

The edge and all rooms are those that `app.py` builds; the ledger is in memory, machines are Python objects,
the clock is the test's. Two houses are alike to the byte.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import jwt
import structlog
from google.protobuf.message import Message
from structlog.testing import LogCapture
from tests.doors.rpcs import RPCS, Answer, Metadata, call
from tests.doors.samples import Names, request_id

from stateward.v1 import key_service_pb2 as key_pb
from stateward.v1 import org_pb2
from stateward_server.api.streams import Streams
from stateward_server.app import Core, api_of
from stateward_server.audit.trail import Trail
from stateward_server.auth.anonymous import SERVICE, Anonymous, identity_of
from stateward_server.auth.authenticator import AUDIENCE
from stateward_server.auth.revocations import Revocations
from stateward_server.auth.seal import ProviderKeys
from stateward_server.auth.secrets import Secrets
from stateward_server.config import Settings
from stateward_server.engine.engine import Engine
from stateward_server.model.limits import EngineLimits, Limits, RateLimits
from stateward_server.model.names import OrgId, VersionId, mint
from stateward_server.model.org import Key, Member, Org, Role
from stateward_server.model.step import Ref, SendTo, Step
from stateward_server.ports.fetch import Document, FetchFailed
from stateward_server.ports.store import Store
from stateward_server.store.memory import MemoryStore
from stateward_server.store.sqlite.store import SqliteStore
from stateward_server.testing.clock import ManualClock, SeededEntropy, settle
from stateward_server.testing.fake_host import FakeHost
from stateward_server.testing.fake_machine import FakeMachine, Json, Reaction
from stateward_server.testing.store_samples import sample_newcomer
from stateward_server.watch.hub import Hub
from stateward_server.watch.waves import Waves

SECRETS = Secrets(bytes(range(32)))
NO_BRAKES = RateLimits(failures_per_second=0, open_per_second=0)


class Desk:
    """A machine for everybody but anonymous people, with a private context."""

    def start(self, context: Json | None) -> Reaction:
        given = context or {}
        return Reaction("off", {"public": {"owner": "ann", "note": given.get("note")}, **given})

    def react(self, value: str, context: Json, event: Json) -> Reaction | None:
        match event["type"]:
            case "NOTE":
                return Reaction(value, {**context, "public": {**context["public"], "note": event["note"]}})
            case "WAIT":
                return Reaction("waiting", context, timer=("later", 3_600_000, "after"))
            case "WRITE":
                letter = json.dumps({"type": "HELLO", "note": event["note"]})
                to = Ref(*event.get("to", ("nowhere", "nobody")))
                return Reaction(value, context, messages=(SendTo(to, letter),))
        return None

    def finishes(self, service: str) -> bool:
        return False

    def allows(self, auth: Json, event: Json | None) -> bool:
        return auth.get("auth") != "anonymous"


class _Everywhere(dict[VersionId, FakeMachine]):
    """Whatever is published, it is a desk."""

    def __missing__(self, version: VersionId) -> FakeMachine:
        return Desk()


class _Host(FakeHost):
    """Has an index, which the plain fake has not."""

    def _keep(self, *given: Any) -> Step:
        step = super()._keep(*given)
        public = json.loads(step.view.public_json or "{}")
        return replace(step, indexes=frozenset({("owner", str(public.get("owner")))}))


class _Offline:
    """Reaches nobody (Fetch)."""

    def objection(self, url: str) -> str | None:
        return None

    async def fetch(self, url: str) -> Document:
        raise FetchFailed("there is no network")


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation, and whom it lets in."""

    names: Names
    admin: str
    """The token of the person who owns it."""
    member: str
    """The token of another."""
    canary: str
    """A word in all that it keeps."""

    @property
    def org(self) -> OrgId:
        return OrgId(self.names.org)


@dataclass
class House:
    """A running server; `logs` has every line it logged."""

    core: Core
    store: Store
    clock: ManualClock
    channel: grpc.aio.Channel
    logs: list[Any]

    async def ask(self, method: str, request: Message, metadata: Metadata = ()) -> Answer:
        return await call(self.channel, RPCS[method], request, metadata)

    async def made(self, method: str, metadata: Metadata, **fields: Any) -> Any:
        """Make a call that must succeed, with everybody's request id, and return the response."""
        rpc = RPCS[method]
        if "request_id" in rpc.request.DESCRIPTOR.fields_by_name:
            fields.setdefault("request_id", request_id(method))
        answer = await self.ask(method, rpc.request(**fields), metadata)
        assert answer.code == "OK", (method, answer)
        return rpc.response.FromString(answer.message)

    async def key_with(self, tenant: Tenant, scopes: frozenset[str], claims: Json | None = None) -> str:
        """Return a token of a key that nobody could make but the store: with any scopes, or with none."""
        key = mint("sbk", self.core.entropy.token_bytes(16))
        await self.store.create_key(Key(key, tenant.org, "", tuple(sorted(scopes)), 0), 10_000, None)
        return self.signed(key, act=claims or {})

    def signed(self, key: str, secret: str | bytes | None = None, **claims: Any) -> str:
        """Return a token that a key signed, good for an hour but for these claims; None leaves one out."""
        now_s = self.clock.now_ms() // 1000
        said = {"aud": AUDIENCE, "exp": now_s + 3_600, "act": {}, **claims}
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, secret or SECRETS.signing_secret(key), "HS256", headers={"kid": key})

    async def rest(self) -> None:
        """Let all that was begun come to its end."""
        await settle(200)

    def census(self) -> str:
        """Return all that a store in memory holds, but for the audit log, in which refusals are."""
        assert isinstance(self.store, MemoryStore)
        return repr((self.store._tables, self.store._access))

    def said(self) -> str:
        """Return the log."""
        return repr(self.logs)


def bearer(token: str, org: str = "") -> Metadata:
    chosen: Metadata = (("stateward-org", org),) if org else ()
    return (("authorization", f"Bearer {token}"), *chosen)


def subject_token(org: str, now_ms: int, **claims: Any) -> str:
    """Return the token that an anonymous client signs for itself."""
    place = identity_of(OrgId(org))
    said = {"iss": place, "aud": place, "sid": "s1", "did": "d1", "exp": now_ms // 1000 + 600, **claims}
    return jwt.encode(said, org, "HS256")


@asynccontextmanager
async def house(rates: RateLimits = NO_BRAKES, data: Path | None = None) -> AsyncIterator[House]:
    """Start a server in which nobody lives yet. It keeps all in memory, or in the directory `data`."""
    clock, entropy = ManualClock(), SeededEntropy()
    store: Store = MemoryStore(clock=clock, entropy=entropy)
    if data is not None:
        store = await SqliteStore.open(data, clock=clock, entropy=entropy)
    limits = Limits(engine=EngineLimits(attempts=1, flush_pace_ms=0), rates=rates)
    host, revocations = _Host(_Everywhere()), Revocations()
    hub = Hub(clock, progress_ms=15_000, buffer_bytes=4_000_000, waker=Waves.on_loop())
    engine = Engine(store, host, clock, hub.publish, limits.engine)
    host.listen(engine)
    streams = Streams(clock, 20_000, revocations)
    core = Core(
        Settings(Path("nowhere")),
        limits,
        clock,
        entropy,
        _Offline(),
        SECRETS,
        store,
        host,
        hub,
        engine,
        streams,
        revocations,
        Trail(store),
    )
    api = api_of(core)
    port = api.bind("127.0.0.1:0")
    with _logged() as logs:
        async with engine:
            await api.start()
            writing = asyncio.create_task(core.trail.run())
            options = (("grpc.enable_retries", 0),)
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                    yield House(core, store, clock, channel, logs)
            finally:
                await api.stop(0)
                writing.cancel()
    await store.close()


@contextmanager
def _logged() -> Iterator[list[Any]]:
    capture = LogCapture()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[capture])
    yield capture.entries
    structlog.configure(processors=before)


async def settled(house: House, prefix: str, *, empty: bool = False) -> Tenant:
    """Let an organisation move in, with some of everything; an `empty` one only with an administrator.

    Names begin with the prefix where they may be chosen, so that two organisations share what names they
    would share by chance, and no more.
    """
    canary = f"canary-{prefix}"
    org = OrgId(mint("org", house.core.entropy.token_bytes(16)))
    admin = f"sba_{prefix}-administrator"
    now = house.clock.now_ms()
    owner = sample_newcomer(admin, f"usr_{prefix}-owner-0001")
    anonymous = Anonymous(ProviderKeys(SECRETS, house.core.entropy), house.core.entropy)
    await house.store.create_org(Org(org, f"{canary} Ltd", now), owner.user, anonymous.access(org, now), None)
    await house.store.put_newcomer(owner, Member(org, owner.user, Role.OWNER, now))
    blank = Names(org, *(f"{prefix}-{field}" for field in Names.__slots__[1:]))
    if empty:
        return Tenant(blank, admin, "", canary)
    return await _furnished(house, Tenant(blank, admin, "", canary))


async def _furnished(house: House, tenant: Tenant) -> Tenant:
    me, canary, names = bearer(tenant.admin), tenant.canary, tenant.names
    machine = f"machines/{names.machine}"
    await house.made("CreateMachine", me, machine_id=names.spare, request_id="")
    await house.made("CreateMachine", me, machine_id=names.machine, indexes=["owner"])
    version = await house.made(
        "CreateMachineVersion",
        me,
        parent=machine,
        module_text=f"// {canary}",
        client_info=canary,
        make_current=True,
        index_selectors={"owner": "$.public.owner"},
    )
    secret = json.dumps({"secret": canary, "note": canary})
    await house.made("CreateInstance", me, parent=machine, instance_id=names.instance, context_json=secret)
    path = f"{machine}/instances/{names.instance}"
    another = f"{names.instance}-1"
    await house.made("CreateInstance", me, parent=machine, instance_id=another, request_id="")
    for number, kind in enumerate(("NOTE", "WAIT", "WRITE", "WRITE")):
        event = json.dumps({"type": kind, "note": canary})
        await house.made("SendEvent", me, name=path, event_json=event, request_id=request_id(f"{number}"))
    letters = await house.made("ListDeadLetters", me, parent=machine)
    while len(letters.dead_letters) < 2:  # they are on their way
        letters = await house.made("ListDeadLetters", me, parent=machine)
    timers = await house.made("ListTimers", me, parent=path)
    role = org_pb2.ROLE_VIEWER
    first = await house.made("CreateInvitation", me, role=role, note=canary, request_id="")
    joined = await house.made("AcceptInvitation", (), code=first.code, display_name=canary)
    await house.made("CreateInvitation", me, role=role, note=canary, request_id="")
    invited = await house.made("CreateInvitation", me, role=role, note=canary)
    key = await house.made("CreateKey", me, use=key_pb.KEY_USE_PRODUCTION, display_name=canary)
    token = await house.made("CreateAccessToken", me, display_name=canary)
    provider = {
        "issuer": f"https://{canary}.example",
        "algorithms": ["HS256"],
        "key": canary.encode() * 3,
        "mapping_json": json.dumps({"who": canary}),
    }
    identity = await house.made("PutIdentityProvider", me, identity_provider=provider)
    await house.made(
        "PutTokenProvider",
        me,
        token_provider={
            "name": f"tokenProviders/{names.service}",
            "key": key.key.name,
            "mapping_json": json.dumps({"who": canary}),
        },
    )
    await house.rest()
    named = replace(
        names,
        version=_last(version.machine_version.name),
        timer=_last(timers.timers[0].name),
        letter=_last(letters.dead_letters[0].name),
        index="owner",
        key=_last(key.key.name),
        member=_last(joined.member.name),
        invitation=_last(invited.invitation.name),
        code=invited.code,
        identity_provider=_last(identity.identity_provider.name),
        access_token=_last(token.access_token.name),
        subject_token=jwt.encode(
            {"iss": provider["issuer"], "exp": house.clock.now_ms() // 1000 + 600, "sub": "ann"},
            canary.encode() * 3,
            "HS256",
        ),
    )
    return replace(tenant, names=named, member=joined.access_token)


async def anonymous_token(house: House, tenant: Tenant) -> str:
    """Return the token that an anonymous session is given."""
    exchanged = await house.made(
        "ExchangeToken",
        (),
        token_provider=f"orgs/{tenant.org}/tokenProviders/{SERVICE}",
        subject_token=subject_token(tenant.org, house.clock.now_ms()),
    )
    token: str = exchanged.access_token
    return token


def _last(path: str) -> str:
    return path.rpartition("/")[2]
