"""Where a server may listen without TLS: on this machine, or where its owner says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from stateward_server.config import Settings
from stateward_server.exposure import check_exposure
from stateward_server.model.errors import InvalidArgument

HERE = ["127.0.0.1:0", "127.9.9.9:1", "[::1]:7411", "[::ffff:127.0.0.1]:1", "localhost:7411"]
BEYOND = [
    "0.0.0.0:7411",
    "[::]:0",
    "10.0.0.7:1",
    "192.168.1.1:1",
    "8.8.8.8:1",
    "[fe80::1]:1",
    "[::ffff:10.0.0.7]:1",
]
TLS = {"tls_cert": Path("c"), "tls_key": Path("k")}


@pytest.mark.parametrize("address", HERE)
async def test_this_machine_needs_no_tls(address: str):
    await check_exposure(Settings(Path("d"), grpc=address, http=address))


@pytest.mark.parametrize("key", ["grpc", "http"])
@pytest.mark.parametrize("address", BEYOND)
async def test_beyond_this_machine_plaintext_is_refused_on_either_address(key: str, address: str):
    with pytest.raises(InvalidArgument) as caught:
        await check_exposure(Settings(Path("d"), **{key: address}))  # type: ignore[arg-type]  # a text each
    message = caught.value.message
    assert caught.value.metadata == {"field": key}
    assert f"{key} is {address}" in message
    assert "tls_cert" in message
    assert "allow_plaintext" in message


@pytest.mark.parametrize("address", BEYOND)
@pytest.mark.parametrize("remedy", [TLS, {"allow_plaintext": True}])
async def test_with_tls_or_the_owners_word_it_is_allowed(address: str, remedy: dict[str, object]):
    await check_exposure(Settings(Path("d"), grpc=address, http=address, **remedy))  # type: ignore[arg-type]


async def test_a_host_name_counts_as_all_that_it_resolves_to(monkeypatch: pytest.MonkeyPatch):
    import asyncio

    async def two(_host: str, port: int, **_kind: object) -> object:
        return [(0, 0, 0, "", ("127.0.0.1", port)), (0, 0, 0, "", ("10.0.0.7", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two, raising=False)
    with pytest.raises(InvalidArgument, match="others can reach"):
        await check_exposure(Settings(Path("d"), grpc="both.test:1"))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70])
async def test_a_host_that_is_not_there_is_named(host: str):
    with pytest.raises(InvalidArgument, match="there is no host"):
        await check_exposure(Settings(Path("d"), http=f"{host}:1"))
