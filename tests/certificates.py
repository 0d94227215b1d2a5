"""Real certificates for tests: an authority, and what it issues, as PEM files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

NAME = "stateward.test"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, passphrase: bytes = b"") -> bytes:
        encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)  # type: ignore[no-any-return]

    def write(self, directory: Path, stem: str = "server") -> tuple[Path, Path]:
        """Write both files, as a renewal does: whole, and under the names they had before."""
        paths = directory / f"{stem}.pem", directory / f"{stem}.key"
        for path, pem in zip(paths, (self.pem, self.key_pem()), strict=True):
            new = path.with_suffix(".new")
            new.write_bytes(pem)
            new.chmod(0o600)
            new.replace(path)
        return paths


def authority(name: str = "authority") -> Pair:
    return _made(name, None, [], ca=True)


def issued(
    by: Pair, name: str = NAME, *, names: list[Any] | None = None, days: int = 1, key: Any = None
) -> Pair:
    """Return a certificate for a host or a client, valid until in so many days."""
    return _made(name, by, [x509.DNSName(name)] if names is None else names, days=days, key=key)


def edwards() -> Any:
    """Return a key of a kind that gRPC does not take."""
    return ed25519.Ed25519PrivateKey.generate()


def _made(
    name: str, by: Pair | None, names: list[Any], *, ca: bool = False, days: int = 1, key: Any = None
) -> Pair:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 3 * _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(builder.sign(by.key if by else key, hashes.SHA256()), key)
