"""The server's certificate: PEM files that are checked, and read again when they have changed on disk.

`Certificates.current` is asked at every new connection, from any thread. A renewed certificate is served from
then on, and connections that are open keep theirs. What cannot be served never replaces what can: a broken
renewal is logged once, and the old certificate stays.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from stateward_server.model.errors import InvalidArgument
from stateward_server.ports.clock import Clock

log = structlog.get_logger()

_CURVES = frozenset({"secp256r1", "secp384r1"})
_OTHERS_READ = 0o004


@dataclass(frozen=True, slots=True)
class Files:
    """Where the PEM is. Beside the certificate is what leads from it to its authority."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    """The authorities of clients; None asks clients for no certificate."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one connection is served with."""

    chain: bytes
    key: bytes
    client_ca: bytes | None
    name: str
    """A host name or address that it is valid for."""
    context: ssl.SSLContext


class Certificates:
    """The newest certificate that could be read from its files."""

    def __init__(self, files: Files, clock: Clock) -> None:
        """Raises InvalidArgument (INVALID_FIELD), which names a setting and what is wrong with its file."""
        self.files = files
        self._clock = clock
        self._lock = Lock()
        self._stamps = self._stat()
        self._current = _read(files, clock.now_ms())
        if files.key.stat().st_mode & _OTHERS_READ:
            log.warning("tls_key_readable_by_everyone", path=str(files.key))

    def current(self) -> Certificate:
        """Return the certificate for a new connection."""
        with self._lock:
            stamps = self._stat()
            if stamps != self._stamps:
                self._stamps = stamps
                self._renew()
            return self._current

    def context(self) -> ssl.SSLContext:
        """Return a context for a listening socket, whose connections each get the newest certificate."""

        def swap(connection: ssl.SSLObject | ssl.SSLSocket, _name: object, _context: object) -> None:
            connection.context = self.current().context

        context = self.current().context
        context.sni_callback = swap
        return context

    def _renew(self) -> None:
        try:
            self._current = _read(self.files, self._clock.now_ms())
        except InvalidArgument as error:
            log.error("tls_renewal_refused", error=error.message)
        else:
            log.info("tls_renewed", name=self._current.name)

    def _stat(self) -> Sequence[tuple[int, ...]]:
        files = self.files
        return [_stamp(path) for path in (files.certificate, files.key, files.client_ca) if path is not None]


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what differs when a file is replaced or written; nothing for one that is not there."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read(files: Files, now_ms: int) -> Certificate:
    chain, leaf = _chain("tls_cert", files.certificate)
    name = _name(files.certificate, leaf)
    if leaf.not_valid_after_utc.timestamp() * 1000 <= now_ms:
        raise _wrong(
            "tls_cert", files.certificate, f"expired at {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        )
    key = _key(files.key, leaf)
    client_ca = None if files.client_ca is None else _chain("tls_client_ca", files.client_ca)[0]
    return Certificate(chain, key, client_ca, name, _context(files))


def _chain(setting: str, path: Path) -> tuple[bytes, x509.Certificate]:
    """Return the bytes of a file of certificates, and the first of these."""
    pem = _bytes(setting, path)
    try:
        return pem, x509.load_pem_x509_certificates(pem)[0]
    except ValueError:
        raise _wrong(setting, path, "holds no certificates in PEM") from None


def _key(path: Path, leaf: x509.Certificate) -> bytes:
    pem = _bytes("tls_key", path)
    try:
        key = load_pem_private_key(pem, None)
    except TypeError:
        raise _wrong("tls_key", path, "is encrypted: give the server a key without a passphrase") from None
    except ValueError:
        raise _wrong("tls_key", path, "holds no private key in PEM") from None
    except UnsupportedAlgorithm:
        raise _wrong("tls_key", path, "holds a key of an unknown kind") from None
    if key.public_key() != leaf.public_key():
        raise _wrong("tls_key", path, "is not the key of the certificate in tls_cert")
    curve = key.curve.name if isinstance(key, EllipticCurvePrivateKey) else None
    if not isinstance(key, RSAPrivateKey) and curve not in _CURVES:
        raise _wrong(
            "tls_key", path, "must be an RSA key, or an ECDSA key on P-256 or P-384: gRPC takes no other"
        )
    return pem


def _name(path: Path, leaf: x509.Certificate) -> str:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        names = x509.SubjectAlternativeName([])
    hosts = names.get_values_for_type(x509.DNSName)
    for host in (*hosts, *names.get_values_for_type(x509.IPAddress)):
        return str(host).replace("*", "stateward", 1)
    raise _wrong("tls_cert", path, "names no host as a subject alternative name, so no client takes it")


def _context(files: Files) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key)
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
            # A resumed session shows no certificate again, whatever authorities are left, and before
            # TLS 1.3 sessions cannot be turned off.
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.num_tickets = 0
    except (OSError, ssl.SSLError) as error:
        raise _wrong("tls_cert", files.certificate, f"cannot be served: {error}") from error
    return context


def _bytes(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _wrong(setting, path, f"cannot be read: {error.strerror}") from error


def _wrong(setting: str, path: Path, why: str) -> InvalidArgument:
    return InvalidArgument("INVALID_FIELD", f"{setting}: {path} {why}", field=setting)
