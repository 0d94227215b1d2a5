"""Rows to fill a store with: short to write in a test, yet no two columns alike, so that none can be swapped.

Called by the store suite and by tests of stores; the names in them mean nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from stateward_server.model.index import NO_ENTRIES, IndexEntries
from stateward_server.model.ledger import (
    Cause,
    Commit,
    CommitResult,
    Instance,
    InstanceKey,
    RequestTag,
    TimerRow,
    Transition,
)
from stateward_server.model.machine import Language, Machine, Module, RequestRecord, Version
from stateward_server.model.names import InstanceName, InstanceUid, MachineName, OrgId, VersionId
from stateward_server.model.org import AccessToken, Member, Org, Role, User
from stateward_server.model.step import Status, View
from stateward_server.ports.access import Access, Newcomer
from stateward_server.ports.store import Store

ORG = OrgId("org_AAAAAAAAAAAAAAAAAAAAAA")
OTHER_ORG = OrgId("org_BBBBBBBBBBBBBBBBBBBBBA")
MACHINE = MachineName("orders")
UID = InstanceUid(1)
VERSION = VersionId("ver_AAAAAAAAAAAAAAAAAAAAAA")
BORN = 1_700_000_000_000
MODULE = Module("export default machine; // größer als nichts", Language.JAVASCRIPT)


def sample_machine(name: str = MACHINE, org: OrgId = ORG) -> Machine:
    """Return a machine without a version."""
    return Machine(org, MachineName(name), None, BORN)


def sample_version(id_: str = VERSION, created_at: int = BORN, machine: str = MACHINE) -> Version:
    """Return a version of a sample machine."""
    return Version(VersionId(id_), ORG, MachineName(machine), "v5", "cli 1.0", 46, created_at)


def sample_request(id_: str = "call-1", outcome: str = "") -> RequestRecord:
    """Return the record of a catalog call."""
    return RequestRecord(ORG, id_, b"\x00digest", outcome, BORN + 5)


def sample_instance(uid: int = 1, name: str | None = None, version: VersionId = VERSION) -> Instance:
    """Return an instance of the sample machine, by default named after its uid."""
    key = InstanceKey(ORG, MACHINE, InstanceName(name or f"order-{uid}"))
    return Instance(InstanceUid(uid), key, version, BORN + uid)


def sample_transition(
    revision: int,
    request: str | None = None,
    *,
    settled: bool = True,
    version: VersionId = VERSION,
    indexes: IndexEntries = NO_ENTRIES,
) -> Transition:
    """Return a transition whose every field depends on its revision."""
    return Transition(
        revision=revision,
        epoch=revision + 1_000,
        time_ms=BORN + revision,
        cause=Cause.CREATED if revision == 1 else Cause.EVENT,
        event_json=f'{{"type":"GO","n":{revision},"text":"ä\\u0000"}}',
        snapshot_json=f'{{"context":{{"n":{revision}.0,"big":9007199254740993}}}}',
        view=View(
            value_json=f'{{"at":"s{revision}"}}',
            states=("at", f"at.s{revision}"),
            tags=() if revision % 2 else ("even", 'quo"ted'),
            public_json=None if revision % 3 else f'{{"n":{revision}}}',
            status=list(Status)[revision % 4],
            settled=settled,
        ),
        version=version,
        request=None if request is None else RequestTag(request, f"digest of {request}".encode()),
        indexes=indexes,
    )


def sample_timer(
    uid: int = 1, id_: str = "t", due_ms: int = BORN + 60, target: str | None = None
) -> TimerRow:
    """Return a timer of a sample instance."""
    return TimerRow(InstanceUid(uid), id_, due_ms, f'{{"type":"{id_}"}}', target)


def sample_commit(
    uid: int = 1,
    base: int = 0,
    *,
    steps: int = 1,
    request: str | None = None,
    name: str | None = None,
    settled: bool = True,
    timers: Sequence[TimerRow] = (),
    gone: Sequence[str] = (),
) -> Commit:
    """Return a commit of `steps` transitions after `base`; the first of them carries `request`."""
    transitions = [
        sample_transition(base + number, request if number == 1 else None, settled=settled)
        for number in range(1, steps + 1)
    ]
    return Commit(sample_instance(uid, name), base, tuple(transitions), tuple(timers), tuple(gone))


async def with_machine(store: Store) -> None:
    """Give a fresh store the sample machine, without which no instance can be created."""
    await store.create_machine(sample_machine(), None)


async def apply_one(store: Store, commit: Commit) -> CommitResult:
    """Apply a single commit."""
    (result,) = await store.apply([commit])
    return result


def sample_org(org: OrgId = ORG) -> Org:
    return Org(org, "An organisation", BORN)


def sample_user(name: str = "usr_1") -> User:
    return User(name, f"The person {name}", BORN)


def sample_newcomer(secret: str, name: str = "usr_1") -> Newcomer:
    """Return a person who holds the access token `secret`."""
    token = AccessToken(f"sat_{name}", name, "a token", BORN)
    return Newcomer(sample_user(name), token, hashlib.sha256(secret.encode()).digest())


async def with_owner(store: Access, org: OrgId, secret: str, name: str = "usr_1") -> None:
    """Create an organisation, and a person with the access token `secret` who owns it."""
    newcomer = sample_newcomer(secret, name)
    await store.create_org(sample_org(org), newcomer.user, None, None)
    await store.put_newcomer(newcomer, Member(org, newcomer.user, Role.OWNER, BORN))
