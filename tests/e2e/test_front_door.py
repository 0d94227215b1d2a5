"""Organisations, members, keys, providers and exchange on a real server, below the SDK."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc
import jwt
import pytest
from tests.e2e.kit import DESKS, published, refusal, unused
from tests.servers import Server

from stateward import Client, tokens
from stateward.v1 import (
    account_service_pb2 as account_pb,
)
from stateward.v1 import (
    account_service_pb2_grpc,
    identity_provider_service_pb2_grpc,
    instance_service_pb2_grpc,
    key_service_pb2_grpc,
    member_service_pb2_grpc,
    org_pb2,
    org_service_pb2_grpc,
    provider_pb2,
    subscription_service_pb2_grpc,
    token_provider_service_pb2_grpc,
    token_service_pb2_grpc,
)
from stateward.v1 import identity_provider_service_pb2 as identity_pb
from stateward.v1 import instance_service_pb2 as instance_pb
from stateward.v1 import key_service_pb2 as key_pb
from stateward.v1 import member_service_pb2 as member_pb
from stateward.v1 import org_service_pb2 as org_pb
from stateward.v1 import subscription_service_pb2 as subscription_pb
from stateward.v1 import token_provider_service_pb2 as provider_pb
from stateward.v1 import token_service_pb2 as token_pb

PRODUCTION = ("events.write", "indexes.read", "instances.write", "state.read")

pytestmark = [
    pytest.mark.slow,
    # The key of anonymous sessions is short, and no secret.
    pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning"),
]

Metadata = tuple[tuple[str, str], ...]


class Door:
    """The services of the front door, called by whoever has a token."""

    def __init__(self, channel: grpc.aio.Channel, admin: str) -> None:
        self.orgs: Any = org_service_pb2_grpc.OrgServiceStub(channel)
        self.members: Any = member_service_pb2_grpc.MemberServiceStub(channel)
        self.accounts: Any = account_service_pb2_grpc.AccountServiceStub(channel)
        self.keys: Any = key_service_pb2_grpc.KeyServiceStub(channel)
        self.identity_providers: Any = identity_provider_service_pb2_grpc.IdentityProviderServiceStub(channel)
        self.token_providers: Any = token_provider_service_pb2_grpc.TokenProviderServiceStub(channel)
        self.tokens: Any = token_service_pb2_grpc.TokenServiceStub(channel)
        self.instances: Any = instance_service_pb2_grpc.InstanceServiceStub(channel)
        self.subscriptions: Any = subscription_service_pb2_grpc.SubscriptionServiceStub(channel)
        self.admin = bearer(admin)

    async def joined(self, role: org_pb2.Role.ValueType) -> tuple[str, str]:
        """Let a new person join; return their name and token."""
        asked = member_pb.CreateInvitationRequest(role=role, note="Ann")
        invited = await self.members.CreateInvitation(asked, metadata=self.admin)
        answer = await self.members.AcceptInvitation(member_pb.AcceptInvitationRequest(code=invited.code))
        return answer.member.name, answer.access_token

    async def who(self, token: str, org: str = "") -> Any:
        return await self.accounts.WhoAmI(account_pb.WhoAmIRequest(), metadata=bearer(token, org))


def bearer(token: str, org: str = "") -> Metadata:
    chosen = (("stateward-org", org),) if org else ()
    return (("authorization", f"Bearer {token}"), *chosen)


@pytest.fixture
async def door(server: Server) -> AsyncIterator[Door]:
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        yield Door(channel, str(server.profile["token"]))


async def reason(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value).reason


async def test_the_administrator_is_a_person_who_owns_the_organisation(door: Door, server: Server):
    me = await door.who(server.profile["token"])
    assert me.org == f"orgs/{server.profile['org']}"
    assert me.subject.startswith("users/usr_")
    assert (me.display_name, me.role) == ("Administrator", org_pb2.ROLE_OWNER)
    org = (await door.orgs.GetOrg(org_pb.GetOrgRequest(), metadata=door.admin)).org
    assert (org.name, org.anonymous_access, org.role) == (me.org, True, org_pb2.ROLE_OWNER)


async def test_an_invited_person_can_do_what_the_role_says(door: Door):
    name, token = await door.joined(org_pb2.ROLE_VIEWER)
    me = await door.who(token)
    assert (me.subject.removeprefix("users/"), me.role) == (
        name.removeprefix("members/"),
        org_pb2.ROLE_VIEWER,
    )
    assert all(scope.endswith(".read") for scope in me.scopes)
    create = door.keys.CreateKey(key_pb.CreateKeyRequest(use=key_pb.KEY_USE_CI), metadata=bearer(token))
    assert await reason(create) == "SCOPE_MISSING"
    update = member_pb.UpdateMemberRequest(name=name, role=org_pb2.ROLE_OWNER)
    assert await reason(door.members.UpdateMember(update, metadata=bearer(token))) == "SCOPE_MISSING"
    await door.members.UpdateMember(update, metadata=door.admin)
    assert (await door.who(token)).role == org_pb2.ROLE_OWNER
    await door.members.DeleteMember(member_pb.DeleteMemberRequest(name=name), metadata=door.admin)
    assert (await door.who(token)).org == ""
    assert await reason(door.orgs.GetOrg(org_pb.GetOrgRequest(), metadata=bearer(token))) == "ORG_NOT_CHOSEN"


async def test_an_invitation_works_once_and_answers_its_own_repeat(door: Door):
    asked = member_pb.CreateInvitationRequest(role=org_pb2.ROLE_DEVELOPER)
    code = (await door.members.CreateInvitation(asked, metadata=door.admin)).code
    accept = member_pb.AcceptInvitationRequest(code=code, display_name="Bob", request_id=str(uuid4()))
    first = await door.members.AcceptInvitation(accept)
    assert await door.members.AcceptInvitation(accept) == first
    assert first.member.display_name == "Bob"
    again = member_pb.AcceptInvitationRequest(code=code, request_id=str(uuid4()))
    assert await reason(door.members.AcceptInvitation(again)) == "INVITATION_INVALID"
    forged = member_pb.AcceptInvitationRequest(code=code[:-2] + "AA")
    assert await reason(door.members.AcceptInvitation(forged)) == "INVITATION_INVALID"
    await door.members.DeleteMember(
        member_pb.DeleteMemberRequest(name=first.member.name), metadata=door.admin
    )


async def test_a_person_of_two_organisations_says_which(door: Door):
    _, token = await door.joined(org_pb2.ROLE_VIEWER)
    home = (await door.who(token)).org.removeprefix("orgs/")
    asked = org_pb.CreateOrgRequest(display_name="Mine", deny_anonymous=True, request_id=str(uuid4()))
    made = (await door.orgs.CreateOrg(asked, metadata=bearer(token))).org
    assert (await door.orgs.CreateOrg(asked, metadata=bearer(token))).org == made
    assert (made.display_name, made.anonymous_access) == ("Mine", False)
    listed = await door.orgs.ListOrgs(org_pb.ListOrgsRequest(), metadata=bearer(token))
    assert {org.name: org.role for org in listed.orgs} == {
        f"orgs/{home}": org_pb2.ROLE_VIEWER,
        made.name: org_pb2.ROLE_OWNER,
    }
    get = org_pb.GetOrgRequest()
    assert await reason(door.orgs.GetOrg(get, metadata=bearer(token))) == "ORG_NOT_CHOSEN"
    mine = bearer(token, made.name.removeprefix("orgs/"))
    assert (await door.orgs.GetOrg(get, metadata=mine)).org == made
    absent = door.orgs.GetOrg(get, metadata=(*door.admin, ("stateward-org", mine[1][1])))
    assert await reason(absent) == "ORG_NOT_FOUND"


async def test_the_last_owner_stays(door: Door):
    me = (await door.who(door.admin[0][1].removeprefix("Bearer "))).subject.replace("users/", "members/")
    leave = member_pb.DeleteMemberRequest(name=me)
    assert await reason(door.members.DeleteMember(leave, metadata=door.admin)) == "LAST_OWNER"


async def test_a_revoked_key_is_refused_and_its_streams_end(door: Door, client: Client, server: Server):
    machine = (await published(client, DESKS["v5"])).name
    await client.machine(machine).instance("one").create()
    asked = key_pb.CreateKeyRequest(
        use=key_pb.KEY_USE_PRODUCTION, display_name="web", request_id=str(uuid4())
    )
    made = await door.keys.CreateKey(asked, metadata=door.admin)
    assert (await door.keys.CreateKey(asked, metadata=door.admin)).secret == made.secret
    key = made.key.name.removeprefix("keys/")
    mine = bearer(tokens.sign(key, made.secret, {"sub": "alice"}))
    path = f"machines/{machine}/instances/one"
    watch = subscription_pb.WatchInstanceRequest(name=path)
    stream = door.subscriptions.WatchInstance(watch, metadata=mine)
    assert (await stream.read()).HasField("snapshot")
    await door.instances.GetInstance(instance_pb.GetInstanceRequest(name=path), metadata=mine)
    await door.keys.DeleteKey(key_pb.DeleteKeyRequest(name=made.key.name), metadata=door.admin)
    get = instance_pb.GetInstanceRequest(name=path)
    assert await reason(door.instances.GetInstance(get, metadata=mine)) == "TOKEN_INVALID"
    assert await reason(stream.read()) == "ACCESS_REVOKED"


async def test_nobody_gives_what_they_do_not_hold(door: Door):
    scopes = ["org.keys.write", "state.read"]
    asked = key_pb.CreateKeyRequest(scopes=scopes)
    made = await door.keys.CreateKey(asked, metadata=door.admin)
    mine = bearer(tokens.sign(made.key.name.removeprefix("keys/"), made.secret, {}))
    more = key_pb.CreateKeyRequest(scopes=[*scopes, "machines.write"])
    assert await reason(door.keys.CreateKey(more, metadata=mine)) == "SCOPE_MISSING"
    await door.keys.CreateKey(key_pb.CreateKeyRequest(scopes=["state.read"]), metadata=mine)
    nonsense = key_pb.CreateKeyRequest(scopes=["all.of.it"])
    assert await reason(door.keys.CreateKey(nonsense, metadata=door.admin)) == "INVALID_FIELD"


async def test_nobody_lets_others_in_to_what_they_do_not_hold(door: Door):
    async def key_for(*scopes: str) -> Metadata:
        made = await door.keys.CreateKey(key_pb.CreateKeyRequest(scopes=scopes), metadata=door.admin)
        return bearer(tokens.sign(made.key.name.removeprefix("keys/"), made.secret, {}))

    owner = door.admin
    # Whom the identity provider lets in gets what the token providers give: the production scopes.
    provider = provider_pb2.IdentityProvider(issuer="https://me.example", algorithms=["HS256"], key=bytes(32))
    put = identity_pb.PutIdentityProviderRequest(identity_provider=provider)
    narrow, wide = await key_for("tokens.admin"), await key_for("tokens.admin", *PRODUCTION)
    await door.orgs.UpdateOrg(org_pb.UpdateOrgRequest(anonymous_access=True), metadata=owner)
    assert await reason(door.identity_providers.PutIdentityProvider(put, metadata=narrow)) == "SCOPE_MISSING"
    made = await door.identity_providers.PutIdentityProvider(put, metadata=wide)
    # So do anonymous sessions.
    narrow = await key_for("org.write")
    await door.orgs.UpdateOrg(org_pb.UpdateOrgRequest(anonymous_access=False), metadata=narrow)
    reopen = org_pb.UpdateOrgRequest(anonymous_access=True)
    assert await reason(door.orgs.UpdateOrg(reopen, metadata=narrow)) == "SCOPE_MISSING"
    await door.orgs.UpdateOrg(reopen, metadata=owner)
    delete = identity_pb.DeleteIdentityProviderRequest(name=made.identity_provider.name)
    await door.identity_providers.DeleteIdentityProvider(delete, metadata=owner)


async def test_a_deleted_access_token_is_over(door: Door):
    create = account_pb.CreateAccessTokenRequest(display_name="laptop", request_id=str(uuid4()))
    made = await door.accounts.CreateAccessToken(create, metadata=door.admin)
    assert (await door.accounts.CreateAccessToken(create, metadata=door.admin)).secret == made.secret
    assert (await door.who(made.secret)).role == org_pb2.ROLE_OWNER
    listed = await door.accounts.ListAccessTokens(account_pb.ListAccessTokensRequest(), metadata=door.admin)
    assert {"admin.json", "laptop"} <= {token.display_name for token in listed.access_tokens}
    delete = account_pb.DeleteAccessTokenRequest(name=made.access_token.name)
    await door.accounts.DeleteAccessToken(delete, metadata=door.admin)
    assert await reason(door.who(made.secret)) == "TOKEN_INVALID"


def anonymous(org: str) -> str:
    """The token that an anonymous client signs for itself."""
    place, now = f"https://{org}.anonymous.auth.statebacked.dev", int(time.time())
    claims = {"iss": place, "aud": place, "iat": now, "exp": now + 86_400, "sid": "s-1", "did": "d-1"}
    return jwt.encode(claims, org, "HS256")


async def test_an_anonymous_session_is_seen_by_machines_until_the_organisation_closes(
    door: Door, client: Client, server: Server
):
    org = str(server.profile["org"])
    name = unused("visitors")
    await published(
        client,
        """
import { createMachine } from "xstate";
export const allowRead = ({ authContext: who }: any) => who.auth === "anonymous" && who.did === "d-1";
export const allowWrite = ({ authContext }: any) => authContext.sid === "s-1";
export default createMachine({ initial: "a", states: { a: {} } });
""",
        name,
    )
    exchange = token_pb.ExchangeTokenRequest(
        token_provider=f"orgs/{org}/tokenProviders/anonymous-statebacked-dev", subject_token=anonymous(org)
    )
    issued = await door.tokens.ExchangeToken(exchange)
    assert issued.expires_in == 3600
    mine = bearer(issued.access_token)
    create = instance_pb.CreateInstanceRequest(parent=f"machines/{name}", instance_id="one")
    await door.instances.CreateInstance(create, metadata=mine)
    watch = subscription_pb.WatchInstanceRequest(name=f"machines/{name}/instances/one")
    stream = door.subscriptions.WatchInstance(watch, metadata=mine)
    assert (await stream.read()).HasField("snapshot")
    close = org_pb.UpdateOrgRequest(anonymous_access=False)
    assert not (await door.orgs.UpdateOrg(close, metadata=door.admin)).org.anonymous_access
    assert await reason(stream.read()) == "ACCESS_REVOKED"
    assert await reason(door.who(issued.access_token)) == "TOKEN_INVALID"
    assert await reason(door.tokens.ExchangeToken(exchange)) == "SUBJECT_TOKEN_REJECTED"
    open_again = org_pb.UpdateOrgRequest(anonymous_access=True)
    assert (await door.orgs.UpdateOrg(open_again, metadata=door.admin)).org.anonymous_access
    assert (await door.tokens.ExchangeToken(exchange)).access_token != issued.access_token


async def test_a_token_of_an_identity_provider_becomes_one_of_the_organisation(door: Door, server: Server):
    secret = b"a secret of the identity provider's"
    provider = provider_pb2.IdentityProvider(
        issuer="https://id.example",
        audience="app",
        algorithms=["HS256"],
        key=secret,
        mapping_json=json.dumps({"sub.$": "$.sub", "role.$": "$.app.role"}),
    )
    put = identity_pb.PutIdentityProviderRequest(identity_provider=provider)
    known = (await door.identity_providers.PutIdentityProvider(put, metadata=door.admin)).identity_provider
    assert known.key == b""
    key = (
        await door.keys.CreateKey(key_pb.CreateKeyRequest(use=key_pb.KEY_USE_PRODUCTION), metadata=door.admin)
    ).key
    token_provider = provider_pb2.TokenProvider(name="tokenProviders/web", key=key.name)
    await door.token_providers.PutTokenProvider(
        provider_pb.PutTokenProviderRequest(token_provider=token_provider), metadata=door.admin
    )
    claims = {"iss": "https://id.example", "aud": ["x", "app"], "exp": int(time.time()) + 600, "sub": "ann"}
    subject = jwt.encode({**claims, "app": {"role": "boss"}}, secret, "HS256")
    name = f"orgs/{server.profile['org']}/tokenProviders/web"
    exchange = token_pb.ExchangeTokenRequest(token_provider=name, subject_token=subject)
    issued = await door.tokens.ExchangeToken(exchange)
    stranger = token_pb.ExchangeTokenRequest(
        token_provider=name, subject_token=anonymous(str(server.profile["org"]))
    )
    # Its token would not say that it is anonymous, and have what this service gives.
    assert await reason(door.tokens.ExchangeToken(stranger)) == "SUBJECT_TOKEN_REJECTED"
    me = await door.who(issued.access_token)
    assert json.loads(me.auth_context_json) == {"sub": "ann", "role": "boss"}
    assert me.subject == key.name
    forged = jwt.encode({**claims, "app": {"role": "boss"}}, b"another secret, of the same kind", "HS256")
    exchange.subject_token = forged
    assert await reason(door.tokens.ExchangeToken(exchange)) == "SUBJECT_TOKEN_REJECTED"
    delete = identity_pb.DeleteIdentityProviderRequest(name=known.name)
    await door.identity_providers.DeleteIdentityProvider(delete, metadata=door.admin)
    exchange.subject_token = subject
    assert await reason(door.tokens.ExchangeToken(exchange)) == "SUBJECT_TOKEN_REJECTED"
