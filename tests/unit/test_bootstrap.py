"""The data directory: made once, private, and healed when its profile is lost, spoilt or of another store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stateward_server.auth.authenticator import Authenticator
from stateward_server.auth.revocations import Revocations
from stateward_server.auth.scopes import ALL, PRODUCTION
from stateward_server.auth.secrets import Secrets, token_digest
from stateward_server.bootstrap import Administrator, WayIn, ensure_administrator, prepare, write_profile
from stateward_server.model.names import OrgId
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy


class Start:
    """What one start of a server does in a data directory."""

    def __init__(self, data: Path, store: MemoryStore | None = None) -> None:
        self.data = data
        self.clock, self.entropy = ManualClock(), SeededEntropy()
        self.store = store or MemoryStore(clock=self.clock, entropy=self.entropy)

    async def run(self) -> Administrator:
        self.secrets = prepare(self.data, self.entropy)
        administrator = await ensure_administrator(
            self.data, self.store, self.secrets, self.clock, self.entropy
        )
        write_profile(self.data, administrator, WayIn("127.0.0.1:1", "127.0.0.1:2"))
        return administrator

    async def scopes(self, token: str) -> frozenset[str]:
        authenticator = Authenticator(self.store, self.secrets, self.clock, Revocations())
        return (await authenticator.authenticate(token)).scopes


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return Start(tmp_path / "a" / "data")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_the_first_start_makes_an_organisation_with_an_administrator(start: Start):
    administrator = await start.run()
    assert [org.id for org in await start.store.list_orgs("", 9)] == [administrator.org]
    assert await start.scopes(administrator.token) == ALL


async def test_the_first_start_makes_a_key_for_end_users(start: Start):
    administrator = await start.run()
    key = await start.store.get_key(administrator.key_id)
    assert key is not None
    assert (key.org, key.scopes) == (administrator.org, tuple(sorted(PRODUCTION)))
    assert administrator.key_secret == start.secrets.signing_secret(administrator.key_id)


async def test_everything_is_for_its_owner_only(start: Start):
    await start.run()
    assert mode(start.data) == 0o700
    assert {path.name: mode(path) for path in start.data.iterdir()} == {
        "server.key": 0o600,
        "admin.json": 0o600,
    }


async def test_the_store_never_sees_a_secret(start: Start):
    administrator = await start.run()
    kept = repr(start.store._tables) + repr(start.store._access)
    assert administrator.token not in kept
    assert administrator.key_secret not in kept


async def test_a_profile_has_all_that_a_client_needs(start: Start):
    administrator = await start.run()
    assert json.loads((start.data / "admin.json").read_text()) == {
        "grpc": "127.0.0.1:1",
        "http": "127.0.0.1:2",
        "org": administrator.org,
        "token": administrator.token,
        "key_id": administrator.key_id,
        "key_secret": administrator.key_secret,
    }


async def test_a_second_start_keeps_key_and_token_and_renews_the_addresses(start: Start):
    first = await start.run()
    key = (start.data / "server.key").read_bytes()
    second = Start(start.data, start.store)
    second.entropy = SeededEntropy(1)
    assert await second.run() == first
    assert (start.data / "server.key").read_bytes() == key
    write_profile(start.data, first, WayIn("127.0.0.1:3", "127.0.0.1:4"))
    assert json.loads((start.data / "admin.json").read_text())["grpc"] == "127.0.0.1:3"
    assert mode(start.data / "admin.json") == 0o600


async def test_a_profile_leads_to_this_machine_over_tls_or_as_allowed(start: Start, tmp_path: Path):
    administrator = await start.run()
    ca = tmp_path / "server.pem"
    write_profile(start.data, administrator, WayIn("0.0.0.0:1", "[::]:2", ca=ca, server_name="a.test"))
    profile = json.loads((start.data / "admin.json").read_text())
    assert (profile["grpc"], profile["http"]) == ("127.0.0.1:1", "[::1]:2")
    assert profile["tls"] == {"ca": str(ca), "server_name": "a.test"}
    assert "allow_plaintext" not in profile
    write_profile(start.data, administrator, WayIn("10.0.0.7:1", "10.0.0.7:2", allow_plaintext=True))
    profile = json.loads((start.data / "admin.json").read_text())
    assert (profile["grpc"], profile["allow_plaintext"]) == ("10.0.0.7:1", True)
    assert "tls" not in profile


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"grpc": "127.0.0.1:1", "tok', id="half-written"),
        pytest.param(b"[]", id="not an object"),
        pytest.param(b"\xff", id="not text"),
        pytest.param(b'{"token": "sba_x"}', id="incomplete"),
        pytest.param(b'{"org":1,"token":2,"key_id":3,"key_secret":4}', id="of the wrong types"),
        pytest.param(b'{"org":"o","token":"t","key_id":"k","key_secret":"s"}', id="of another store"),
    ],
)
async def test_a_lost_or_spoilt_profile_is_made_anew(start: Start, content: bytes | None):
    first = await start.run()
    path = start.data / "admin.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    again = await start.run()
    assert again.org == first.org
    assert again.token != first.token
    assert await start.scopes(again.token) == ALL
    assert json.loads(path.read_text())["token"] == again.token


async def test_a_profile_left_by_a_lost_store_is_not_believed(start: Start):
    first = await start.run()
    later = Start(start.data)
    later.entropy = SeededEntropy(1)
    again = await later.run()
    assert again.org != first.org
    assert await later.scopes(again.token) == ALL


async def test_the_secret_in_the_profile_follows_the_server_key(start: Start):
    first = await start.run()
    (start.data / "server.key").write_bytes(b"\7" * 32)
    again = await start.run()
    assert (again.token, again.key_id) == (first.token, first.key_id)
    assert again.key_secret == Secrets(b"\7" * 32).signing_secret(first.key_id)


async def test_leftovers_of_a_start_that_was_cut_short_do_no_harm(start: Start):
    start.data.mkdir(parents=True)
    for name in ("server.key.new", "admin.json.new"):
        (start.data / name).write_bytes(b"half")
        (start.data / name).chmod(0o644)
    await start.run()
    assert sorted(path.name for path in start.data.iterdir()) == ["admin.json", "server.key"]
    assert mode(start.data / "admin.json") == 0o600


@pytest.mark.parametrize("content", [b"", b"x" * 31])
async def test_a_spoilt_server_key_is_not_replaced_but_named(start: Start, content: bytes):
    """A new one would silently make every token of every end user worthless."""
    start.data.mkdir(parents=True)
    (start.data / "server.key").write_bytes(content)
    with pytest.raises(OSError, match=r"server\.key"):
        await start.run()
    assert (start.data / "server.key").read_bytes() == content


def test_a_file_in_the_place_of_the_directory_is_an_error(tmp_path: Path):
    (tmp_path / "data").write_text("")
    with pytest.raises(OSError, match="data"):
        prepare(tmp_path / "data", SeededEntropy())


async def test_a_new_credential_is_stored_as_a_digest(start: Start):
    administrator = await start.run()
    found = await start.store.find_token(token_digest(administrator.token))
    assert found is not None
    assert await start.store.get_member(OrgId(administrator.org), found[1].id) is not None
