"""Whether a server may listen where it is told to: beyond this machine only with TLS, or on the owner's word.

Tokens and private contexts travel on these connections.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv6Address, ip_address

from stateward_server.config import Settings, address
from stateward_server.model.errors import InvalidArgument


async def check_exposure(settings: Settings) -> None:
    """Raise InvalidArgument (INVALID_FIELD) for plaintext beyond loopback, or an unknown host name."""
    if settings.tls_cert is not None or settings.allow_plaintext:
        return
    for key, text in (("grpc", settings.grpc), ("http", settings.http)):
        if not all(map(is_loopback, await _addresses(key, text))):
            raise InvalidArgument(
                "INVALID_FIELD",
                f"{key} is {text}, which others can reach, and there is no TLS: set tls_cert and tls_key, or "
                "allow_plaintext if something in front of the server encrypts",
                field=key,
            )


def is_loopback(host: str) -> bool:
    """Tell whether an address reaches this machine only."""
    found = ip_address(host.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_loopback


async def _addresses(key: str, text: str) -> list[str]:
    host, port = address(text, key)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InvalidArgument(
            "INVALID_FIELD", f"{key} is {text}: there is no host {host!r}", field=key
        ) from None
    return [str(socket_address[0]) for *_, socket_address in found]
