"""Tokens are believed only when everything about them is right, and every refusal looks the same."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest

from stateward_server.auth.authenticator import AUDIENCE, Authenticator, BadToken, acting
from stateward_server.auth.revocations import Revocations, place
from stateward_server.auth.scopes import ACT_AS, ALL, BY_ROLE, PRODUCTION
from stateward_server.auth.secrets import Secrets
from stateward_server.model.errors import InvalidArgument, PermissionDenied, StatewardError, Unauthenticated
from stateward_server.model.names import OrgId, mint
from stateward_server.model.org import AccessToken, Invitation, Key, Member, Role, User
from stateward_server.model.principal import NO_ORG, Principal
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy
from stateward_server.testing.store_samples import sample_newcomer, sample_org, sample_user, with_owner

NOW_S = 1_700_000_000
ORG = OrgId(mint("org", bytes(16)))
OTHER_ORG = OrgId(mint("org", b"\1" * 16))
KEY = mint("sbk", bytes(16))
OTHER_KEY = mint("sbk", b"\1" * 16)
ADMIN_TOKEN = mint("sba", bytes(32))
OTHER_ADMIN_TOKEN = mint("sba", b"\1" * 32)
SECRETS = Secrets(bytes(range(32)))
ADMINISTRATOR = Principal(
    ORG,
    ALL,
    "{}",
    "usr_1",
    sample_user("usr_1"),
    Role.OWNER,
    rests_on=frozenset({"sat_usr_1", f"{ORG}/usr_1"}),
)


class CountingStore(MemoryStore):
    """Counts what it is asked, and refuses ids that a real store could not even look up."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock=clock, entropy=SeededEntropy())
        self.asked = 0

    async def get_key(self, key: str) -> Key | None:
        self.asked += 1
        key.encode()
        return await super().get_key(key)

    async def find_token(self, digest: bytes) -> tuple[AccessToken, User] | None:
        self.asked += 1
        return await super().find_token(digest)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_S * 1000)


@pytest.fixture
async def store(clock: ManualClock) -> CountingStore:
    store = CountingStore(clock)
    await with_owner(store, ORG, ADMIN_TOKEN, "usr_1")
    await with_owner(store, OTHER_ORG, OTHER_ADMIN_TOKEN, "usr_2")
    await store.create_key(Key(KEY, ORG, "", tuple(sorted(PRODUCTION)), 0), 9, None)
    await store.create_key(Key(OTHER_KEY, OTHER_ORG, "", ("state.read",), 0), 9, None)
    return store


@pytest.fixture
def revocations() -> Revocations:
    return Revocations()


@pytest.fixture
def authenticator(store: CountingStore, clock: ManualClock) -> Authenticator:
    return Authenticator(store, SECRETS, clock, Revocations(), remembered=2)


def token(*, key: str = KEY, secret: str | None = None, kid: str | None = None, **claims: Any) -> str:
    """A valid token, but for what is given; a claim of None is left out."""
    body = {"aud": AUDIENCE, "exp": NOW_S + 60, "act": {"sub": "alice"}, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(body, secret or SECRETS.signing_secret(key), headers={"kid": kid or key})


def raw(header: str, payload: str, digest: str = "sha256") -> str:
    """A token with any text for header and payload, rightly signed."""
    signed = ".".join(_base64(part.encode()) for part in (header, payload))
    key = SECRETS.signing_secret(KEY).encode()
    return f"{signed}.{_base64(hmac.digest(key, signed.encode(), digest))}"


def raw_payload(payload: str) -> str:
    return raw(json.dumps({"alg": "HS256", "kid": KEY}), payload)


def other_algorithm(name: str, digest: str) -> str:
    return raw(json.dumps({"alg": name, "kid": KEY}), claims(), digest)


def claims(**changed: Any) -> str:
    return json.dumps({"aud": AUDIENCE, "exp": NOW_S + 60, **changed})


def _base64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


async def refusal(authenticator: Authenticator, bearer: str) -> tuple[type[StatewardError], str]:
    with pytest.raises(StatewardError) as caught:
        await authenticator.authenticate(bearer)
    return type(caught.value), caught.value.reason


INVALID = (BadToken, "TOKEN_INVALID")
EXPIRED = (BadToken, "TOKEN_EXPIRED")


# ------------------------------------------------------------------ administrators


async def test_an_administrators_token_holds_every_scope_and_no_claims(authenticator: Authenticator):
    principal = await authenticator.authenticate(ADMIN_TOKEN)
    assert principal == ADMINISTRATOR


@pytest.mark.parametrize("bearer", ["", " ", ADMIN_TOKEN[:-1], ADMIN_TOKEN + " ", "sba_", "é", "a.b", "."])
async def test_another_opaque_token_is_refused(authenticator: Authenticator, bearer: str):
    assert await refusal(authenticator, bearer) == INVALID


async def test_an_oversize_token_is_refused_without_asking_the_store(
    authenticator: Authenticator, store: CountingStore
):
    assert await refusal(authenticator, "x" * 16_385) == INVALID
    assert store.asked == 0


# ------------------------------------------------------------------ signed tokens


async def test_a_signed_token_gives_its_keys_scopes_and_its_own_claims(authenticator: Authenticator):
    principal = await authenticator.authenticate(token(act={"sub": "alice", "n": 1}))
    assert principal == Principal(ORG, PRODUCTION, '{"sub":"alice","n":1}', KEY, rests_on=frozenset({KEY}))


@pytest.mark.parametrize(
    ("claims", "auth"),
    [
        ({"act": {"role": "x"}, "sub": "bob"}, {"role": "x", "sub": "bob"}),
        ({"act": {"sub": "alice"}, "sub": "bob"}, {"sub": "alice"}),
        ({"act": None, "sub": "bob"}, {"sub": "bob"}),
        ({"act": None}, {}),
        ({"act": {}}, {}),
    ],
)
async def test_the_subject_is_filled_in_where_the_claims_lack_it(
    authenticator: Authenticator, claims: dict[str, Any], auth: dict[str, Any]
):
    principal = await authenticator.authenticate(token(**claims))
    assert json.loads(principal.auth_json) == auth


async def test_scopes_in_the_token_count_for_nothing(authenticator: Authenticator):
    bearer = token(scope="machines.admin", scopes=["machines.admin"])
    assert (await authenticator.authenticate(bearer)).scopes == PRODUCTION


def unsigned() -> str:
    return jwt.encode({"aud": AUDIENCE, "exp": NOW_S + 60}, "", algorithm="none", headers={"kid": KEY})


def cut() -> str:
    head, body, _ = token().split(".")
    return f"{head}.{body}."


def swapped() -> str:
    head, _, mac = token().split(".")
    return f"{head}.{token(act={'sub': 'eve'}).split('.')[1]}.{mac}"


@pytest.mark.parametrize(
    "bearer",
    [
        pytest.param(unsigned(), id="algorithm none"),
        pytest.param(cut(), id="no signature"),
        pytest.param(swapped(), id="another token's signature"),
        pytest.param(other_algorithm("HS512", "sha512"), id="another HMAC with the right secret"),
        pytest.param(other_algorithm("RS256", "sha256"), id="the secret taken for a public key"),
        pytest.param(other_algorithm("hs256", "sha256"), id="almost the algorithm"),
        pytest.param(token(secret="x" * 49), id="another secret"),
        pytest.param(token(secret=SECRETS.signing_secret(OTHER_KEY)), id="another key's secret"),
        pytest.param(token(kid=mint("sbk", b"\7" * 16)), id="unknown key"),
        pytest.param(raw('{"alg":"HS256"}', "{}"), id="no key id"),
        pytest.param(raw('{"alg":"HS256","kid":7}', "{}"), id="key id is a number"),
        pytest.param(raw('{"alg":"HS256","kid":"\\ud800"}', "{}"), id="key id is no text"),
        pytest.param(raw('{"alg":"HS256","kid":"' + "x" * 9000 + '"}', "{}"), id="key id is long"),
        pytest.param(raw("[" * 5000 + "]" * 5000, "{}"), id="deep header"),
        pytest.param(raw("[]", "{}"), id="header is a list"),
        pytest.param("a.b.c", id="noise"),
        pytest.param("..", id="three times nothing"),
        pytest.param("é.é.é", id="not ASCII"),
    ],
)
async def test_a_token_that_is_not_signed_by_its_key_is_refused(authenticator: Authenticator, bearer: str):
    assert await refusal(authenticator, bearer) == INVALID


@pytest.mark.parametrize(
    "bearer",
    [
        pytest.param(token(aud="https://example.org/"), id="another audience"),
        pytest.param(token(aud=None), id="no audience"),
        pytest.param(token(exp=None), id="no expiry"),
        pytest.param(token(exp=True), id="expiry is a boolean"),
        pytest.param(raw_payload(claims(exp=str(NOW_S + 60))), id="expiry is text"),
        pytest.param(raw_payload(claims(exp=[NOW_S + 60])), id="expiry is a list"),
        pytest.param(raw_payload(claims(exp=float("nan"))), id="expiry is NaN"),
        pytest.param(raw_payload(claims(exp=float("inf"))), id="expiry is Infinity"),
        pytest.param(raw_payload(claims(exp=1e308)), id="expiry overflows"),
        pytest.param(raw_payload(claims(exp=10**400)), id="expiry is beyond all time"),
        pytest.param(raw_payload(claims(exp=(NOW_S + 60) * 1000)), id="expiry in milliseconds"),
        pytest.param(raw_payload(claims(nbf=float("nan"))), id="start is NaN"),
        pytest.param(raw_payload(claims(nbf="0")), id="start is text"),
        pytest.param(token(nbf=NOW_S + 6), id="not yet valid"),
        pytest.param(token(act="alice"), id="claims are text"),
        pytest.param(token(act=["alice"]), id="claims are a list"),
        pytest.param(raw_payload(claims(act=None)), id="claims are null"),
        pytest.param(raw_payload(claims(act={"n": float("nan")})), id="claims hold NaN"),
        pytest.param(raw_payload(claims(act={"n": float("inf")})), id="claims hold Infinity"),
        pytest.param(raw_payload('{"act":' + '{"a":' * 1990 + "1" + "}" * 1991), id="deep claims"),
        pytest.param(raw_payload("[]"), id="payload is a list"),
        pytest.param(raw_payload("{"), id="payload is no JSON"),
    ],
)
async def test_a_signed_token_with_wrong_claims_is_refused(authenticator: Authenticator, bearer: str):
    assert await refusal(authenticator, bearer) == INVALID


async def test_text_that_only_json_can_escape_reaches_the_machine_escaped(authenticator: Authenticator):
    principal = await authenticator.authenticate(raw_payload(claims(act={"sub": "\ud800"})))
    assert principal.auth_json == '{"sub":"\\ud800"}'


# ------------------------------------------------------------------ time


async def test_a_token_lives_five_seconds_longer_than_it_says(
    authenticator: Authenticator, clock: ManualClock
):
    bearer = token(exp=NOW_S + 60)
    clock.set((NOW_S + 65) * 1000 - 1)
    await authenticator.authenticate(bearer)
    clock.set((NOW_S + 65) * 1000)
    assert await refusal(authenticator, bearer) == EXPIRED


@pytest.mark.parametrize("exp", [0, -1, -1e300, NOW_S - 5, 0.5])
async def test_an_old_token_is_expired_the_first_time_it_is_seen(authenticator: Authenticator, exp: float):
    assert await refusal(authenticator, raw_payload(claims(exp=exp))) == EXPIRED


@pytest.mark.parametrize("nbf", [NOW_S + 5, NOW_S, 0, -1, NOW_S + 4.5])
async def test_a_token_may_start_five_seconds_ahead(authenticator: Authenticator, nbf: float):
    await authenticator.authenticate(token(nbf=nbf))


async def test_an_early_token_works_once_its_time_has_come(authenticator: Authenticator, clock: ManualClock):
    bearer = token(nbf=NOW_S + 10)
    assert await refusal(authenticator, bearer) == INVALID
    clock.set((NOW_S + 5) * 1000)
    await authenticator.authenticate(bearer)


async def test_when_it_was_issued_does_not_matter(authenticator: Authenticator):
    await authenticator.authenticate(token(iat=NOW_S + 3600))


# ------------------------------------------------------------------ memory


async def test_a_known_token_is_not_verified_again(authenticator: Authenticator, store: CountingStore):
    bearer = token()
    first = await authenticator.authenticate(bearer)
    assert await authenticator.authenticate(bearer) == first
    assert store.asked == 1


async def test_a_refused_token_is_not_remembered(authenticator: Authenticator, store: CountingStore):
    unknown = mint("sba", b"\3" * 32)
    assert await refusal(authenticator, unknown) == INVALID
    newcomer = sample_newcomer(unknown, "usr_3")
    await store.put_newcomer(newcomer, Member(OTHER_ORG, newcomer.user, Role.OWNER, 0))
    assert (await authenticator.authenticate(unknown)).org == OTHER_ORG


async def test_memory_is_bounded(authenticator: Authenticator, store: CountingStore):
    bearers = [token(act={"sub": str(n)}) for n in range(3)]
    for bearer in bearers:
        await authenticator.authenticate(bearer)
    await authenticator.authenticate(bearers[0])
    assert store.asked == 4


# ------------------------------------------------------------------ speaking for somebody else


def test_an_administrator_may_speak_for_anybody():
    principal = acting(ADMINISTRATOR, b' {"sub": "alice", "x": [1.5, null]} ')
    assert principal == replace(ADMINISTRATOR, auth_json='{"sub":"alice","x":[1.5,null]}')


async def test_an_end_user_may_not_speak_for_somebody_else(authenticator: Authenticator):
    user = await authenticator.authenticate(token())
    with pytest.raises(PermissionDenied, match=ACT_AS) as caught:
        acting(user, b'{"sub":"root"}')
    assert caught.value.reason == "SCOPE_MISSING"


@pytest.mark.parametrize(
    "act_as",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"alice"', id="text"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b'{"a":1}x', id="more than JSON"),
        pytest.param(b"\xff{}", id="no UTF-8"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":-Infinity}', id="Infinity"),
        pytest.param(b'{"a":1e999}', id="overflow"),
        pytest.param(b'{"a":' * 3000 + b"1" + b"}" * 3000, id="deep"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="endless number"),
        pytest.param(b'{"a":"' + b"x" * 16_384 + b'"}', id="too large"),
    ],
)
def test_an_auth_context_is_a_json_object_of_bounded_size(act_as: bytes):
    with pytest.raises(InvalidArgument) as caught:
        acting(ADMINISTRATOR, act_as)
    assert (caught.value.reason, caught.value.metadata) == ("INVALID_JSON", {"field": "auth_context"})


async def test_refusals_never_repeat_the_token(authenticator: Authenticator):
    for bearer in (ADMIN_TOKEN[:-1], token(secret="x" * 49), token(exp=1)):
        with pytest.raises(Unauthenticated) as caught:
            await authenticator.authenticate(bearer)
        assert bearer not in repr(vars(caught.value))
        assert caught.value.__context__ is None or caught.value.__suppress_context__


# ------------------------------------------------------------------ people


async def test_a_person_of_one_organisation_need_not_name_it(authenticator: Authenticator):
    assert await authenticator.authenticate(ADMIN_TOKEN) == ADMINISTRATOR
    assert await authenticator.authenticate(ADMIN_TOKEN, ORG) == ADMINISTRATOR


@pytest.mark.parametrize("org", [OTHER_ORG, "org_absent", "nonsense"])
async def test_an_organisation_that_one_does_not_belong_to_is_as_good_as_absent(
    authenticator: Authenticator, org: str
):
    for bearer in (ADMIN_TOKEN, token()):
        with pytest.raises(PermissionDenied) as caught:
            await authenticator.authenticate(bearer, org)
        assert caught.value.reason == "ORG_NOT_FOUND"
        assert caught.value.message == f"there is no organisation {org!r} that this token is good for"


async def test_a_person_of_several_organisations_names_one(
    authenticator: Authenticator, store: CountingStore
):
    await store.create_invitation(Invitation("inv_1", OTHER_ORG, Role.VIEWER, "", 0, 0), 9, None)
    await store.accept_invitation(
        Invitation("inv_1", OTHER_ORG, Role.VIEWER, "", 0, 0), sample_user("usr_1"), 0, None
    )
    unnamed = await authenticator.authenticate(ADMIN_TOKEN)
    with pytest.raises(InvalidArgument) as caught:
        unnamed.require("state.read")
    assert caught.value.reason == "ORG_NOT_CHOSEN"
    assert (await authenticator.authenticate(ADMIN_TOKEN, ORG)).scopes == ALL
    viewer = await authenticator.authenticate(ADMIN_TOKEN, OTHER_ORG)
    assert (viewer.org, viewer.scopes) == (OTHER_ORG, BY_ROLE[Role.VIEWER])


# ------------------------------------------------------------------ revocation


async def test_what_is_revoked_is_forgotten_at_once(
    store: CountingStore, clock: ManualClock, revocations: Revocations
):
    authenticator = Authenticator(store, SECRETS, clock, revocations)
    mine, other = token(), token(key=OTHER_KEY)
    for bearer in (mine, other, ADMIN_TOKEN):
        await authenticator.authenticate(bearer)
    await store.delete_key(ORG, KEY, None)
    revocations.revoke(KEY)
    asked = store.asked
    await authenticator.authenticate(other)
    await authenticator.authenticate(ADMIN_TOKEN)
    assert store.asked == asked
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(mine)


async def test_a_new_role_counts_at_once(store: CountingStore, clock: ManualClock, revocations: Revocations):
    authenticator = Authenticator(store, SECRETS, clock, revocations)
    await authenticator.authenticate(ADMIN_TOKEN)
    store._access.members[ORG, "usr_1"] = replace(store._access.members[ORG, "usr_1"], role=Role.VIEWER)
    revocations.revoke(place(ORG, "usr_1"))
    assert (await authenticator.authenticate(ADMIN_TOKEN)).scopes == BY_ROLE[Role.VIEWER]


async def test_who_joins_a_second_organisation_has_to_name_one_from_then_on(
    store: CountingStore, clock: ManualClock, revocations: Revocations
):
    authenticator = Authenticator(store, SECRETS, clock, revocations)
    await authenticator.authenticate(ADMIN_TOKEN)
    await store.create_org(sample_org(OrgId("org_3")), sample_user("usr_1"), None, None)
    revocations.revoke("usr_1")
    assert (await authenticator.authenticate(ADMIN_TOKEN)).org == NO_ORG


async def test_a_key_that_is_revoked_while_it_is_looked_up_opens_nothing(
    clock: ManualClock, revocations: Revocations
):
    class Racing(CountingStore):
        """Revokes the key after it has been read, before the reader has it."""

        async def get_key(self, key: str) -> Key | None:
            found = await super().get_key(key)
            if found is not None:
                await self.delete_key(ORG, KEY, None)
                revocations.revoke(KEY)
            return found

    store = Racing(clock)
    await store.create_key(Key(KEY, ORG, "", ("state.read",), 0), 9, None)
    authenticator = Authenticator(store, SECRETS, clock, revocations)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(token())
