"""What one organisation has is to another what nobody has: the same answer to the byte, but for the name."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from typing import Any

import pytest
from tests.doors.house import House, Tenant, anonymous_token, bearer, house
from tests.doors.neighbours import both, leaks, strangers, visible
from tests.doors.rpcs import RPCS, Answer
from tests.doors.samples import FIELDS, Names, sample

from stateward_server.model.names import mint

pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")

PAGED = [name for name, rpc in RPCS.items() if "page_token" in rpc.request.DESCRIPTOR.fields_by_name]
RESUMED = ["WatchInstance", "WatchMachine"]
PORT = re.compile(rb"127\.0\.0\.1:\d+")
SHARED = ("machine", "spare", "instance", "index", "service")
"""Names that people choose, so that two organisations may have chosen the same."""


def told(method: str, names: Names, **more: Any) -> dict[str, Any]:
    return {**FIELDS[method](names), **more}


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
            assert not leaks(theirs, answer.seen)
            await home.rest()
            assert await visible(home, theirs) == before
            assert await strangers(home, theirs) == []
            assert theirs.canary not in home.said()
            answers.append((answer.code, answer.reason, renamed(answer.seen, *names)))
    assert answers[0] == answers[1]


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


async def test_tokens_of_another_organisation_are_explained_as_those_of_nobody():
    async with house() as home:
        theirs, ours = await both(home, namesakes=True)
        nobody = mint("sbk", b"\xaa" * 16)
        pairs = {
            theirs.admin: "sba_nonsense",
            theirs.member: "sba_nonsense",
            home.signed(theirs.names.key): home.signed(nobody),
            await anonymous_token(home, theirs): home.signed(nobody),
        }
        for good, bad in pairs.items():
            one, other = await explained(home, ours, good), await explained(home, ours, bad)
            assert not leaks(theirs, one.seen)
            assert one.code == "OK"
            assert one == other


async def explained(home: House, tenant: Tenant, token: str) -> Answer:
    request: Any = sample("ExplainAccess", tenant.names)
    request.token = token
    return await home.ask("ExplainAccess", request, bearer(tenant.admin))


@pytest.mark.parametrize("namesakes", [False, True], ids=["strangers", "namesakes"])
async def test_a_machine_cannot_write_to_what_another_organisation_has(namesakes: bool):
    async with house() as home:
        theirs, ours = await both(home, namesakes=namesakes)
        before, me = await visible(home, theirs), bearer(ours.admin)
        to = [theirs.names.machine, theirs.names.instance]
        event = json.dumps({"type": "WRITE", "note": "from a stranger", "to": to})
        await home.made("SendEvent", me, **told("SendEvent", ours.names, event_json=event), request_id="")
        await home.rest()
        assert await visible(home, theirs) == before
        letters = await home.made("ListDeadLetters", me, **told("ListDeadLetters", ours.names))
        strange = [each for each in letters.dead_letters if "from a stranger" in each.payload_json]
        assert [each.reason for each in strange] == ([] if namesakes else ["INSTANCE_NOT_FOUND"])
