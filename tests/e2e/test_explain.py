"""ExplainAccess on a real server: each layer says what it decides and why, and nothing is done."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import jwt
import pytest
from tests.e2e.kit import published, refusal
from tests.servers import Server

from stateward import Client, Machine
from stateward.tokens import sign
from stateward.v1 import access_service_pb2 as pb
from stateward.v1 import (
    access_service_pb2_grpc,
    audit_service_pb2_grpc,
    key_service_pb2_grpc,
    member_service_pb2_grpc,
    org_pb2,
    org_service_pb2_grpc,
)
from stateward.v1 import audit_service_pb2 as audit_pb
from stateward.v1 import key_service_pb2 as key_pb
from stateward.v1 import member_service_pb2 as member_pb
from stateward.v1 import org_service_pb2 as org_pb

pytestmark = pytest.mark.slow

GUARD = """
const allow = (question) => {
  if (question.authContext.sub === "thrower") throw new Error(`no ${Object.keys(question).sort()}`);
  if (question.authContext.sub === "sleeper") return new Promise(() => {});
  if (question.event?.type === "RESET") return question.authContext.admin === true;
  return question.authContext.sub === question.machineInstanceName;
};
export const allowRead = allow, allowWrite = allow;
export default createMachine({
  initial: "off",
  context: { public: { n: 0 } },
  states: {
    off: { on: { TOGGLE: "on" } },
    on: { on: { TOGGLE: "off", END: "over" } },
    over: { type: "final" },
  },
});
"""
MODULES = {
    "v4": 'import { createMachine } from "npm:xstate@4";' + GUARD,
    "v5": 'import { createMachine } from "xstate";' + GUARD,
}
READ, SEND, CREATE = (
    "InstanceService.GetInstance",
    "InstanceService.SendEvent",
    "InstanceService.CreateInstance",
)
AUDIENCE = "https://api.statebacked.dev/"
TOGGLE = '{"type":"TOGGLE"}'
PASSED, REFUSED, FAILED, NOT_ASKED = range(1, 5)

Said = list[tuple[str, int, str]]
"""Layer, verdict and reason of each layer."""


class Desk:
    """The services of an administrator."""

    def __init__(self, channel: grpc.aio.Channel, server: Server) -> None:
        self.access: Any = access_service_pb2_grpc.AccessServiceStub(channel)
        self.audit: Any = audit_service_pb2_grpc.AuditServiceStub(channel)
        self.keys: Any = key_service_pb2_grpc.KeyServiceStub(channel)
        self.members: Any = member_service_pb2_grpc.MemberServiceStub(channel)
        self.orgs: Any = org_service_pb2_grpc.OrgServiceStub(channel)
        self.admin = bearer(server.profile["token"])
        self.profile = server.profile

    async def explain(self, **asked: Any) -> Any:
        return await self.access.ExplainAccess(pb.ExplainAccessRequest(**asked), metadata=self.admin)

    async def said(self, **asked: Any) -> Said:
        return said(await self.explain(**asked))

    async def token(self, sub: str, **changed: Any) -> str:
        return sign(self.profile["key_id"], self.profile["key_secret"], {"sub": sub}, **changed)


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def said(found: Any) -> Said:
    return [
        (pb.Layer.Name(each.layer).removeprefix("LAYER_"), each.verdict, each.reason) for each in found.layers
    ]


def assumed(claims: object = None, **rights: Any) -> pb.AssumedCaller:
    given = rights or {"role": org_pb2.ROLE_DEVELOPER}
    return pb.AssumedCaller(auth_context_json=json.dumps(claims) if claims else "", **given)


@pytest.fixture
async def desk(server: Server) -> AsyncIterator[Desk]:
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        yield Desk(channel, server)


@pytest.fixture(params=["v4", "v5"])
async def guarded(client: Client, request: pytest.FixtureRequest) -> Machine:
    """A machine with an instance `ann`, which belongs to Ann."""
    machine = await published(client, MODULES[request.param])
    await machine.instance("ann", auth_context={"sub": "ann"}).create()
    return machine


def name(machine: Machine, instance: str = "ann") -> str:
    return f"machines/{machine.name}/instances/{instance}"


# ------------------------------------------------------------------ the machine


async def test_what_the_authorisers_say_is_explained(desk: Desk, guarded: Machine):
    async def authorizer(method: str, claims: object, event: str = "", instance: str = "ann") -> Any:
        caller = assumed(claims)
        found = await desk.explain(
            assumed=caller, method=method, name=name(guarded, instance), event_json=event
        )
        assert found.allowed is (found.layers[-1].verdict == PASSED)
        layer = found.layers[-1]
        assert layer.layer == pb.LAYER_AUTHORIZER
        return layer.verdict, layer.reason, layer.detail

    rejected = "REJECTED_BY_MACHINE_AUTHORIZER"
    ann, bob = {"sub": "ann"}, {"sub": "bob"}
    assert await authorizer(READ, ann) == (PASSED, "", "allowRead allows it")
    assert await authorizer(READ, bob) == (REFUSED, rejected, "allowRead does not allow it")
    assert await authorizer(READ, {"sub": "thrower"}) == (
        FAILED,
        rejected,
        "allowRead threw: no authContext,context,machineInstanceName,state",
    )
    assert await authorizer(SEND, ann, TOGGLE) == (PASSED, "", "allowWrite allows it")
    assert await authorizer(SEND, ann, '"TOGGLE"') == (PASSED, "", "allowWrite allows it")
    assert await authorizer(SEND, ann, '"RESET"') == (REFUSED, rejected, "allowWrite does not allow it")
    assert await authorizer(SEND, {"sub": "thrower"}, TOGGLE) == (
        FAILED,
        rejected,
        "allowWrite threw: no authContext,context,event,machineInstanceName,state,type",
    )
    verdict, reason, _ = await authorizer(SEND, ann, '{"type":"xstate.init"}')
    assert (verdict, reason) == (REFUSED, "EVENT_RESERVED")
    assert await authorizer(CREATE, bob, instance="bob") == (PASSED, "", "allowWrite allows it")
    assert await authorizer(CREATE, bob, instance="eve") == (
        REFUSED,
        rejected,
        "allowWrite does not allow it",
    )
    verdict, reason, detail = await authorizer(READ, {"sub": "sleeper"})
    assert (verdict, reason) == (FAILED, rejected)
    assert "did not answer" in detail


async def test_nothing_is_done_by_asking(desk: Desk, guarded: Machine):
    ann = guarded.instance("ann", auth_context={"sub": "ann"})
    await ann.send("TOGGLE")
    before = await ann.get()
    for event in (TOGGLE, '"END"'):
        found = await desk.explain(
            assumed=assumed({"sub": "ann"}), method=SEND, name=name(guarded), event_json=event
        )
        assert (found.allowed, found.revision) == (True, 2)
    await desk.explain(assumed=assumed({"sub": "bob"}), method=CREATE, name=name(guarded, "bob"))
    assert await ann.get() == before
    assert [each.name async for each in guarded.instances()] == ["ann"]
    assert (await ann.send("TOGGLE")).revision == 3


async def test_an_instance_that_takes_no_calls_says_so(desk: Desk, guarded: Machine):
    async def last(method: str, instance: str, event: str = "") -> Said:
        found = await desk.said(
            assumed=assumed({"sub": "ann"}), method=method, name=name(guarded, instance), event_json=event
        )
        return found[2:]

    allowed = ("AUTHORIZER", PASSED, "")
    not_asked = ("AUTHORIZER", NOT_ASKED, "")
    assert await last(READ, "nobody") == [("INSTANCE", REFUSED, "INSTANCE_NOT_FOUND"), not_asked]
    assert await last(SEND, "nobody", TOGGLE) == [("INSTANCE", REFUSED, "INSTANCE_NOT_FOUND"), not_asked]
    assert await last(CREATE, "ann") == [("INSTANCE", REFUSED, "INSTANCE_EXISTS"), allowed]
    await guarded.instance("ann").pause()
    assert await last(SEND, "ann", TOGGLE) == [("INSTANCE", REFUSED, "INSTANCE_PAUSED"), allowed]
    await guarded.instance("ann").resume()
    ann = guarded.instance("ann", auth_context={"sub": "ann"})
    await ann.send("TOGGLE")
    await ann.send("END")
    assert await last(SEND, "ann", TOGGLE) == [("INSTANCE", REFUSED, "INSTANCE_ENDED"), allowed]
    assert await last(READ, "ann") == [("INSTANCE", PASSED, ""), allowed]


async def test_a_machine_without_a_version_cannot_be_asked(desk: Desk, client: Client):
    bare = client.machine("bare")
    await bare.create()
    for machine, reason in ((bare, "NO_CURRENT_VERSION"), (client.machine("no"), "MACHINE_NOT_FOUND")):
        found = await desk.said(assumed=assumed(), method=CREATE, name=name(machine))
        assert found[2:] == [("INSTANCE", REFUSED, reason), ("AUTHORIZER", NOT_ASKED, "")]


# ------------------------------------------------------------------ tokens and scopes


async def test_a_good_token_passes_every_layer(desk: Desk, guarded: Machine):
    found = await desk.explain(
        token=await desk.token("ann"), method=SEND, name=name(guarded), event_json=TOGGLE
    )
    assert said(found) == [
        (layer, PASSED, "") for layer in ("TOKEN", "ORGANIZATION", "SCOPE", "INSTANCE", "AUTHORIZER")
    ]
    assert (found.allowed, json.loads(found.auth_context_json)) == (True, {"sub": "ann"})


async def test_what_is_wrong_with_a_token_is_told(desk: Desk):
    key, secret = desk.profile["key_id"], desk.profile["key_secret"]

    def made(signed_with: str = secret, kid: str = key, **claims: object) -> str:
        body = {"aud": AUDIENCE, "exp": int(time.time()) + 60} | claims
        return jwt.encode(body, signed_with, "HS256", {"kid": kid})

    for token, reason, part in [
        (made("x" * 49), "TOKEN_INVALID", "signature"),
        (made(exp=1), "TOKEN_EXPIRED", "exp"),
        (made(nbf=int(time.time()) + 1_000), "TOKEN_INVALID", "nbf"),
        (made(aud="other"), "TOKEN_INVALID", "audience"),
        (made(act=7), "TOKEN_INVALID", "'act'"),
        (made(kid="sbk_" + "A" * 22), "TOKEN_INVALID", "does not exist, or was revoked"),
        (made(kid="no key"), "TOKEN_INVALID", "kid"),
        (jwt.encode({"aud": "x"}, secret, "HS384", {"kid": key}), "TOKEN_INVALID", "HS256"),
        ("a.b.c", "TOKEN_INVALID", "malformed"),
        ("sba_unknown", "TOKEN_INVALID", "no access token"),
    ]:
        found = await desk.explain(token=token, method=READ, name="machines/m/instances/i")
        [layer, *others] = found.layers
        assert (layer.layer, layer.verdict, layer.reason) == (pb.LAYER_TOKEN, REFUSED, reason)
        assert part in layer.detail
        assert token not in str(found)
        assert {each.verdict for each in others} == {NOT_ASKED}
        assert (found.allowed, found.auth_context_json) == (False, "")


async def test_a_revoked_key_is_told_and_a_scope_that_is_missing(desk: Desk):
    made = await desk.keys.CreateKey(key_pb.CreateKeyRequest(use=key_pb.KEY_USE_CI), metadata=desk.admin)
    token = sign(made.key.name.removeprefix("keys/"), made.secret, {"sub": "ann"})
    found = await desk.explain(token=token, method=READ)
    assert said(found)[:3] == [
        ("TOKEN", PASSED, ""),
        ("ORGANIZATION", PASSED, ""),
        ("SCOPE", REFUSED, "SCOPE_MISSING"),
    ]
    assert "'state.read'" in found.layers[2].detail
    assert "machines.write" in found.layers[2].detail
    assert await desk.said(assumed=assumed(key=made.key.name), method="MachineService.CreateMachine") == [
        ("ORGANIZATION", PASSED, ""),
        ("SCOPE", PASSED, ""),
    ]
    await desk.keys.DeleteKey(key_pb.DeleteKeyRequest(name=made.key.name), metadata=desk.admin)
    assert await desk.said(token=token, method="MachineService.CreateMachine") == [
        ("TOKEN", REFUSED, "TOKEN_INVALID")
    ]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await desk.explain(assumed=assumed(key=made.key.name), method=READ)
    assert refusal(caught.value).reason == "KEY_NOT_FOUND"


async def test_rights_can_be_assumed(desk: Desk):
    cases: list[tuple[dict[str, Any], str, int]] = [
        ({"role": org_pb2.ROLE_VIEWER}, READ, PASSED),
        ({"role": org_pb2.ROLE_VIEWER}, SEND, REFUSED),
        ({"role": org_pb2.ROLE_DEVELOPER}, "KeyService.CreateKey", REFUSED),
        ({"role": org_pb2.ROLE_OWNER}, "AuditService.ListAuditEntries", PASSED),
        ({"role": org_pb2.ROLE_OWNER}, "OrgService.CreateOrg", PASSED),
        ({"scopes": pb.ScopeSet(scopes=["events.write"])}, SEND, PASSED),
        ({"scopes": pb.ScopeSet(scopes=["events.write"])}, "OrgService.CreateOrg", REFUSED),
        ({"scopes": pb.ScopeSet()}, "TokenService.ExchangeToken", PASSED),
    ]
    for rights, method, verdict in cases:
        found = await desk.said(assumed=assumed(**rights), method=method)
        assert found[1][:2] == ("SCOPE", verdict)
    nonsense: list[dict[str, Any]] = [
        {"method": "Nothing.AtAll", "token": "x"},
        {"method": READ},
        {"method": READ, "assumed": pb.AssumedCaller()},
        {"method": READ, "assumed": assumed(scopes=pb.ScopeSet(scopes=["nothing"]))},
    ]
    for wrong in nonsense:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await desk.explain(**wrong)
        assert refusal(caught.value).reason == "INVALID_FIELD"


async def test_what_is_of_another_organisation_is_explained_as_unknown(desk: Desk):
    asked = member_pb.CreateInvitationRequest(role=org_pb2.ROLE_VIEWER)
    invited = await desk.members.CreateInvitation(asked, metadata=desk.admin)
    joined = await desk.members.AcceptInvitation(member_pb.AcceptInvitationRequest(code=invited.code))
    eve = bearer(joined.access_token)
    made = await desk.orgs.CreateOrg(org_pb.CreateOrgRequest(display_name="Eve's"), metadata=eve)
    there = (*eve, ("stateward-org", made.org.name.removeprefix("orgs/")))
    await desk.members.DeleteMember(
        member_pb.DeleteMemberRequest(name=joined.member.name), metadata=desk.admin
    )
    key = await desk.keys.CreateKey(key_pb.CreateKeyRequest(use=key_pb.KEY_USE_CI), metadata=there)
    kid = key.key.name.removeprefix("keys/")
    unknown = jwt.encode({"aud": "x"}, "x" * 49, "HS256", {"kid": "sbk_" + "A" * 22})
    for token, like in [
        (sign(kid, key.secret, {}), unknown),
        (sign(kid, "x" * 49, {}), unknown),
        (jwt.encode({"aud": AUDIENCE, "exp": 1}, key.secret, "HS256", {"kid": kid}), unknown),
        (joined.access_token, "sba_unknown"),
    ]:
        assert await desk.explain(token=token, method=READ) == await desk.explain(token=like, method=READ)


async def test_only_who_may_act_for_others_may_ask_and_it_is_on_record(desk: Desk):
    asked = pb.ExplainAccessRequest(
        assumed=assumed({"sub": "ann"}), method=READ, name="machines/m/instances/asked"
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await desk.access.ExplainAccess(asked, metadata=bearer(await desk.token("ann")))
    assert refusal(caught.value).reason == "SCOPE_MISSING"
    await desk.access.ExplainAccess(asked, metadata=desk.admin)
    listing = audit_pb.ListAuditEntriesRequest(method="AccessService.ExplainAccess")
    found = await desk.audit.ListAuditEntries(listing, metadata=desk.admin)
    mine = [each for each in found.audit_entries if each.resource == asked.name]
    assert sorted(each.outcome for each in mine) == ["OK", "SCOPE_MISSING"]
