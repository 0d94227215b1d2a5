"""What one organisation has is to another what nobody has: the same answer to the byte, but for the name."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest
from tests.doors.house import SECRETS, House, Tenant, bearer, house, settled
from tests.doors.rpcs import RPCS, Answer
from tests.doors.samples import FIELDS, Names, sample

pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")

PAGED = [name for name, rpc in RPCS.items() if "page_token" in rpc.request.DESCRIPTOR.fields_by_name]
RESUMED = ["WatchInstance", "WatchMachine"]
PORT = re.compile(rb"127\.0\.0\.1:\d+")
SHARED = ("machine", "spare", "instance", "index", "service")
"""Names that people choose, so that two organisations may have chosen the same."""


async def both(home: House, *, namesakes: bool) -> tuple[Tenant, Tenant]:
    """Let two organisations move in; `namesakes` have chosen the same names for what they have."""
    theirs = await settled(home, "theirs")
    ours = await settled(home, "ours")
    if namesakes:
        me = bearer(ours.admin)
        for name in (theirs.names.machine, theirs.names.spare):
            await home.made("CreateMachine", me, machine_id=name, indexes=["owner"], request_id="")
        parent = f"machines/{theirs.names.machine}"
        await home.made(
            "CreateMachineVersion", me, parent=parent, module_text="", make_current=True, request_id=""
        )
        await home.made("CreateInstance", me, parent=parent, instance_id=theirs.names.instance, request_id="")
    return theirs, ours


def told(method: str, names: Names, **more: Any) -> dict[str, Any]:
    return {**FIELDS[method](names), **more}


def leaks(theirs: Tenant, answer: Answer) -> bool:
    secrets = (
        theirs.canary,
        theirs.admin,
        theirs.member,
        theirs.names.code,
        SECRETS.signing_secret(theirs.names.key),
    )
    return any(secret.encode() in answer.seen for secret in secrets)


def asked(theirs: Tenant, *kept: str) -> tuple[Names, Names]:
    """Return the names of another organisation, and such as nobody has; proofs are good for neither."""
    bad = replace(theirs.names, code=f"{theirs.names.invitation}.guess", subject_token="a.b.c")
    return bad, bad.absent(*kept, "code", "subject_token")


def renamed(said: bytes, names: Names, absent: Names) -> bytes:
    pairs = [(getattr(absent, field.name), getattr(names, field.name)) for field in fields(Names)]
    for asked_for, real in sorted(pairs, key=lambda pair: len(pair[0]), reverse=True):
        said = said.replace(asked_for.encode(), real.encode())
    return PORT.sub(b"127.0.0.1:port", said)


@pytest.mark.parametrize("namesakes", [False, True], ids=["strangers", "namesakes"])
@pytest.mark.parametrize("method", RPCS)
async def test_what_another_organisation_has_is_as_if_it_were_absent(method: str, namesakes: bool):
    answers = []
    for which in (0, 1):  # each in a house of its own: the two are alike to the byte
        async with house() as home:
            theirs, ours = await both(home, namesakes=namesakes)
            names = asked(theirs, *(SHARED if namesakes else ()))
            before = await visible(home, theirs)
            request = sample(method, names[which], repeatable=True)
            answer = await home.ask(method, request, bearer(ours.admin))
            assert not leaks(theirs, answer)
            await home.rest()
            assert await visible(home, theirs) == before
            assert await strangers(home, theirs) == []
            assert theirs.canary not in home.said()
            answers.append((answer.code, answer.reason, renamed(answer.seen, *names)))
    assert answers[0] == answers[1]


async def visible(home: House, tenant: Tenant) -> dict[str, bytes]:
    """Return all that an organisation can see of itself."""
    found = {}
    for method, rpc in RPCS.items():
        if rpc.reads and method != "ListAuditEntries":  # which has this very question; see below
            answer = await home.ask(method, sample(method, tenant.names), bearer(tenant.admin))
            assert answer.code == "OK", method
            found[method] = answer.message
    return found


async def strangers(home: House, tenant: Tenant) -> list[str]:
    """Return who else is in an organisation's audit log."""
    log = await home.made("ListAuditEntries", bearer(tenant.admin), page_size=1_000)
    ours = {f"users/usr_{tenant.canary.removeprefix('canary-')}-owner-0001", ""}
    return [entry.subject for entry in log.audit_entries if entry.subject not in ours]


@pytest.mark.parametrize("namesakes", [False, True], ids=["strangers", "namesakes"])
async def test_naming_another_organisation_is_naming_none(namesakes: bool):
    async with house() as home:
        theirs, ours = await both(home, namesakes=namesakes)
        nobody = ours.org[:-4] + "zzzA"
        for method in RPCS:
            request = sample(method, ours.names)
            one = await home.ask(method, request, bearer(ours.admin, theirs.org))
            other = await home.ask(method, request, bearer(ours.admin, nobody))
            assert (one.code, one.reason) == ("PERMISSION_DENIED", "ORG_NOT_FOUND")
            assert one.seen == other.seen.replace(nobody.encode(), theirs.org.encode())
        assert await strangers(home, theirs) == []


async def test_a_page_token_of_another_organisation_is_none():
    async with house() as home:
        theirs, ours = await both(home, namesakes=True)
        short = set()
        for method in PAGED:
            first = await home.made(method, bearer(theirs.admin), **told(method, theirs.names, page_size=1))
            if token := first.next_page_token:
                stolen = sample(method, theirs.names, page_token=token)
                refused = await home.ask(method, stolen, bearer(ours.admin))
                assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN_MISMATCH"), method
            else:
                short.add(method)
        assert short == {"ListMachineVersions", "ListOrgs", "ListTimers"}  # of which there is one


@pytest.mark.parametrize("method", RESUMED)
async def test_a_resume_token_of_another_organisation_is_none(method: str):
    async with house() as home:
        theirs, ours = await both(home, namesakes=True)
        first = await home.ask(method, sample(method, theirs.names), bearer(theirs.admin))
        frame: Any = RPCS[method].response.FromString(first.message)
        token = frame.resume_token
        assert token
        stolen = sample(method, theirs.names, resume_token=token)
        refused = await home.ask(method, stolen, bearer(ours.admin))
        assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "RESUME_TOKEN_INVALID")
