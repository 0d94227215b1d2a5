"""The composition root: builds every room from Settings, runs them, and takes them down in reverse.

The only file that knows all concrete classes. Prints one JSON line on stdout once calls are accepted.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from stateward_server.api.accounts import AccountServicer
from stateward_server.api.audit_entries import AuditServicer
from stateward_server.api.edge import Edge
from stateward_server.api.explanations import AccessServicer
from stateward_server.api.homes import homes
from stateward_server.api.instances import InstanceServicer
from stateward_server.api.keys import KeyServicer
from stateward_server.api.letters import DeadLetterServicer
from stateward_server.api.limits import LimitsServicer
from stateward_server.api.machines import MachineServicer
from stateward_server.api.members import MemberServicer
from stateward_server.api.orgs import OrgServicer
from stateward_server.api.outcomes import Outcomes
from stateward_server.api.paging import PageTokens
from stateward_server.api.providers import IdentityProviderServicer, TokenProviderServicer
from stateward_server.api.rates import Brake, Rates
from stateward_server.api.records import Records
from stateward_server.api.server import ApiServer
from stateward_server.api.streams import Streams
from stateward_server.api.subscriptions import SubscriptionServicer
from stateward_server.api.tokens import TokenServicer
from stateward_server.audit.trail import Trail
from stateward_server.auth.anonymous import Anonymous
from stateward_server.auth.authenticator import Authenticator
from stateward_server.auth.exchange import Exchange
from stateward_server.auth.identity import Identities
from stateward_server.auth.jwks import KeySets
from stateward_server.auth.revocations import Revocations
from stateward_server.auth.seal import ProviderKeys
from stateward_server.auth.secrets import Secrets
from stateward_server.bootstrap import ADMIN_FILE, WayIn, ensure_administrator, prepare, write_profile
from stateward_server.catalog.catalog import Machines
from stateward_server.config import Settings, address, limits_of
from stateward_server.engine.engine import Engine
from stateward_server.explain.explain import Explainer
from stateward_server.exposure import check_exposure
from stateward_server.fetch.https import HttpsFetch
from stateward_server.model.limits import Limits
from stateward_server.model.machine import Module
from stateward_server.model.names import VersionId
from stateward_server.orgs.accounts import Accounts
from stateward_server.orgs.keys import Keys
from stateward_server.orgs.members import Members
from stateward_server.orgs.orgs import Orgs
from stateward_server.orgs.providers import Providers
from stateward_server.ports.clock import Clock, Entropy
from stateward_server.ports.fetch import Fetch
from stateward_server.ports.host import MachineHost
from stateward_server.ports.store import Store, StoreFault
from stateward_server.query.query import Query
from stateward_server.retention import Pruning
from stateward_server.runtime.pool import HostPool
from stateward_server.store.sqlite.store import SqliteStore
from stateward_server.system import SystemClock, SystemEntropy
from stateward_server.telemetry.logs import configure
from stateward_server.tls import Certificates, Files
from stateward_server.watch.hub import Hub
from stateward_server.watch.machine import MachineWatch
from stateward_server.watch.readers import Readers
from stateward_server.watch.sources import Sources
from stateward_server.watch.tokens import ResumeTokens
from stateward_server.watch.watch import Watch
from stateward_server.watch.waves import Waves
from stateward_server.web.health import HealthServer

log = structlog.get_logger()

_GARBAGE = 50_000
"""After how many more objects than before the youngest are looked through."""

_SWITCH_S = 0.0005


@dataclass(frozen=True, slots=True)
class Core:
    """What the edge is built on."""

    settings: Settings
    limits: Limits
    clock: Clock
    entropy: Entropy
    fetch: Fetch
    secrets: Secrets
    store: Store
    host: MachineHost
    hub: Hub
    engine: Engine
    streams: Streams
    revocations: Revocations
    trail: Trail


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts calls, and where."""

    grpc: str
    http: str


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then drain. Raises OSError, StoreFault, StatewardError."""
    configure(settings.log_level, settings.log_format)
    # The ledger holds private contexts: it is for its owner only, also in a directory that others may enter.
    os.umask(0o077)
    # Nor is its memory, with every secret in it, for whoever collects cores. One byte, where 0 would not do,
    # keeps them from programs, too: see core(5).
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (1 if most else 0, most))
    # The ledger's thread must not wait 5 ms, Python's default, for its turn beside a busy event loop.
    sys.setswitchinterval(_SWITCH_S)
    # Hardly anything here is in a cycle, and looking for cycles after every 700 objects took a fifth of the
    # time of a server with many streams.
    gc.set_threshold(_GARBAGE, 20, 20)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with running(settings) as server:
        sys.stdout.write(json.dumps({"ready": True, "grpc": server.grpc, "http": server.http}) + "\n")
        sys.stdout.flush()
        log.info("server_ready", grpc=server.grpc, http=server.http, data=str(settings.data))
        if sys.stderr.isatty():
            profile = shlex.quote(str(settings.data.absolute() / ADMIN_FILE))
            sys.stderr.write(f"In another terminal: export STATEWARD_PROFILE={profile}\n")
        await stop.wait()
        log.info("server_draining")
    log.info("server_stopped")


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Start every room; on the way out refuse new calls, finish what was begun, and close in reverse."""
    clock, entropy = SystemClock(), SystemEntropy()
    await check_exposure(settings)
    certificates = _certificates(settings, clock)
    async with AsyncExitStack() as stack:
        # The store takes the directory for this process; only then is it safe to make a key in it.
        store = await SqliteStore.open(settings.data, clock=clock, entropy=entropy)
        stack.push_async_callback(store.close)
        secrets = prepare(settings.data, entropy)
        administrator = await ensure_administrator(settings.data, store, secrets, clock, entropy)

        async def source(version: VersionId) -> Module:
            module = await store.get_module(version)
            if module is None:
                raise LookupError(version)
            return module

        limits = limits_of(settings)
        host = HostPool(source, limits.hosts)
        stack.push_async_callback(host.close)
        hub = Hub(
            clock,
            progress_ms=limits.watch.progress_ms,
            buffer_bytes=limits.watch.buffer_bytes,
            waker=Waves.on_loop(),
        )
        engine = Engine(store, host, clock, hub.publish, limits.engine)
        host.listen(engine)
        await stack.enter_async_context(engine)

        revocations = Revocations()
        streams = Streams(clock, limits.watch.send_ms, revocations)
        trail = Trail(store)
        api = api_of(
            Core(
                settings,
                limits,
                clock,
                entropy,
                HttpsFetch(allow_private=settings.allow_private_jwks),
                secrets,
                store,
                host,
                hub,
                engine,
                streams,
                revocations,
                trail,
            )
        )
        grpc_host, grpc_port = address(settings.grpc, "grpc")
        grpc_port = api.bind(_joined(grpc_host, grpc_port), certificates)
        ready = asyncio.Event()
        http_host, http_port = address(settings.http, "http")
        web = HealthServer(http_host, http_port, ready.is_set, certificates)
        await api.start()
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        pruning = Pruning(
            store, store, clock, history_days=settings.history_days, audit_days=settings.audit_days
        )
        loops = (hub.run(), streams.run(), trail.run(), pruning.run())
        ticking = [tasks.create_task(loop) for loop in loops]
        tasks.create_task(web.run())
        addresses = Running(_joined(grpc_host, grpc_port), _joined(http_host, web.port))
        write_profile(settings.data, administrator, _way_in(settings, addresses, certificates))
        ready.set()
        try:
            yield addresses
        finally:
            ready.clear()
            await api.stop_taking()
            hub.drain()
            await asyncio.gather(
                api.stop(settings.drain_seconds), _finish(engine, host, settings.drain_seconds)
            )
            with suppress(StoreFault):  # the log says so
                await trail.settle()
            for task in ticking:
                task.cancel()
            web.stop()


async def _finish(engine: Engine, host: HostPool, seconds: float) -> None:
    """Let turns that have begun come to their end; whoever keeps one open too long loses its process."""
    try:
        async with asyncio.timeout(seconds):
            await engine.drain()
    except TimeoutError:
        log.warning("hosts_ended_while_draining")
        await host.close()
        await engine.drain()


def _certificates(settings: Settings, clock: SystemClock) -> Certificates | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificates(Files(settings.tls_cert, settings.tls_key, settings.tls_client_ca), clock)


def _way_in(settings: Settings, addresses: Running, certificates: Certificates | None) -> WayIn:
    """Return how a client on this machine gets in."""
    if certificates is None:
        return WayIn(addresses.grpc, addresses.http, allow_plaintext=settings.allow_plaintext)
    ca, name = certificates.files.certificate.absolute(), certificates.current().name
    return WayIn(addresses.grpc, addresses.http, ca=ca, server_name=name)


def api_of(core: Core) -> ApiServer:
    """Build the gRPC edge and the rooms that only it calls."""
    store, engine, clock, rates = core.store, core.engine, core.clock, core.limits.rates
    pages = PageTokens(core.secrets.purpose("page-tokens"))
    machines = Machines(store, core.host, clock, core.entropy, core.limits.modules)
    query = Query(store, store, store, store)
    outcomes = Outcomes(store, clock)
    readers = Readers(engine.may_read)
    tokens = ResumeTokens(core.secrets.purpose("resume-tokens"))
    sources = Sources(core.hub, store, store, store.identity, engine.read, readers, tokens)
    authenticator = Authenticator(store, core.secrets, clock, core.revocations)
    seals = ProviderKeys(core.secrets, core.entropy)
    orgs = Orgs(store, clock, core.entropy, core.revocations, Anonymous(seals, core.entropy))
    members = Members(store, core.secrets, clock, core.entropy, core.revocations)
    accounts = Accounts(store, core.secrets, clock, core.entropy, core.revocations)
    keys = Keys(store, core.secrets, clock, core.entropy, core.revocations)
    key_sets = KeySets(core.fetch, clock)
    identities = Identities(store, key_sets, seals, clock)
    providers = Providers(store, keys, seals, clock, key_sets.objection)
    servicers = (
        MachineServicer(machines, outcomes, pages),
        InstanceServicer(
            engine, machines, query, outcomes, pages, readers=readers, wait_ms=core.limits.api.wait_ms
        ),
        SubscriptionServicer(Watch(sources), MachineWatch(sources), query, store.identity.epoch),
        DeadLetterServicer(engine.letters, query, outcomes, pages),
        LimitsServicer(core.limits),
        OrgServicer(orgs, outcomes, pages),
        MemberServicer(members, orgs, outcomes, pages),
        AccountServicer(accounts, outcomes, pages),
        AccessServicer(Explainer(authenticator, keys, machines, engine.examiner)),
        AuditServicer(core.trail, pages),
        KeyServicer(keys, outcomes, pages),
        IdentityProviderServicer(providers, outcomes, pages),
        TokenProviderServicer(providers, outcomes, pages),
        TokenServicer(Exchange(store, identities, core.secrets, clock)),
    )
    edge = Edge(
        authenticator,
        core.entropy,
        core.streams,
        Records(core.trail, clock, core.entropy, homes(members)),
        rates=Rates.of(rates, clock),
        brake=Brake(rates, clock),
    )
    return ApiServer(edge, servicers, keepalive_s=core.settings.keepalive_seconds)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
