"""How a connection is encrypted, and which may go without."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TypeAlias

Pem: TypeAlias = str | os.PathLike[str] | bytes

_TARGET = re.compile(r"\[?(?P<host>.*?)\]?(:[0-9]+)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TLS:
    """An encrypted connection. `TLS()` trusts the authorities that this machine trusts.

    PEM is given as the path of a file, or as bytes.

    Args:
        ca: The authorities to trust instead, or the server's own certificate.
        certificate: The certificate to show to a server that asks its clients for one; needs `key`.
        key: The private key of `certificate`.
        server_name: The name that the server's certificate must have, where it is not the one connected to.
    """

    ca: Pem | None = None
    certificate: Pem | None = None
    key: Pem | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client certificate needs both: certificate and key")

    def __repr__(self) -> str:
        return f"TLS(server_name={self.server_name!r})"  # no keys in logs


@dataclass(frozen=True, slots=True)
class Keyring:
    """The PEM that a TLS value names, read."""

    ca: bytes | None
    certificate: bytes | None
    key: bytes | None
    server_name: str | None


def read(tls: TLS) -> Keyring:
    """Read what a TLS value names. Raises OSError."""
    ca = _pem(ssl.get_default_verify_paths().cafile if tls.ca is None else tls.ca)
    return Keyring(ca, _pem(tls.certificate), _pem(tls.key), tls.server_name)


def stays_here(target: str) -> bool:
    """Tell whether a gRPC target is on this machine for certain; names other than localhost are not."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    for prefix in ("dns:///", "dns:", "ipv4:", "ipv6:"):
        target = target.removeprefix(prefix)
    return all(_is_loopback(one) for one in target.split(","))


def _is_loopback(target: str) -> bool:
    found = _TARGET.fullmatch(target)
    host = found["host"] if found else ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _pem(given: Pem | None) -> bytes | None:
    return given if given is None or isinstance(given, bytes) else Path(given).read_bytes()
