"""Against real sockets: what is fetched, what is refused, and that hostile servers are left in time."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.servers import held
from tests.unit.fetch.kit import Server, Writer, reply, serving

from stateward_server.fetch.https import MAX_BODY, HttpsFetch
from stateward_server.ports.fetch import Document, FetchFailed


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as served:
        yield served


def at(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


async def test_a_document_comes_with_how_long_it_may_be_kept(server):
    server.serve = reply(
        b'HTTP/1.1 200 OK\r\nCache-Control: public, max-age=300\r\ncontent-length: 11\r\n\r\n{"keys":[]}'
    )
    got = await HttpsFetch(allow_private=True).fetch(f"http://127.0.0.1:{server.port}/jwks?v=1")
    assert got == Document(b'{"keys":[]}', 300)
    request = server.requests[0].lower()
    assert request.startswith(b"get /jwks?v=1 http/1.1\r\n")
    assert f"host: 127.0.0.1:{server.port}".encode() in request
    assert b"authorization" not in request


@pytest.mark.parametrize(
    ("control", "age"),
    [
        ("max-age=0", 0),
        ("no-store, max-age=60", 0),
        ("NO-CACHE", 0),
        ("s-maxage=9", None),
        ("private", None),
        ('max-age="60"', 60),
        ("max-age=x", None),
    ],
)
async def test_cache_control(server, control, age):
    server.serve = reply(f"HTTP/1.1 200 OK\r\ncache-control: {control}\r\ncontent-length: 0\r\n\r\n".encode())
    got = await HttpsFetch(allow_private=True).fetch(f"http://127.0.0.1:{server.port}/")
    assert got == Document(b"", age)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            b"HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n",
            "redirects are not followed",
        ),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "answered 404"),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", "answered 500"),
        (b"nonsense\r\n\r\n", "RemoteProtocolError"),
        (b"", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY + 1), f"more than {MAX_BODY}"),
    ],
)
async def test_what_is_not_a_whole_small_document_fails(server, answer, why):
    server.serve = reply(answer)
    with pytest.raises(FetchFailed, match=why):
        await HttpsFetch(allow_private=True).fetch(f"http://127.0.0.1:{server.port}/")
    assert len(server.requests) == 1


async def test_an_endless_document_is_cut_off_while_it_is_read(server):
    sent = 0

    async def endless(_request: bytes, writer: Writer) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 100 * MAX_BODY:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    server.serve = endless
    with pytest.raises(FetchFailed, match="more than"):
        await HttpsFetch(allow_private=True).fetch(f"http://127.0.0.1:{server.port}/")
    assert sent < 100 * MAX_BODY


async def test_a_server_that_drips_is_left_at_the_deadline(server):
    async def drip(_request: bytes, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.serve = drip
    with pytest.raises(FetchFailed, match=r"no complete answer within 0\.1 s"):
        await HttpsFetch(allow_private=True, deadline_s=0.1).fetch(f"http://127.0.0.1:{server.port}/")


async def test_name_servers_count_towards_the_deadline():
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(FetchFailed, match="no complete answer"):
        await HttpsFetch(resolve=never, deadline_s=0.05).fetch("https://issuer.example/")


async def test_nobody_listening():
    with held() as place:
        port = place.getsockname()[1]
        with pytest.raises(FetchFailed, match="ConnectError"):
            await HttpsFetch(allow_private=True).fetch(f"http://127.0.0.1:{port}/")


async def test_no_such_name():
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(FetchFailed, match="no such name"):
        await HttpsFetch(resolve=unknown).fetch("https://issuer.example/")
    with pytest.raises(FetchFailed, match="has no address"):
        await HttpsFetch(resolve=at()).fetch("https://issuer.example/")
    with pytest.raises(FetchFailed, match="UnicodeError"):
        await HttpsFetch().fetch(f"https://{'a' * 64}.example/")


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/",
        "ftp://issuer.example/",
        "file:///etc/passwd",
        "issuer.example",
        "//issuer.example/",
        "",
        "https://",
        "https:///path",
        "https://user@issuer.example/",
        "https://user:word@issuer.example/",
        "https://issuer.example/#part",
        "https://issuer.example/\r\nx: y",
        "https://issuer.example/ x",
        "https://issuer.exämple/",
        "https://issuer.example:99999/",
        "https://issuer.example:x/",
        "https://[::1/",
        "https://good.example\\@127.0.0.1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://issuer.example/" + "x" * 2_048,
    ],
)
async def test_addresses_that_are_never_fetched(url):
    fetch = HttpsFetch(resolve=at("93.184.215.14"))
    assert fetch.objection(url)
    with pytest.raises(FetchFailed, match=r"it must|it is not|at most"):
        await fetch.fetch(url)


def test_addresses_that_may_be_fetched():
    assert HttpsFetch().objection("https://issuer.example:8443/.well-known/jwks.json?a=b") is None
    assert HttpsFetch(allow_private=True).objection("http://127.0.0.1/") is None


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["93.184.215.14", "127.0.0.1"],
    ],
)
async def test_a_name_with_a_private_address_is_not_connected_to(server, addresses):
    fetch = HttpsFetch(resolve=at(*addresses))
    with pytest.raises(FetchFailed, match="private or reserved"):
        await fetch.fetch(f"https://issuer.example:{server.port}/")
    assert server.requests == []


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1"])
async def test_other_ways_to_write_a_private_address_are_resolved_and_refused(server, host):
    with pytest.raises(FetchFailed, match=r"private or reserved|gaierror"):
        await HttpsFetch().fetch(f"https://{host}:{server.port}/")
    assert server.requests == []


async def test_the_checked_address_is_the_one_connected_to(server):
    """A name server that answers otherwise the second time is not asked a second time."""
    answers = [["127.0.0.1"]]

    async def once(host: str, port: int) -> list[str]:
        assert (host, port) == ("rebinding.example", server.port)
        return answers.pop()

    await HttpsFetch(allow_private=True, resolve=once).fetch(f"http://rebinding.example:{server.port}/")
    assert answers == []
    assert f"host: rebinding.example:{server.port}".encode() in server.requests[0].lower()


async def test_the_next_address_is_tried_when_one_does_not_answer(server):
    fetch = HttpsFetch(allow_private=True, resolve=at("127.0.0.2", "127.0.0.1"))
    assert await fetch.fetch(f"http://issuer.example:{server.port}/") == Document(b"{}", None)


async def test_the_proxies_of_the_environment_are_not_used(server, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    await HttpsFetch(allow_private=True).fetch(f"http://127.0.0.1:{server.port}/")
    assert len(server.requests) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A key and a certificate for the host issuer.example alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer.example")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("issuer.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path: Path = tmp_path_factory.mktemp("tls") / "issuer.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
async def tls_server(certificate: Path) -> AsyncIterator[Server]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with serving(context) as served:
        yield served


async def test_tls_is_verified_against_the_name_not_the_address(tls_server, certificate):
    trusting = ssl.create_default_context(cafile=str(certificate))
    local = at("127.0.0.1")
    fetch = HttpsFetch(allow_private=True, tls=trusting, resolve=local)
    assert await fetch.fetch(f"https://issuer.example:{tls_server.port}/") == Document(b"{}", None)
    with pytest.raises(FetchFailed, match="Hostname mismatch"):
        await fetch.fetch(f"https://other.example:{tls_server.port}/")
    with pytest.raises(FetchFailed, match="IP address mismatch"):
        await fetch.fetch(f"https://127.0.0.1:{tls_server.port}/")
    with pytest.raises(FetchFailed, match="self-signed"):
        await HttpsFetch(allow_private=True, resolve=local).fetch(
            f"https://issuer.example:{tls_server.port}/"
        )
    assert len(tls_server.requests) == 1
