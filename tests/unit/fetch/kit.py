"""An HTTP server for tests that answers with any bytes, however wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Writer = asyncio.StreamWriter
Serve = Callable[[bytes, Writer], Awaitable[None]]


class Server:
    """Answers each request with what the test put into `serve`, and remembers who asked for what."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.serve: Serve = reply(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(request)
            await self.serve(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def reply(answer: bytes) -> Serve:
    async def serve(_request: bytes, writer: Writer) -> None:
        writer.write(answer)
        await writer.drain()

    return serve


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    served = Server()
    async with await asyncio.start_server(served.handle, "127.0.0.1", 0, ssl=tls) as listener:
        served.port = listener.sockets[0].getsockname()[1]
        yield served
