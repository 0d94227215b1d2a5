"""HTTPS GET for the port `Fetch`, safe to point at addresses that tenants have chosen.

The name is resolved once, every address it has is checked, and the connection is made to a checked address:
what a second resolution would say does not matter. TLS is verified against the name. Redirects are not
followed, proxies of the environment not used. Size and total time are bounded.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore

from stateward_server.fetch.addresses import is_public
from stateward_server.ports.fetch import Document, FetchFailed

MAX_URL = 2_048
MAX_BODY = 256 * 1024
DEADLINE_S = 5.0

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""From host and port to IP addresses. Raises OSError."""

_HEADERS = [("accept", "application/json"), ("accept-encoding", "identity"), ("user-agent", "stateward")]
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})")
_NOT_KEPT = re.compile(r"(?:^|[,\s])no-(?:store|cache)\b")


async def resolve(host: str, port: int) -> list[str]:
    """Ask the operating system."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class HttpsFetch:
    """Fetches over HTTPS from public addresses (Fetch)."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = resolve,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """`allow_private` also allows plain HTTP and addresses that are not public, for closed networks.

        `tls` defaults to the authorities of the operating system.
        """
        self._allow_private = allow_private
        self._tls = tls or ssl.create_default_context()
        self._network = _CheckedNetwork(resolve, allow_private=allow_private)
        self._deadline_s = deadline_s

    def objection(self, url: str) -> str | None:
        if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
            return f"an address has at most {MAX_URL} printable ASCII characters, and no spaces"
        try:
            parts = urlsplit(url)
            host, user, _ = parts.hostname, parts.username, parts.port
        except ValueError:
            return "it is not an address"
        if parts.scheme not in (("https", "http") if self._allow_private else ("https",)):
            return "it must begin with https://"
        if not host or user is not None or parts.fragment:
            return "it must name a host, without user name and fragment"
        if not self._allow_private and _is_private_literal(host):
            return "it must not be a private or reserved address"
        return None

    async def fetch(self, url: str) -> Document:
        objection = self.objection(url)
        if objection is not None:
            raise FetchFailed(objection)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._get(url)
        except TimeoutError:
            raise FetchFailed(f"no complete answer within {self._deadline_s:g} s") from None
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            httpcore.UnsupportedProtocol,
            OSError,
            UnicodeError,  # a host name that cannot be one
        ) as error:
            raise FetchFailed(f"{type(error).__name__}: {error}") from error

    async def _get(self, url: str) -> Document:
        # A pool for each request: key sets are read minutes apart, and nothing is left open in between.
        async with (
            httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=self._network) as pool,
            pool.stream("GET", url, headers=_HEADERS) as response,
        ):
            if 300 <= response.status < 400:
                raise FetchFailed(f"it answered {response.status}, and redirects are not followed")
            if response.status != 200:
                raise FetchFailed(f"it answered {response.status}")
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise FetchFailed(f"it answered more than {MAX_BODY} bytes")
            return Document(bytes(body), _max_age(response.headers))


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only."""

    def __init__(self, resolve: Resolve, *, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._resolve(host, port)
        if not self._allow_private and not all(map(is_public, addresses)):
            # One is enough to refuse: which of them is taken would be the name server's choice.
            raise FetchFailed(f"{host} is at a private or reserved address")
        refused: httpcore.ConnectError | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                refused = error
        raise refused or FetchFailed(f"{host} has no address")


def _is_private_literal(host: str) -> bool:
    try:
        return not is_public(host)
    except ValueError:
        return False


def _max_age(headers: list[tuple[bytes, bytes]]) -> int | None:
    control = ",".join(
        value.decode("latin-1") for name, value in headers if name.lower() == b"cache-control"
    ).lower()
    if _NOT_KEPT.search(control):
        return 0
    found = _MAX_AGE.search(control)
    return int(found[1]) if found else None
