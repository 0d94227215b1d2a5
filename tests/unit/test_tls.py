"""The server's certificate: what is refused at start and why, and what replaces it while the server runs."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from structlog.testing import capture_logs
from tests.certificates import NAME, Pair, authority, edwards, issued

from stateward_server.model.errors import InvalidArgument
from stateward_server.system import SystemClock
from stateward_server.tls import Certificates, Files

CA = authority()
ONE, TWO = issued(CA), issued(CA)


def kept(directory: Path, pair: Pair = ONE) -> Files:
    return Files(*pair.write(directory))


def test_a_certificate_is_served_as_it_is_on_disk(tmp_path: Path):
    served = Certificates(kept(tmp_path), SystemClock()).current()
    assert (served.chain, served.key, served.client_ca, served.name) == (ONE.pem, ONE.key_pem(), None, NAME)


@pytest.mark.parametrize(
    ("names", "name"),
    [
        ([x509.IPAddress(ip_address("10.0.0.7"))], "10.0.0.7"),
        ([x509.IPAddress(ip_address("::1")), x509.DNSName("b.test")], "b.test"),
        ([x509.DNSName("*.b.test")], "stateward.b.test"),
    ],
)
def test_its_name_is_one_that_a_client_may_check(tmp_path: Path, names: list[x509.GeneralName], name: str):
    assert Certificates(kept(tmp_path, issued(CA, names=names)), SystemClock()).current().name == name


def without(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).unlink()


def with_(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda directory: void((directory / name).write_bytes(content))


def void(_: object) -> None:
    return


def with_pair(make: Callable[[], Pair]) -> Callable[[Path], None]:
    return lambda directory: void(make().write(directory))


SPOILT = [
    (without("server.pem"), "tls_cert", "cannot be read: No such file"),
    (without("server.key"), "tls_key", "cannot be read: No such file"),
    (without("clients.pem"), "tls_client_ca", "cannot be read: No such file"),
    (with_("server.pem", b""), "tls_cert", "no certificates in PEM"),
    (with_("server.pem", ONE.key_pem()), "tls_cert", "no certificates in PEM"),
    (with_("server.pem", ONE.pem[:-90]), "tls_cert", "no certificates in PEM"),
    (with_("server.key", b"\xff\x00"), "tls_key", "no private key in PEM"),
    (with_("server.key", ONE.pem), "tls_key", "no private key in PEM"),
    (with_("server.key", ONE.key_pem(b"secret")), "tls_key", "is encrypted"),
    (with_("server.key", TWO.key_pem()), "tls_key", "not the key of the certificate in tls_cert"),
    (with_("clients.pem", b"nothing"), "tls_client_ca", "no certificates in PEM"),
    (with_pair(lambda: issued(CA, days=-1)), "tls_cert", "expired at 20"),
    (with_pair(lambda: issued(CA, names=[])), "tls_cert", "names no host"),
    (with_pair(lambda: issued(CA, key=edwards())), "tls_key", "must be an RSA key, or an ECDSA key"),
]


@pytest.mark.parametrize(("spoil", "setting", "complaint"), SPOILT, ids=[each[2][:30] for each in SPOILT])
def test_what_cannot_be_served_is_named_with_its_setting_and_file(
    tmp_path: Path, spoil: Callable[[Path], None], setting: str, complaint: str
):
    files = Files(*ONE.write(tmp_path), tmp_path / "clients.pem")
    (tmp_path / "clients.pem").write_bytes(CA.pem)
    Certificates(files, SystemClock())
    spoil(tmp_path)
    with pytest.raises(InvalidArgument, match=complaint) as caught:
        Certificates(files, SystemClock())
    assert caught.value.message.startswith(f"{setting}: {tmp_path}")
    assert caught.value.metadata == {"field": setting}


def test_a_renewed_certificate_is_served_and_an_unchanged_one_is_not_read_again(tmp_path: Path):
    certificates = Certificates(kept(tmp_path), SystemClock())
    first = certificates.current()
    assert certificates.current() is first
    with capture_logs() as logs:
        TWO.write(tmp_path)
        assert certificates.current().chain == TWO.pem
    assert [line["event"] for line in logs] == ["tls_renewed"]


def test_a_broken_renewal_keeps_the_old_certificate_and_is_logged_once(tmp_path: Path):
    files = kept(tmp_path)
    certificates = Certificates(files, SystemClock())
    with capture_logs() as logs:
        files.certificate.write_bytes(TWO.pem)  # and its key is still to come
        assert [certificates.current().chain for _ in range(3)] == [ONE.pem] * 3
        [line] = logs
        assert (line["event"], line["log_level"]) == ("tls_renewal_refused", "error")
        assert "not the key" in line["error"]
        files.key.write_bytes(TWO.key_pem())
        assert certificates.current().chain == TWO.pem


def test_a_certificate_that_vanishes_is_served_on(tmp_path: Path):
    files = kept(tmp_path)
    certificates = Certificates(files, SystemClock())
    files.certificate.unlink()
    assert certificates.current().chain == ONE.pem


@pytest.mark.parametrize(("mode", "warnings"), [(0o600, 0), (0o640, 0), (0o644, 1)])
def test_a_key_that_everyone_may_read_is_warned_of(tmp_path: Path, mode: int, warnings: int):
    files = kept(tmp_path)
    files.key.chmod(mode)
    with capture_logs() as logs:
        Certificates(files, SystemClock())
    assert [line["event"] for line in logs] == ["tls_key_readable_by_everyone"] * warnings


def shaken(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Any:
    """Let both sides talk in memory until the client has read a byte, and return the client's side."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    from_server, from_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, from_client, server_hostname=NAME, session=session)
    there = server.wrap_bio(to_server, from_server, server_side=True)
    shaking = [here, there]
    while shaking:
        for side in tuple(shaking):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
                shaking.remove(side)
            to_server.write(from_client.read())
            to_client.write(from_server.read())
    there.write(b"x")
    to_client.write(from_server.read())
    assert here.read(1) == b"x"
    return here


def test_a_client_whose_authority_was_taken_away_is_refused_also_with_an_old_session(tmp_path: Path):
    ours, others = authority("ours"), authority("others")
    files = Files(*ONE.write(tmp_path), tmp_path / "clients.pem")
    (tmp_path / "clients.pem").write_bytes(ours.pem)
    listening = Certificates(files, SystemClock()).context()
    client = ssl.create_default_context(cadata=CA.pem.decode())
    client.load_cert_chain(*issued(ours, "client").write(tmp_path, "client"))
    session = shaken(listening, client).session
    (tmp_path / "clients.pem").write_bytes(others.pem)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        shaken(listening, client, session)


@pytest.mark.parametrize("asks", [True, False])
def test_sessions_that_would_skip_the_certificate_are_not_offered(tmp_path: Path, asks: bool):
    (tmp_path / "clients.pem").write_bytes(CA.pem)
    files = Files(*ONE.write(tmp_path), tmp_path / "clients.pem" if asks else None)
    context = Certificates(files, SystemClock()).context()
    old = ssl.create_default_context(cadata=CA.pem.decode())
    old.load_cert_chain(*issued(CA, "client").write(tmp_path, "client"))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    if asks:
        with pytest.raises(ssl.SSLError, match="PROTOCOL"):
            shaken(context, old)
    else:
        assert shaken(context, old).version() == "TLSv1.2"
