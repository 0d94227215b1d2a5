"""A wire that can be cut: clients connect to the proxy, and the proxy to the server."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from tests.servers import Server


class Proxy:
    """Passes bytes on in both directions, until it is told to drop connections."""

    def __init__(self, server: Server) -> None:
        self.target = ""
        self._server = server
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    def cut(self, moves: random.Random, share: float = 1.0) -> int:
        """Drop a random share of the connections, without a goodbye; return how many."""
        chosen = [each for each in sorted(self._open, key=id) if moves.random() < share]
        for writer in chosen:
            writer.transport.abort()
        return len(chosen)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to serve a connection."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        """End all connections."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._server.grpc.rpartition(":")
        self._open.add(writer)
        try:
            back_reader, back_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        try:
            await asyncio.gather(_pass_on(reader, back_writer), _pass_on(back_reader, writer))
        finally:
            self._open.discard(writer)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.transport.abort()


@contextlib.asynccontextmanager
async def proxying(server: Server) -> AsyncIterator[Proxy]:
    """Run a proxy in front of a server, on a port of its own, also while the server is away."""
    proxy = Proxy(server)
    listening = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    proxy.target = f"{host}:{port}"
    try:
        yield proxy
    finally:
        listening.close()
        await proxy.close()
