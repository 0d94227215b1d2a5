"""The part of the store suite about who may come in."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

from dataclasses import replace

from stateward_server.model.names import OrgId
from stateward_server.model.org import (
    AccessToken,
    AnonymousAccess,
    IdentityProvider,
    Invitation,
    Key,
    Member,
    Role,
    TokenProvider,
)
from stateward_server.ports.access import Change, Newcomer
from stateward_server.ports.store import Store
from stateward_server.testing.store_samples import (
    BORN,
    ORG,
    OTHER_ORG,
    sample_newcomer,
    sample_org,
    sample_request,
    sample_user,
    with_owner,
)

MANY = 100


def _invitation(name: str = "inv_1", org: OrgId = ORG) -> Invitation:
    return Invitation(name, org, Role.VIEWER, "for Ann", BORN, BORN + 1)


def _key(name: str = "sbk_1", org: OrgId = ORG) -> Key:
    return Key(name, org, "a key", ("events.write", "state.read"), BORN)


def _identity(name: str = "idp_1", org: OrgId = ORG) -> IdentityProvider:
    return IdentityProvider(name, org, "https://a", None, ("RS256",), "https://a/jwks", None, "{}", BORN)


def _provider(service: str = "web", org: OrgId = ORG, key: str = "sbk_1") -> TokenProvider:
    return TokenProvider(org, service, key, '{"sub.$":"$.sub"}', BORN)


class OrgSuite:
    """Organisations, people and their tokens."""

    async def test_an_org_comes_with_its_owner(self, store: Store) -> None:
        await store.create_org(sample_org(), sample_user(), None, sample_request("a"))
        assert await store.get_org(ORG) == sample_org()
        assert await store.get_org(OTHER_ORG) is None
        assert await store.get_member(ORG, "usr_1") == Member(ORG, sample_user(), Role.OWNER, BORN)
        assert await store.orgs_of("usr_1", "", 9) == [(sample_org(), Role.OWNER)]
        assert await store.get_request(ORG, "a") == sample_request("a")

    async def test_orgs_are_listed_by_id(self, store: Store) -> None:
        for org in (OTHER_ORG, ORG):
            await store.create_org(sample_org(org), sample_user(), None, None)
        orgs = [sample_org(ORG), sample_org(OTHER_ORG)]
        assert await store.list_orgs("", 9) == orgs
        assert await store.list_orgs(ORG, 9) == orgs[1:]
        assert await store.list_orgs("", 1) == orgs[:1]
        assert [org for org, _ in await store.orgs_of("usr_1", "", 9)] == orgs
        assert [org for org, _ in await store.orgs_of("usr_1", ORG, 9)] == orgs[1:]
        assert await store.orgs_of("usr_2", "", 9) == []

    async def test_an_org_is_renamed(self, store: Store) -> None:
        await store.create_org(sample_org(), sample_user(), None, None)
        await store.rename_org(ORG, "Another name", sample_request("a"))
        assert await store.get_org(ORG) == replace(sample_org(), display_name="Another name")
        assert await store.get_request(ORG, "a") == sample_request("a")

    async def test_anonymous_access_comes_and_goes_as_one(self, store: Store) -> None:
        access = AnonymousAccess(_key(), _identity(), _provider())
        await store.create_org(sample_org(), sample_user(), access, None)
        assert await store.get_key("sbk_1") == access.key
        assert await store.list_identity_providers(ORG, "", 9) == [access.identity]
        assert await store.get_token_provider(ORG, "web") == access.token
        await store.close_to_anonymous(access, sample_request("a"))
        assert await store.get_key("sbk_1") is None
        assert await store.list_identity_providers(ORG, "", 9) == []
        assert await store.get_token_provider(ORG, "web") is None
        await store.open_to_anonymous(access, sample_request("b"))
        assert await store.get_key("sbk_1") == access.key
        assert await store.get_token_provider(ORG, "web") == access.token
        assert await store.get_request(ORG, "b") == sample_request("b")

    async def test_a_token_is_found_by_its_digest_alone(self, store: Store) -> None:
        await with_owner(store, ORG, "secret")
        known = sample_newcomer("secret")
        assert await store.find_token(known.digest) == (known.token, known.user)
        assert await store.find_token(known.digest[:-1]) is None
        assert await store.find_token(b"") is None

    async def test_tokens_belong_to_their_person(self, store: Store) -> None:
        await with_owner(store, ORG, "secret")
        await with_owner(store, OTHER_ORG, "other", "usr_2")
        token = AccessToken("sat_0", "usr_1", "laptop", BORN)
        assert await store.create_token(token, b"digest", 2, sample_request("a")) is Change.DONE
        assert await store.create_token(replace(token, id="sat_9"), b"more", 2, None) is Change.FULL
        assert await store.find_token(b"more") is None
        assert await store.list_tokens("usr_1", "", 9) == [token, sample_newcomer("secret").token]
        assert await store.list_tokens("usr_1", "sat_0", 9) == [sample_newcomer("secret").token]
        assert await store.delete_token("usr_2", "sat_0", None) is Change.ABSENT
        assert await store.delete_token("usr_1", "sat_0", None) is Change.DONE
        assert await store.delete_token("usr_1", "sat_0", None) is Change.ABSENT
        assert await store.find_token(b"digest") is None
        assert await store.find_token(sample_newcomer("other", "usr_2").digest) is not None


class MemberSuite:
    """Who belongs to an organisation, and who may yet."""

    async def test_an_invitation_is_taken_up_once(self, store: Store) -> None:
        await with_owner(store, ORG, "secret")
        assert await store.create_invitation(_invitation(), MANY, sample_request("a")) is Change.DONE
        assert await store.get_invitation("inv_1") == _invitation()
        new = sample_newcomer("new", "usr_2")
        assert await store.accept_invitation(_invitation(), new, BORN + 5, None) is Change.DONE
        assert await store.get_member(ORG, "usr_2") == Member(ORG, new.user, Role.VIEWER, BORN + 5)
        assert await store.find_token(new.digest) == (new.token, new.user)
        another = sample_newcomer("another", "usr_3")
        assert await store.accept_invitation(_invitation(), another, BORN, None) is Change.ABSENT
        assert await store.get_member(ORG, "usr_3") is None
        assert await store.find_token(another.digest) is None
        assert await store.get_invitation("inv_1") is None

    async def test_a_member_cannot_join_again(self, store: Store) -> None:
        await with_owner(store, ORG, "secret")
        await store.create_invitation(_invitation(), MANY, None)
        assert await store.accept_invitation(_invitation(), sample_user(), BORN, None) is Change.TAKEN
        assert await store.get_invitation("inv_1") == _invitation()

    async def test_a_person_of_one_org_joins_another(self, store: Store) -> None:
        await with_owner(store, ORG, "secret")
        await with_owner(store, OTHER_ORG, "other", "usr_2")
        await store.create_invitation(_invitation(), MANY, None)
        assert await store.accept_invitation(_invitation(), sample_user("usr_2"), BORN, None) is Change.DONE
        assert [role for _, role in await store.orgs_of("usr_2", "", 9)] == [Role.VIEWER, Role.OWNER]

    async def test_invitations_are_bounded_listed_and_withdrawn(self, store: Store) -> None:
        await with_owner(store, ORG, "secret")
        await store.create_invitation(_invitation("inv_x", OTHER_ORG), MANY, None)
        for name in ("inv_2", "inv_1"):
            assert await store.create_invitation(_invitation(name), 2, None) is Change.DONE
        assert await store.create_invitation(_invitation("inv_3"), 2, sample_request("a")) is Change.FULL
        assert await store.get_request(ORG, "a") is None
        both = [_invitation("inv_1"), _invitation("inv_2")]
        assert await store.list_invitations(ORG, "", 9) == both
        assert await store.list_invitations(ORG, "inv_1", 9) == both[1:]
        assert await store.delete_invitation(OTHER_ORG, "inv_1", None) is Change.ABSENT
        assert await store.delete_invitation(ORG, "inv_1", sample_request("b")) is Change.DONE
        assert await store.delete_invitation(ORG, "inv_1", None) is Change.ABSENT
        assert await store.list_invitations(ORG, "", 1) == both[1:]
        assert await store.get_request(ORG, "b") == sample_request("b")

    async def test_there_is_always_an_owner(self, store: Store) -> None:
        await with_owner(store, ORG, "secret")
        second = await _joined(store, "usr_2")
        assert await store.set_role(ORG, "usr_1", Role.VIEWER, None) is Change.LAST_OWNER
        assert await store.delete_member(ORG, "usr_1", None) is Change.LAST_OWNER
        assert await store.set_role(ORG, "usr_1", Role.OWNER, None) is Change.DONE
        assert await store.set_role(ORG, "usr_2", Role.OWNER, sample_request("a")) is Change.DONE
        assert await store.get_request(ORG, "a") == sample_request("a")
        assert await store.set_role(ORG, "usr_1", Role.DEVELOPER, None) is Change.DONE
        assert await store.delete_member(ORG, "usr_2", None) is Change.LAST_OWNER
        assert [(each.user, each.role) for each in await store.list_members(ORG, "", 9)] == [
            (sample_user(), Role.DEVELOPER),
            (second.user, Role.OWNER),
        ]

    async def test_who_has_left_is_no_member_but_still_a_person(self, store: Store) -> None:
        await with_owner(store, ORG, "secret")
        second = await _joined(store, "usr_2")
        assert await store.delete_member(OTHER_ORG, "usr_2", None) is Change.ABSENT
        assert await store.set_role(OTHER_ORG, "usr_2", Role.OWNER, None) is Change.ABSENT
        assert await store.delete_member(ORG, "usr_2", None) is Change.DONE
        assert await store.get_member(ORG, "usr_2") is None
        assert await store.orgs_of("usr_2", "", 9) == []
        assert await store.find_token(second.digest) == (second.token, second.user)
        assert await store.list_members(ORG, "usr_1", 9) == []


class KeySuite:
    """Signing keys."""

    async def test_keys_are_bounded_listed_and_revoked(self, store: Store) -> None:
        await store.create_key(_key("sbk_x", OTHER_ORG), MANY, None)
        for name in ("sbk_2", "sbk_1"):
            assert await store.create_key(_key(name), 2, None) is Change.DONE
        assert await store.create_key(_key("sbk_3"), 2, sample_request("a")) is Change.FULL
        assert await store.get_key("sbk_3") is None
        assert await store.get_request(ORG, "a") is None
        assert await store.get_key("sbk_2") == _key("sbk_2")
        assert await store.list_keys(ORG, "", 9) == [_key("sbk_1"), _key("sbk_2")]
        assert await store.list_keys(ORG, "sbk_1", 9) == [_key("sbk_2")]
        assert await store.delete_key(OTHER_ORG, "sbk_1", None) is Change.ABSENT
        assert await store.delete_key(ORG, "sbk_1", sample_request("b")) is Change.DONE
        assert await store.get_key("sbk_1") is None
        assert await store.get_request(ORG, "b") == sample_request("b")


class ProviderSuite:
    """Identity providers and token providers."""

    async def test_an_identity_provider_is_replaced_as_a_whole_and_keeps_its_age(self, store: Store) -> None:
        await store.put_identity_provider(_identity(), MANY, sample_request("a"))
        changed = replace(
            _identity(), algorithms=("HS256",), jwks_url=None, sealed_key=b"\x00k", mapping_json='{"a":1}'
        )
        later = replace(changed, created_ms=BORN + 9)
        assert await store.put_identity_provider(later, 1, None) is Change.DONE
        assert await store.list_identity_providers(ORG, "", 9) == [changed]
        assert await store.get_request(ORG, "a") == sample_request("a")

    async def test_identity_providers_are_bounded_listed_and_deleted(self, store: Store) -> None:
        await store.put_identity_provider(_identity("idp_1", OTHER_ORG), MANY, None)
        for name in ("idp_2", "idp_1"):
            assert await store.put_identity_provider(_identity(name), 2, None) is Change.DONE
        assert await store.put_identity_provider(_identity("idp_3"), 2, None) is Change.FULL
        assert await store.list_identity_providers(ORG, "idp_1", 9) == [_identity("idp_2")]
        assert await store.get_identity_provider(ORG, "idp_1") == _identity("idp_1")
        assert await store.get_identity_provider(OTHER_ORG, "idp_2") is None
        asked = ["idp_2", "idp_1", "idp_3", "idp_1"]
        found = await store.find_identity_providers(ORG, asked)
        assert {each.id: each for each in found} == {id_: _identity(id_) for id_ in ("idp_1", "idp_2")}
        assert await store.find_identity_providers(OTHER_ORG, ["idp_2"]) == []
        assert await store.find_identity_providers(ORG, []) == []
        assert await store.delete_identity_provider(ORG, "idp_1", None) is Change.DONE
        assert await store.delete_identity_provider(ORG, "idp_1", None) is Change.ABSENT
        assert await store.list_identity_providers(ORG, "", 9) == [_identity("idp_2")]
        assert await store.list_identity_providers(OTHER_ORG, "", 9) == [_identity("idp_1", OTHER_ORG)]

    async def test_a_token_provider_needs_a_key_of_its_org(self, store: Store) -> None:
        await store.create_key(_key(), MANY, None)
        await store.create_key(_key("sbk_x", OTHER_ORG), MANY, None)
        assert await store.put_token_provider(_provider(key="sbk_x"), MANY, None) is Change.ABSENT
        assert (
            await store.put_token_provider(_provider(key="sbk_9"), MANY, sample_request("a")) is Change.ABSENT
        )
        assert await store.get_token_provider(ORG, "web") is None
        assert await store.get_request(ORG, "a") is None

    async def test_token_providers_are_bounded_replaced_listed_and_deleted(self, store: Store) -> None:
        for name in ("sbk_1", "sbk_2"):
            await store.create_key(_key(name), MANY, None)
        for service in ("web", "app"):
            assert await store.put_token_provider(_provider(service), 2, None) is Change.DONE
        assert await store.put_token_provider(_provider("more"), 2, None) is Change.FULL
        changed = replace(_provider("web", key="sbk_2"), created_ms=BORN + 9)
        assert await store.put_token_provider(changed, 2, None) is Change.DONE
        known = [_provider("app"), replace(changed, created_ms=BORN)]
        assert await store.list_token_providers(ORG, "", 9) == known
        assert await store.list_token_providers(ORG, "app", 9) == known[1:]
        assert await store.get_token_provider(ORG, "web") == known[1]
        assert await store.get_token_provider(OTHER_ORG, "web") is None
        assert await store.delete_token_provider(OTHER_ORG, "web", None) is Change.ABSENT
        assert await store.delete_token_provider(ORG, "web", sample_request("b")) is Change.DONE
        assert await store.get_token_provider(ORG, "web") is None
        assert await store.get_request(ORG, "b") == sample_request("b")

    async def test_a_token_provider_outlives_its_key(self, store: Store) -> None:
        await store.create_key(_key(), MANY, None)
        await store.put_token_provider(_provider(), MANY, None)
        assert await store.delete_key(ORG, "sbk_1", None) is Change.DONE
        assert await store.get_token_provider(ORG, "web") == _provider()


async def _joined(store: Store, name: str) -> Newcomer:
    """Let a new person join ORG as a viewer."""
    newcomer = sample_newcomer(f"the secret of {name}", name)
    await store.create_invitation(_invitation(f"inv_{name}"), MANY, None)
    assert await store.accept_invitation(_invitation(f"inv_{name}"), newcomer, BORN, None) is Change.DONE
    return newcomer
