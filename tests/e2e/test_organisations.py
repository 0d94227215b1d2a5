"""Organisations, members, keys, providers and access tokens with the SDK, on a real server."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from functools import partial

import pytest
from tests.servers import Server

from stateward import (
    Client,
    IdentityProviderNotFound,
    InvalidArgument,
    InvitationInvalid,
    InvitationNotFound,
    Joined,
    KeyNotFound,
    LastOwner,
    MemberExists,
    OrgNotChosen,
    PersonRequired,
    Role,
    ScopeMissing,
    TokenProviderNotFound,
    Unauthenticated,
    blocking,
    providers,
    tokens,
)

pytestmark = pytest.mark.slow


async def join(client: Client, server: Server, role: Role, name: str = "Ann") -> Joined:
    """Let a new person take up an invitation."""
    invited = await client.invitations.create(role, note=name)
    async with Client.connect(server.grpc) as stranger:
        return await stranger.invitations.accept(invited.code, display_name=name)


@pytest.fixture
async def ann(client: Client, server: Server) -> AsyncIterator[tuple[Joined, Client]]:
    """Somebody new who may publish machines, and their client."""
    joined = await join(client, server, Role.DEVELOPER)
    async with Client.connect(server.grpc, token=joined.access_token) as theirs:
        yield joined, theirs


async def test_the_administrator_sees_and_changes_the_organisation(client: Client, server: Server):
    org = await client.orgs.get()
    assert (org.id, org.anonymous_access, org.role) == (server.profile["org"], True, Role.OWNER)
    closed = await client.orgs.update(display_name="Acme", anonymous_access=False)
    assert (closed.display_name, closed.anonymous_access) == ("Acme", False)
    assert await client.orgs.update(anonymous_access=True) == await client.orgs.get()
    assert (await client.orgs.get()).display_name == "Acme"


async def test_a_person_creates_organisations_and_must_say_which(ann: tuple[Joined, Client]):
    joined, client = ann
    assert (await client.orgs.get()).id == joined.org.id
    created = [await client.orgs.create(name, deny_anonymous=True) for name in ("One", "Two")]
    assert [each.role for each in created] == [Role.OWNER, Role.OWNER]
    assert not created[0].anonymous_access
    seen = [each.id async for each in client.orgs.list(page_size=1)]
    assert seen == sorted([joined.org.id, *(each.id for each in created)])
    with pytest.raises(OrgNotChosen):
        await client.orgs.get()


async def test_an_invitation_brings_a_new_person_in_once(client: Client, server: Server):
    invited = await client.invitations.create(Role.VIEWER, note="ben@example.com", valid_hours=1)
    waiting = [each async for each in client.invitations.list(page_size=1)]
    assert invited.invitation in waiting
    assert (invited.invitation.note, invited.invitation.role) == ("ben@example.com", Role.VIEWER)
    assert (invited.invitation.expire_time - invited.invitation.create_time).total_seconds() == 3600
    async with Client.connect(server.grpc) as stranger:
        joined = await stranger.invitations.accept(invited.code, display_name="Ben")
        with pytest.raises(InvitationInvalid):
            await stranger.invitations.accept(invited.code)
    assert joined.member in [each async for each in client.members.list(page_size=1)]
    assert (joined.org.id, joined.org.role) == (server.profile["org"], Role.VIEWER)
    assert invited.invitation not in [each async for each in client.invitations.list()]


async def test_a_withdrawn_invitation_is_of_no_use(client: Client, server: Server):
    invited = await client.invitations.create(Role.VIEWER)
    await client.invitations.delete(invited.invitation)
    async with Client.connect(server.grpc) as stranger:
        with pytest.raises(InvitationInvalid):
            await stranger.invitations.accept(invited.code)
    with pytest.raises(InvitationNotFound):
        await client.invitations.delete(invited.invitation.id)


async def test_a_member_cannot_take_up_another_invitation(client: Client, ann: tuple[Joined, Client]):
    invited = await client.invitations.create(Role.OWNER)
    with pytest.raises(MemberExists):
        await ann[1].invitations.accept(invited.code)


async def test_roles_hold_at_once(client: Client, ann: tuple[Joined, Client]):
    joined, theirs = ann
    with pytest.raises(ScopeMissing):
        await theirs.invitations.create(Role.VIEWER)
    promoted = await client.members.set_role(joined.member, Role.OWNER)
    assert promoted.role is Role.OWNER
    await theirs.invitations.create(Role.VIEWER)
    await client.members.remove(joined.member.id)
    with pytest.raises(OrgNotChosen):
        await theirs.invitations.create(Role.VIEWER)


async def test_the_last_owner_stays(ann: tuple[Joined, Client], server: Server):
    joined, client = ann
    org = await client.orgs.create("Alone")
    with pytest.raises(LastOwner):
        async with Client.connect(server.grpc, token=joined.access_token, org=org.id) as alone:
            await alone.members.remove(joined.member)


async def test_a_key_makes_tokens_until_it_is_revoked(client: Client, server: Server):
    made = await client.keys.create("web", use="production", scopes=["machines.read"])
    assert made.key.scopes == (
        "events.write",
        "indexes.read",
        "instances.write",
        "machines.read",
        "state.read",
    )
    assert made.key in [each async for each in client.keys.list(page_size=1)]
    token = tokens.sign(made.key.id, made.secret, {"sub": "ann"})
    async with Client.connect(server.grpc, token=token) as signed:
        assert [each async for each in signed.machines()] == []
        with pytest.raises(PersonRequired):
            await signed.orgs.create("Mine")
        await client.keys.delete(made.key)
        with pytest.raises(Unauthenticated):
            await signed.limits()
    with pytest.raises(KeyNotFound):
        await client.keys.delete(made.key.id)


async def test_a_key_needs_a_scope_that_there_is_and_that_its_maker_holds(
    client: Client, ann: tuple[Joined, Client]
):
    with pytest.raises(InvalidArgument):
        await client.keys.create("nothing")
    with pytest.raises(InvalidArgument):
        await client.keys.create(scopes=["everything"])
    with pytest.raises(TypeError):
        await client.keys.create(scopes="machines.read")
    with pytest.raises(ScopeMissing):
        await ann[1].keys.create(use="ci")


async def test_identity_providers_are_put_listed_and_deleted(client: Client):
    settings = providers.supabase("abcdefghijklmnopqrst", "a secret of at least thirty-two bytes")
    put = await client.identity_providers.put(settings)
    assert (put.issuer, put.audience, put.algorithms, put.jwks_url, put.mapping) == (
        settings.issuer,
        settings.audience,
        settings.algorithms,
        None,
        settings.mapping,
    )
    audience_alone = providers.ProviderSettings(None, "us", ("HS256",), key=bytes(32))
    assert (await client.identity_providers.put(audience_alone)).issuer is None
    found = [each async for each in client.identity_providers.list(page_size=1)]
    assert [each.issuer for each in found if each.id == put.id] == [settings.issuer]
    await client.identity_providers.delete(put)
    with pytest.raises(IdentityProviderNotFound):
        await client.identity_providers.delete(put.id)
    with pytest.raises(InvalidArgument):
        await client.identity_providers.put(
            providers.ProviderSettings("them", None, ("none",), key=bytes(32))
        )


async def test_token_providers_are_put_listed_and_deleted(client: Client):
    key = (await client.keys.create(use="production")).key
    put = await client.token_providers.put("web", key=key)
    assert (put.service, put.key, put.mapping) == ("web", key.id, None)
    again = await client.token_providers.put("web", key=key.id, mapping={"sub.$": "$.sub"})
    assert (again.mapping, again.create_time) == ({"sub.$": "$.sub"}, put.create_time)
    assert again in [each async for each in client.token_providers.list(page_size=1)]
    await client.token_providers.delete(again)
    with pytest.raises(TokenProviderNotFound):
        await client.token_providers.delete("web")
    with pytest.raises(KeyNotFound):
        await client.token_providers.put("web", key="sbk_" + "x" * 22)


async def test_access_tokens_come_and_go(ann: tuple[Joined, Client], server: Server):
    made = await ann[1].access_tokens.create("laptop")
    found = {each.display_name: each.current async for each in ann[1].access_tokens.list(page_size=1)}
    assert found == {"invitation": True, "laptop": False}
    async with Client.connect(server.grpc, token=made.secret) as other:
        assert (await other.orgs.get()).role is Role.DEVELOPER
        await ann[1].access_tokens.delete(made.access_token)
        with pytest.raises(Unauthenticated):
            await other.orgs.get()


async def test_a_repeated_request_returns_what_the_first_one_made(client: Client):
    for create in (
        partial(client.keys.create, use="ci"),
        partial(client.invitations.create, Role.VIEWER),
        partial(client.access_tokens.create),
    ):
        again = str(uuid.uuid4())
        made = await create(request_id=again)
        assert await create(request_id=again) == made
        assert await create() != made


async def test_no_secret_is_in_a_repr(client: Client, server: Server):
    invited = await client.invitations.create(Role.VIEWER)
    key = await client.keys.create(use="ci")
    token = await client.access_tokens.create()
    joined = await join(client, server, Role.VIEWER)
    for value, secret in (
        (invited, invited.code),
        (key, key.secret),
        (token, token.secret),
        (joined, joined.access_token),
    ):
        assert secret
        assert secret not in repr(value)


async def test_an_invitation_does_not_travel_unencrypted():
    async with Client.connect("example.com:7411") as stranger:
        with pytest.raises(ValueError, match="the invitation's code would travel unencrypted"):
            await stranger.invitations.accept("sbi_secret")


def test_the_same_without_async(server: Server):
    with blocking.Client.connect(server.grpc, token=server.profile["token"]) as client:
        assert client.orgs.get().id == server.profile["org"]
        assert client.orgs.get().id in [org.id for org in client.orgs.list()]
        assert client.orgs.update(display_name="Acme").display_name == "Acme"
        invited = client.invitations.create(Role.VIEWER)
        assert invited.invitation in list(client.invitations.list())
        with blocking.Client.connect(server.grpc) as stranger:
            joined = stranger.invitations.accept(invited.code, display_name="Cid")
        member = joined.member
        with blocking.Client.connect(server.grpc, token=joined.access_token) as theirs:
            assert theirs.orgs.create("Other").display_name == "Other"
        assert member in list(client.members.list())
        assert client.members.set_role(member, Role.DEVELOPER).role is Role.DEVELOPER
        client.members.remove(member)
        client.invitations.delete(client.invitations.create(Role.VIEWER).invitation)
        key = client.keys.create(use="ci").key
        assert key in list(client.keys.list())
        provider = client.token_providers.put("ci", key=key)
        assert provider in list(client.token_providers.list())
        client.token_providers.delete(provider)
        client.keys.delete(key)
        identity = client.identity_providers.put(providers.auth0("acme.eu.auth0.com"))
        assert identity in list(client.identity_providers.list())
        client.identity_providers.delete(identity)
        token = client.access_tokens.create("twin").access_token
        assert token in list(client.access_tokens.list())
        client.access_tokens.delete(token)
