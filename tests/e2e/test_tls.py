"""A real server with TLS: who gets in, what a renewed certificate changes, and that plaintext is refused."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from tests.certificates import NAME, Pair, authority, issued
from tests.e2e.kit import DESKS, published
from tests.servers import SECONDS, Server, serving

from stateward import TLS, Client, Profile, RetryPolicy, Unavailable, blocking

pytestmark = pytest.mark.slow

ONCE = RetryPolicy(1)
STATEWARD = Path(sys.executable).with_name("stateward")


@pytest.fixture(scope="module")
def ca() -> Pair:
    return authority()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, ca: Pair) -> Path:
    directory = tmp_path_factory.mktemp("tls")
    (directory / "ca.pem").write_bytes(ca.pem)
    return directory


@pytest.fixture(scope="module")
def server(home: Path, ca: Pair) -> Iterator[Server]:
    certificate, key = issued(ca).write(home)
    with serving(home, settings={"tls_cert": certificate, "tls_key": key}) as server:
        yield server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, ca: Pair) -> Iterator[Server]:
    """A server that asks clients for a certificate; `clients` is their authority."""
    directory = tmp_path_factory.mktemp("mtls")
    (directory / "ca.pem").write_bytes(ca.pem)
    clients = authority("clients")
    issued(clients, "client").write(directory, "client")
    issued(ca, "stranger").write(directory, "stranger")
    (directory / "clients.pem").write_bytes(clients.pem)
    certificate, key = issued(ca).write(directory)
    settings = {"tls_cert": certificate, "tls_key": key, "tls_client_ca": directory / "clients.pem"}
    with serving(directory, settings=settings) as server:
        yield server


def over(server: Server, tls: TLS | bool) -> Client:
    token = server.profile["token"]
    return Client.connect(server.grpc, token=token, tls=tls, retry=ONCE, timeout=float(SECONDS))


async def gets_in(client: Client) -> bool:
    async with client:
        try:
            await client.limits()
        except Unavailable:
            return False
        return True


def health(server: Server, ca: Pair, client: str = "") -> bytes:
    context = ssl.create_default_context(cadata=ca.pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself may be what is trusted
    context.check_hostname = False  # it is called by its address here; its chain is what counts
    directory = server.data.parent
    if client:
        context.load_cert_chain(directory / f"{client}.pem", directory / f"{client}.key")
    with urllib.request.urlopen(f"https://{server.http}/readyz", context=context, timeout=SECONDS) as answer:
        return bytes(answer.read())


def command(server: Server, *options: str) -> subprocess.CompletedProcess[str]:
    words: list[str | Path] = [
        STATEWARD,
        *options,
        "machines",
        "list",
        "--json",
        "--profile",
        server.data / "admin.json",
    ]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)


async def test_the_profile_that_the_server_writes_leads_in(server: Server):
    assert await gets_in(Client.from_profile(server.data / "admin.json"))
    with blocking.Client.from_profile(server.data / "admin.json") as client:
        assert client.limits()
    done = command(server)
    assert "machines" in json.loads(done.stdout), done.stderr


async def test_the_authority_of_the_certificate_leads_in(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
):
    assert await gets_in(over(server, TLS(ca=home / "ca.pem", server_name=NAME)))
    assert await gets_in(over(server, TLS(ca=(home / "ca.pem").read_bytes(), server_name=NAME)))
    monkeypatch.setenv("SSL_CERT_FILE", str(home / "ca.pem"))
    assert await gets_in(over(server, TLS(server_name=NAME)))


async def test_who_does_not_trust_the_server_or_its_name_does_not_talk_to_it(server: Server, home: Path):
    assert not await gets_in(over(server, TLS(ca=authority().pem, server_name=NAME)))
    assert not await gets_in(over(server, TLS(ca=home / "ca.pem", server_name="other.test")))
    assert not await gets_in(over(server, TLS(ca=home / "ca.pem")))
    assert not await gets_in(over(server, tls=True))


async def test_plaintext_finds_nobody(server: Server):
    assert not await gets_in(over(server, tls=False))
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        await asyncio.to_thread(urllib.request.urlopen, f"http://{server.http}/readyz", timeout=SECONDS)


async def test_a_renewed_certificate_is_served_and_an_open_stream_lives_on(
    server: Server, home: Path, ca: Pair
):
    old = issued(ca)
    old.write(home)
    async with over(server, TLS(ca=old.pem, server_name=NAME)) as client:
        desk = await published(client, DESKS["v5"])
        instance = desk.instance("one", auth_context={"sub": "u"})
        await instance.create()
        async with instance.subscribe() as updates, aclosing(aiter(updates)) as seen:
            assert (await anext(seen)).state.revision == 1
            new = issued(ca)
            new.write(home)
            # Pinned to the certificate itself, so that each client tells which one it was shown.
            assert await gets_in(over(server, TLS(ca=new.pem, server_name=NAME)))
            assert not await gets_in(over(server, TLS(ca=old.pem, server_name=NAME)))
            assert b"true" in await asyncio.to_thread(health, server, new)
            with pytest.raises(urllib.error.URLError):
                await asyncio.to_thread(health, server, old)
            await client.machine(desk.name).instance("one", auth_context={"sub": "u"}).send("NOTE")
            assert (await anext(seen)).state.revision == 2


async def test_a_broken_renewal_changes_nothing_and_is_logged(tmp_path: Path, ca: Pair):
    old, new = issued(ca), issued(ca)
    certificate, key = old.write(tmp_path)
    with serving(tmp_path, settings={"tls_cert": certificate, "tls_key": key}) as server:
        certificate.write_bytes(new.pem[:50])
        for _ in range(2):
            assert await gets_in(over(server, TLS(ca=old.pem, server_name=NAME)))
            assert b"true" in await asyncio.to_thread(health, server, old)
        new.write(tmp_path)
        assert await gets_in(over(server, TLS(ca=new.pem, server_name=NAME)))
        server.ask_to_stop()
        assert server.exit_code() == 0
        assert server.log.read_text().count("tls_renewal_refused") == 1


async def test_only_clients_with_a_certificate_of_the_right_authority_get_in(strict: Server, ca: Pair):
    directory = strict.data.parent

    def shown(name: str) -> TLS:
        return TLS(ca.pem, directory / f"{name}.pem", directory / f"{name}.key", NAME)

    assert await gets_in(over(strict, shown("client")))
    assert not await gets_in(over(strict, shown("stranger")))
    assert not await gets_in(over(strict, TLS(ca.pem, server_name=NAME)))
    assert b"true" in await asyncio.to_thread(health, strict, ca, "client")
    for name in ("", "stranger"):
        with pytest.raises((urllib.error.URLError, ConnectionError, ssl.SSLError)):
            await asyncio.to_thread(health, strict, ca, name)


def test_the_command_shows_a_certificate_where_it_is_told_to(strict: Server):
    client = strict.data.parent / "client.pem"
    shown = command(strict, "--client-cert", str(client), "--client-key", str(client.with_suffix(".key")))
    assert "machines" in json.loads(shown.stdout), shown.stderr


def refused(home: Path, *options: str) -> str:
    words: list[str | Path] = [STATEWARD, "serve", "--data", home / "data", *options]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode in {1, 2}, done.stdout
    assert "Traceback" not in done.stderr
    assert not (home / "data").exists(), "refused before anything is made"
    return done.stderr


def test_a_server_that_others_could_hear_refuses_to_start(tmp_path: Path):
    message = refused(tmp_path, "--grpc", "0.0.0.0:0")
    assert "--tls-cert" in message or "tls_cert" in message
    assert "allow_plaintext" in message


def test_a_server_without_its_key_refuses_to_start(tmp_path: Path, ca: Pair):
    certificate, key = issued(ca).write(tmp_path)
    key.write_bytes(issued(ca).key_pem())
    assert "not the key" in refused(tmp_path, "--tls-cert", str(certificate), "--tls-key", str(key))


async def test_the_owner_may_allow_plaintext(tmp_path: Path):
    server = Server(tmp_path, settings={"allow_plaintext": "true"})
    server.grpc = server.grpc.replace("127.0.0.1", "0.0.0.0")
    try:
        server.start()
        profile = Profile.read(server.data / "admin.json")
        assert profile.allow_plaintext
        assert profile.target == server.grpc.replace("0.0.0.0", "127.0.0.1")
        assert await gets_in(Client.from_profile(server.data / "admin.json"))
    finally:
        server.close()
