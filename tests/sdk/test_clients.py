from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from tests.sdk.fakes import got, machine

from stateward import Client, Unavailable, tokens
from stateward.v1 import machine_service_pb2

CONTEXT = "stateward-auth-context-bin"


async def test_the_token_travels_as_a_bearer(server, instance) -> None:
    server.will("GetInstance", got())
    await instance.get()
    assert server.received[0].metadata["authorization"] == "Bearer the-token"
    assert CONTEXT not in server.received[0].metadata


async def test_without_a_token_nothing_is_said(server) -> None:
    server.will("GetInstance", got())
    async with Client.connect(server.target) as client:
        await client.machine("toggle").instance("s1").get()
    assert "authorization" not in server.received[0].metadata


async def test_an_administrator_acts_for_somebody(server, client) -> None:
    server.will("GetInstance", got(), got(), got())
    toggle = client.machine("toggle")
    await toggle.instance("s1", auth_context={"sid": "Ä"}).get()
    other = client.acting_as({"sub": "x"})
    await other.machine("toggle").instance("s1").get()
    await other.acting_as(None).machine("toggle").instance("s1").get()
    first, second, third = (received.metadata for received in server.received)
    assert first[CONTEXT] == '{"sid":"Ä"}'.encode()
    assert second[CONTEXT] == b'{"sub":"x"}'
    assert CONTEXT not in third


async def test_closing_a_derived_client_leaves_the_connection(server, client, instance) -> None:
    server.will("GetInstance", got())
    async with client.acting_as({"sub": "x"}):
        pass
    await instance.get()


def test_an_auth_context_is_checked_at_once(client, machine) -> None:
    with pytest.raises(TypeError, match=r"auth_context\.a: set is not a JSON type"):
        client.acting_as({"a": {1}})
    with pytest.raises(TypeError, match="auth_context must be a JSON object"):
        machine.instance("s1", auth_context="me")


async def test_a_client_may_be_awaited(server) -> None:
    server.will("GetMachine", machine_service_pb2.GetMachineResponse(machine=machine()))
    client = await Client.connect(server.target)
    assert (await client.machine("toggle").get()).name == "toggle"
    await client.aclose()
    await client.aclose()


def test_connecting_needs_no_loop_and_no_server() -> None:
    assert repr(Client.connect("127.0.0.1:1").machine("toggle").instance("a")) == "<Instance toggle/a>"


async def test_a_client_in_another_loop_says_whose_it_is(server, instance) -> None:
    server.will("GetInstance", got())
    await instance.get()

    with pytest.raises(RuntimeError, match=r"another event loop.*stateward\.blocking"):
        await asyncio.to_thread(lambda: asyncio.run(instance.get()))

    assert len(server.received) == 1


async def test_encryption_does_not_talk_to_a_plain_server(server, retry) -> None:
    async with Client.connect(server.target, tls=True, retry=retry) as client:
        with pytest.raises(Unavailable, match="is not available"):
            await client.machine("toggle").get()
    assert not server.received


async def test_a_profile_names_server_and_token(server, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({"grpc": server.target, "http": "http://x", "org": "org_1", "token": "abc"}))
    monkeypatch.setenv("STATEWARD_PROFILE", str(path))
    server.will("GetInstance", got(), got())
    for client in (Client.from_profile(), Client.from_profile(path)):
        async with client:
            await client.machine("toggle").instance("s1").get()
    assert [received.metadata["authorization"] for received in server.received] == ["Bearer abc"] * 2


async def test_a_profile_may_name_the_organisation(server, tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({"grpc": server.target, "org": "org_1"}))
    server.will("GetInstance", got())
    async with Client.from_profile(path) as client:
        await client.machine("toggle").instance("s1").get()
    assert server.received[0].metadata["stateward-org"] == "org_1"


async def test_a_profile_may_lack_a_token(server, tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({"grpc": server.target}))
    server.will("GetInstance", got())
    async with Client.from_profile(path) as client:
        await client.machine("toggle").instance("s1").get()


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"grpc":1}', '{"grpc":"a:1","token":2}', '{"grpc":"a:1","org":""}']
)
def test_what_is_no_profile_is_refused(tmp_path: Path, text) -> None:
    path = tmp_path / "profile.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="is not a profile"):
        Client.from_profile(path)


def test_no_profile_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("STATEWARD_PROFILE", raising=False)
    with pytest.raises(ValueError, match="set STATEWARD_PROFILE"):
        Client.from_profile()
    with pytest.raises(FileNotFoundError):
        Client.from_profile(tmp_path / "none.json")


KEY_ID = "sbk_abcdefghijklmnopqrstuv"
SECRET = "sbsec_0123456789012345678901234567890123456789012"


def test_a_token_is_what_the_server_expects() -> None:
    token = tokens.sign(KEY_ID, SECRET, {"sub": "user-1"}, expires_in=60)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "kid": KEY_ID, "typ": "JWT"}
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="https://api.statebacked.dev/")
    assert claims["act"] == {"sub": "user-1"}
    assert claims["exp"] - claims["iat"] == 60
    assert claims["iss"] == f"https://{KEY_ID}.client.statebacked.dev/"


def test_an_issuer_may_be_chosen() -> None:
    token = tokens.sign(KEY_ID, SECRET, {}, issuer="https://me/")
    assert jwt.decode(token, options={"verify_signature": False})["iss"] == "https://me/"


@pytest.mark.parametrize(
    ("claims", "expires_in", "error"),
    [
        ({"a": {1}}, 60, TypeError),
        ({"a": float("nan")}, 60, ValueError),
        ({}, 0, ValueError),
        ({}, -1, ValueError),
    ],
)
def test_a_wrong_token_is_not_signed(claims: Any, expires_in, error) -> None:
    with pytest.raises(error):
        tokens.sign(KEY_ID, SECRET, claims, expires_in=expires_in)
