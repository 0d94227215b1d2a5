"""What may travel unencrypted, and what a client knows of certificates before it connects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.fakes import got

from stateward import TLS, Client, Profile, RetryPolicy, blocking
from stateward._tls import stays_here

HERE = [
    "127.0.0.1:7411", "127.0.0.1", "localhost:7411", "localhost", "a.localhost:1", "[::1]:7411",
    "unix:/run/s", "unix-abstract:s", "dns:///localhost:1", "dns:localhost:1", "ipv4:127.0.0.1:1",
    "ipv6:[::1]:1", "ipv4:127.0.0.1:1,127.0.0.2:1",
]  # fmt: skip
BEYOND = [
    "0.0.0.0:7411", "10.0.0.7:1", "example.com:443", "localhost.example.com:1", "127.0.0.1.example.com:1",
    "[::]:1", "dns://evil/localhost:1", "dns:///example.com:1", "ipv4:127.0.0.1:1,10.0.0.7:1",
    "xds:///localhost", "", "notlocalhost:1", "example.com:1,localhost:1",
]  # fmt: skip


@pytest.mark.parametrize("target", HERE)
def test_these_targets_stay_on_this_machine(target: str) -> None:
    assert stays_here(target)
    Client.connect(target, token="t")


@pytest.mark.parametrize("target", BEYOND)
def test_a_token_does_not_leave_this_machine_unencrypted_unless_told_so(target: str) -> None:
    with pytest.raises(ValueError, match="would travel unencrypted") as caught:
        Client.connect(target, token="sba_secret")
    assert "allow_plaintext" in str(caught.value)
    assert "sba_secret" not in str(caught.value)
    Client.connect(target, token="t", allow_plaintext=True)
    Client.connect(target, token="t", tls=True)
    Client.connect(target)


def test_the_blocking_client_is_as_careful() -> None:
    with pytest.raises(ValueError, match="would travel unencrypted"):
        blocking.Client.connect("example.com:1", token="t")
    blocking.Client.connect("example.com:1", token="t", allow_plaintext=True).close()


def test_half_a_client_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match="certificate and key"):
        TLS(certificate="c.pem")


def test_a_file_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Client.connect("example.com:1", tls=TLS(ca=tmp_path / "none.pem"))


def test_no_key_is_shown() -> None:
    assert "BEGIN" not in repr(TLS(certificate=b"BEGIN c", key=b"BEGIN k"))
    assert "sba_secret" not in repr(Profile("a:1", "sba_secret"))


def written(directory: Path, **members: object) -> Path:
    path = directory / "profile.json"
    path.write_text(json.dumps({"grpc": "example.com:1", "token": "t", **members}))
    return path


def test_a_profile_says_how_to_encrypt(tmp_path: Path) -> None:
    path = written(tmp_path, tls={"ca": "ca.pem", "certificate": "c", "key": "/k", "server_name": "n"})
    tls = TLS(ca=tmp_path / "ca.pem", certificate=tmp_path / "c", key=Path("/k"), server_name="n")
    assert Profile.read(path) == Profile("example.com:1", "t", tls)
    assert Profile.read(written(tmp_path, tls={})).tls == TLS()
    Client.from_profile(path := written(tmp_path, tls={}))


def test_a_profile_may_allow_plaintext(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="would travel unencrypted"):
        Client.from_profile(written(tmp_path))
    Client.from_profile(written(tmp_path, allow_plaintext=True))


@pytest.mark.parametrize(
    "members",
    [
        {"tls": True}, {"tls": {"ca": 1}}, {"tls": {"cert": "x"}}, {"tls": {"ca": ""}}, {"tls": {"key": "k"}},
        {"allow_plaintext": "yes"}, {"allow_plaintext": None},
    ],
)  # fmt: skip
def test_a_profile_with_nonsense_about_tls_is_refused(tmp_path: Path, members: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is not a profile"):
        Profile.read(written(tmp_path, **members))


async def test_no_proxy_gets_what_stays_on_this_machine(server, monkeypatch) -> None:
    for variable in ("grpc_proxy", "http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    server.will("GetInstance", got())
    async with Client.connect(server.target, token="t", retry=RetryPolicy(1)) as client:
        await client.machine("toggle").instance("s1").get()
