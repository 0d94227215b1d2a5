"""Every RPC, tried with every credential that is not good enough for it.

In each case the refusal is the one that the contract names, says nothing, and has changed nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.doors.credentials import BARE, SPOILT
from tests.doors.house import SECRETS, House, Tenant, anonymous_token, bearer, house, settled
from tests.doors.rpcs import RPCS, Answer, Metadata
from tests.doors.samples import FIELDS, FURTHER, sample

from stateward_server.api.edge import AUTH_CONTEXT_KEY
from stateward_server.auth.scopes import ACT_AS, ALL, BY_METHOD, BY_ROLE, PRODUCTION, Door
from stateward_server.model.org import Role

pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")

NEEDS = {name: BY_METHOD[rpc.path] for name, rpc in RPCS.items()}
OPEN = {name for name, need in NEEDS.items() if need is Door.OPEN}
PERSONAL = {name for name, need in NEEDS.items() if need is Door.PERSON}
SCOPED = {name: need for name, need in NEEDS.items() if isinstance(need, str)}

Refusal = tuple[str, str]
INVALID: Refusal = ("UNAUTHENTICATED", "TOKEN_INVALID")
CODES = {
    "TOKEN_INVALID": "UNAUTHENTICATED",
    "TOKEN_EXPIRED": "UNAUTHENTICATED",
    "ORG_NOT_FOUND": "PERMISSION_DENIED",
}


async def refused(
    home: House, tenant: Tenant, metadata: Metadata, expected: Callable[[str], Refusal | None]
) -> dict[str, Answer]:
    """Try every RPC for which there is an expectation: each must be refused so, and nothing else happen."""
    before, lines = home.census(), len(home.logs)
    answers: dict[str, Answer] = {}
    for method in RPCS:
        if (refusal := expected(method)) is None:
            continue
        answer = await home.ask(method, sample(method, tenant.names, repeatable=True), metadata)
        assert (answer.code, answer.reason) == refusal, method
        assert home.census() == before, f"{method} has changed something"
        answers[method] = answer
    assert answers
    await home.rest()
    assert home.census() == before
    served = [line["method"] for line in home.logs[lines:] if line["event"] == "rpc_served"]
    assert set(served) == {RPCS[method].path for method in answers}
    logged = repr(home.logs[lines:])
    for secret in secrets_of(tenant):
        assert [name for name, answer in answers.items() if secret.encode() in answer.seen] == []
        assert secret not in logged
    for token in said_by(metadata):
        assert [name for name, answer in answers.items() if token.encode() in answer.seen] == []
        assert token not in logged
    return answers


def secrets_of(tenant: Tenant) -> tuple[str, ...]:
    return (
        tenant.canary,
        tenant.admin,
        tenant.member,
        tenant.names.code,
        SECRETS.signing_secret(tenant.names.key),
    )


def said_by(metadata: Metadata) -> list[str]:
    """Return the tokens in metadata, if they are long enough to be looked for."""
    said = [str(value).rpartition(" ")[2] for key, value in metadata if key == "authorization"]
    return [token for token in said if len(token) > 8]


def alike(answers: dict[str, Answer]) -> None:
    """All are refused with the same words, so that a guess is never told what was wrong with it."""
    assert len({answer.status for answer in answers.values()}) == 1


@pytest.mark.parametrize("case", BARE)
async def test_without_a_token_only_what_is_open_is_served(case: str):
    async with house() as home:
        tenant = await settled(home, "ours")
        metadata = await BARE[case](home, tenant)
        alike(await refused(home, tenant, metadata, lambda method: None if method in OPEN else INVALID))
        for method in OPEN:
            assert (await home.ask(method, sample(method, tenant.names), metadata)).code == "OK"


@pytest.mark.parametrize("case", SPOILT)
async def test_a_bad_token_opens_nothing(case: str):
    async with house() as home:
        tenant = await settled(home, "ours")
        spoil, reason = SPOILT[case]
        alike(await refused(home, tenant, await spoil(home, tenant), lambda _: (CODES[reason], reason)))


async def test_all_invalid_tokens_are_refused_with_the_same_words():
    said = set()
    for spoil, reason in SPOILT.values():
        if reason == "TOKEN_INVALID":
            async with house() as home:
                tenant = await settled(home, "ours")
                metadata = await spoil(home, tenant)
                said.add((await home.ask("WhoAmI", sample("WhoAmI", tenant.names), metadata)).status)
    assert len(said) == 1


@pytest.mark.parametrize("scope", sorted(ALL))
async def test_without_a_scope_what_needs_it_is_refused(scope: str):
    async with house() as home:
        tenant = await settled(home, "ours")
        token = await home.key_with(tenant, ALL - {scope})
        needing = {name for name, need in SCOPED.items() if scope in {need, *FURTHER.get(name, ())}}
        answers = await refused(
            home,
            tenant,
            bearer(token),
            lambda method: ("PERMISSION_DENIED", "SCOPE_MISSING") if method in needing else None,
        )
        assert {answer.details["scope"] for answer in answers.values()} == {scope}


async def test_without_any_scope_nothing_is_served_but_what_says_who_one_is():
    async with house() as home:
        tenant = await settled(home, "ours")

        def expected(method: str) -> Refusal | None:
            if method in PERSONAL:
                return "PERMISSION_DENIED", "PERSON_REQUIRED"
            return ("PERMISSION_DENIED", "SCOPE_MISSING") if method in SCOPED else None

        answers = await refused(home, tenant, bearer(await home.key_with(tenant, frozenset())), expected)
        assert set(RPCS) - answers.keys() == OPEN | {"WhoAmI"}


@pytest.mark.parametrize("method", sorted(SCOPED))
async def test_the_scopes_of_an_rpc_are_enough_for_it(method: str):
    async with house() as home:
        tenant = await settled(home, "ours")
        # Who gives something must hold it as well.
        givers = {"CreateKey", "PutTokenProvider", "PutIdentityProvider"}
        given = PRODUCTION if method in givers else frozenset()
        given |= BY_ROLE[Role.DEVELOPER] if method == "UpdateMember" else frozenset()
        given |= BY_ROLE[Role.VIEWER] if method in {"DeleteMember", "CreateInvitation"} else frozenset()
        scopes = frozenset({SCOPED[method]}) | FURTHER.get(method, frozenset()) | given
        token = await home.key_with(tenant, scopes)
        answer = await home.ask(method, sample(method, tenant.names), bearer(token))
        assert (answer.code, answer.reason) == ("OK", "")


async def test_keys_are_no_persons():
    async with house() as home:
        tenant = await settled(home, "ours")
        await refused(
            home,
            tenant,
            bearer(await home.key_with(tenant, ALL)),
            lambda method: ("PERMISSION_DENIED", "PERSON_REQUIRED") if method in PERSONAL else None,
        )


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
async def test_a_member_is_served_what_the_role_holds(role: Role):
    async with house() as home:
        tenant = await settled(home, "ours")
        await home.store.set_role(tenant.org, tenant.names.member, role, None)
        beyond = {name for name, need in SCOPED.items() if need not in BY_ROLE[role]}
        await refused(
            home,
            tenant,
            bearer(tenant.member),
            lambda method: ("PERMISSION_DENIED", "SCOPE_MISSING") if method in beyond else None,
        )


async def test_a_person_of_no_organisation_sees_none():
    async with house() as home:
        tenant = await settled(home, "ours")
        await home.made("DeleteMember", bearer(tenant.admin), name=f"members/{tenant.names.member}")
        await refused(
            home,
            tenant,
            bearer(tenant.member),
            lambda method: ("INVALID_ARGUMENT", "ORG_NOT_CHOSEN") if method in SCOPED else None,
        )
        orgs = await home.made("ListOrgs", bearer(tenant.member))
        assert len(orgs.orgs) == 0


@pytest.mark.parametrize("context", [b'{"sub":"eve"}', b"not json"])
async def test_nobody_speaks_for_others_without_the_right_to(context: bytes):
    async with house() as home:
        tenant = await settled(home, "ours")
        token = await home.key_with(tenant, ALL - {ACT_AS})
        metadata: Metadata = (*bearer(token), (AUTH_CONTEXT_KEY, context))
        answers = await refused(
            home, tenant, metadata, lambda _method: ("PERMISSION_DENIED", "SCOPE_MISSING")
        )
        assert {answer.details["scope"] for answer in answers.values()} == {ACT_AS}


AUTHORISED = {"CreateInstance", "GetInstance", "SendEvent", "WatchInstance"}
"""What an anonymous caller has the scope for, and the machine itself refuses here."""


async def test_an_anonymous_caller_gets_no_further_than_the_machines_allow():
    async with house() as home:
        tenant = await settled(home, "ours")
        metadata = bearer(await anonymous_token(home, tenant))

        def expected(method: str) -> Refusal | None:
            if method in PERSONAL:
                return "PERMISSION_DENIED", "PERSON_REQUIRED"
            if method in AUTHORISED:
                return "PERMISSION_DENIED", "REJECTED_BY_MACHINE_AUTHORIZER"
            allowed = method not in SCOPED or SCOPED[method] in PRODUCTION
            return None if allowed else ("PERMISSION_DENIED", "SCOPE_MISSING")

        answers = await refused(home, tenant, metadata, expected)
        assert set(RPCS) - answers.keys() == OPEN | {"WhoAmI", "WatchInstances", "GetLimits", "QueryIndex"}
        before = home.census()
        many = await home.ask("WatchInstances", sample("WatchInstances", tenant.names), metadata)
        assert b"REJECTED_BY_MACHINE_AUTHORIZER" in many.message
        assert tenant.canary.encode() not in many.seen
        found = await home.made("QueryIndex", metadata, **FIELDS["QueryIndex"](tenant.names))
        assert len(found.entries) == 0
        me = await home.made("WhoAmI", metadata)
        assert json.loads(me.auth_context_json) == {"sid": "s1", "did": "d1", "auth": "anonymous"}
        assert home.census() == before


@pytest.mark.parametrize("method", ["CreateKey", "CreateInvitation"])
async def test_a_secret_is_shown_again_to_nobody_but_whom_it_was_made_for(method: str):
    async with house() as home:
        tenant = await settled(home, "ours")
        request = sample(method, tenant.names, request_id="0b5e7c1a-8c7d-4d6e-9f10-112233445566")
        first = await home.ask(method, request, bearer(tenant.admin))
        assert (await home.ask(method, request, bearer(tenant.admin))).message == first.message
        # Who may call it, but holds none of what was given, and has learnt the request id.
        other = bearer(await home.key_with(tenant, frozenset({str(NEEDS[method])})))
        refused = await home.ask(method, request, other)
        assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
        assert first.message not in refused.seen
