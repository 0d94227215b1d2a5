"""`/healthz` says that the process lives, `/readyz` that it takes calls. Served by uvicorn in our loop."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from stateward_server.tls import Certificates


class _Server(uvicorn.Server):
    """Leaves signals to `app.py`, which drains gRPC first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HealthServer:
    """One small HTTP server on one socket."""

    def __init__(
        self, host: str, port: int, ready: Callable[[], bool], certificates: Certificates | None = None
    ) -> None:
        """Binds at once; in plaintext without certificates. Raises OSError when the address is taken."""
        self._ready = ready
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            # Whoever reads that the server is ready may come before `run` does.
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            text = f"cannot listen on {host}:{port}: {error.strerror}. Name another address (http)"
            raise OSError(text) from None
        routes = [Route("/healthz", self._health), Route("/readyz", self._readiness)]
        context = None if certificates is None else certificates.context()
        config = uvicorn.Config(
            Starlette(routes=routes),
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            server_header=False,
            ssl_context_factory=None if context is None else lambda *_: context,
        )
        self._server = _Server(config)

    @property
    def port(self) -> int:
        """The bound port."""
        port: int = self._socket.getsockname()[1]
        return port

    async def run(self) -> None:
        """Serve until `stop`."""
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        self._server.should_exit = True

    async def _health(self, _request: Request) -> JSONResponse:
        return JSONResponse({"alive": True})

    async def _readiness(self, _request: Request) -> JSONResponse:
        ready = self._ready()
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)
