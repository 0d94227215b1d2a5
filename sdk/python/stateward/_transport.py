"""One connection to one server: runs calls with retries, opens watches, each with a token that is good now.

Connects lazily and reconnects on its own. Promises that every failure is a StatewardError (or CancelledError,
when the caller's task is cancelled), but for what a function that brings tokens raises. A call whose token is
refused is sent once more with a new one, if one is to be had. Belongs to the event loop that first used it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Generic, TypeVar

import grpc

from ._auth import Metadata, call_metadata
from ._calls import Call, Stubs, exchange_token
from ._credentials import Credentials
from ._frames import ManyFrame
from ._renewal import Fetched
from ._retry import RetryPolicy, retrying
from ._status import error_from
from ._tls import Keyring, stays_here
from ._watch_calls import ManyWatch, NextCommand, Stream, Watch
from .errors import StatewardError, Unauthenticated

Result = TypeVar("Result")

MAX_RECEIVE_BYTES = 16 * 1024 * 1024
CHANNEL_OPTIONS: list[tuple[str, int]] = [
    # Finds a dead connection while a call is open, and leaves idle ones alone.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # otherwise a minute, whatever the line above says
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MAX_RECEIVE_BYTES),
    # Retries are ours: gRPC's own know nothing of request ids.
    ("grpc.enable_retries", 0),
    # Otherwise a channel could wait two minutes before it tries a restarted server again.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


class Transport:
    """A lazily opened channel. One per `Client.connect`, shared by everything made from that client."""

    def __init__(
        self,
        target: str,
        *,
        credentials: Credentials,
        org: str | None,
        tls: Keyring | None,
        allow_plaintext: bool,
        retry: RetryPolicy,
        timeout: float,
    ) -> None:
        self.target = target
        self.retry = retry
        self.timeout = timeout
        self._tokens = credentials(self._exchange)
        self._org = org
        self._tls = tls
        self._private = tls is not None or allow_plaintext or stays_here(target)
        self._channel: grpc.aio.Channel | None = None
        self._stubs: Stubs | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def call(self, call: Call[Result], *, auth_context: bytes | None, timeout: float | None) -> Result:
        """Run a call, repeated as the retry policy says, within `timeout` seconds in all."""

        async def attempt(seconds: float) -> Result:
            deadline = asyncio.get_running_loop().time() + seconds
            try:
                return await self._send(call, auth_context, deadline)
            except Unauthenticated:
                if not self.renews_tokens:
                    raise
            return await self._send(call, auth_context, deadline)

        return await retrying(
            attempt, policy=self.retry, timeout=self.timeout if timeout is None else timeout
        )

    async def watch(
        self, watch: Watch[Result], *, resume_token: str, auth_context: bytes | None
    ) -> Stream[Result]:
        """Open a watch once. Its reads raise StatewardError."""
        stubs, token = self.stubs(), await self._tokens.token()
        metadata = self._metadata(token, auth_context)
        return _Checked(self, token, watch(stubs, resume_token=resume_token, metadata=metadata))

    async def watch_many(
        self, watch: ManyWatch, *, commands: NextCommand, auth_context: bytes | None
    ) -> Stream[ManyFrame]:
        """Open a stream of many watches once. Its reads raise StatewardError."""
        stubs, token = self.stubs(), await self._tokens.token()
        metadata = self._metadata(token, auth_context)
        return _Checked(self, token, watch(stubs, commands=commands, metadata=metadata))

    @property
    def renews_tokens(self) -> bool:
        """Whether asking again may bring a token that the server takes."""
        return self._tokens.renews

    def error_from(
        self, error: grpc.aio.AioRpcError, token: str | None, request_id: str | None = None
    ) -> StatewardError:
        """Rebuild what the server meant; a token that it refused is not used again."""
        failure = error_from(error, target=self.target, request_id=request_id)
        if isinstance(failure, Unauthenticated):
            self._tokens.refused(token)
        return failure

    def refuse_plaintext(self, what: str) -> None:
        """Raise ValueError if `what`, a secret, would leave this machine unencrypted."""
        if not self._private:
            raise ValueError(
                f"{what} would travel unencrypted to {self.target}: encrypt with tls=True or a TLS, or say "
                "allow_plaintext=True"
            )

    def stubs(self) -> Stubs:
        self.raise_if_closed()
        loop = asyncio.get_running_loop()
        if self._stubs is None:
            self._channel, self._loop = self._open(), loop
            self._stubs = Stubs(self._channel)
        if self._loop is not loop:
            raise RuntimeError(
                "this client belongs to another event loop: make one for each asyncio.run, or use "
                "stateward.blocking, whose clients any thread may use"
            )
        return self._stubs

    def raise_if_closed(self) -> None:
        """Say why a call was cancelled, if it was by `close` and not by its own task."""
        task = asyncio.current_task()
        if self._closed and not (task and task.cancelling()):
            raise RuntimeError("the client is closed")

    async def close(self) -> None:
        self._closed = True
        self._tokens.close()
        if self._channel is not None:
            await self._channel.close()

    async def _send(self, call: Call[Result], auth_context: bytes | None, deadline: float) -> Result:
        """Make one attempt, by the loop's time `deadline`."""
        try:
            stubs, token = self.stubs(), await self._tokens.token(deadline)
            metadata = self._metadata(token, auth_context)
            seconds = deadline - asyncio.get_running_loop().time()
            try:
                return await call.run(stubs, timeout=seconds, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                raise self.error_from(error, token, call.request_id) from None
        except asyncio.CancelledError:
            self.raise_if_closed()
            raise

    def _metadata(self, token: str | None, auth_context: bytes | None) -> Metadata:
        return call_metadata(token, self._org, auth_context)

    async def _exchange(self, token_provider: str, subject_token: str) -> Fetched:
        """Get a token of the organisation, once. Whoever wants it limits the time."""
        call = exchange_token(token_provider, subject_token)
        try:
            token, seconds = await call.run(self.stubs(), timeout=None, metadata=())
        except grpc.aio.AioRpcError as error:
            raise error_from(error, target=self.target) from None
        return Fetched(token, time.time() + seconds)

    def _open(self) -> grpc.aio.Channel:
        options: list[tuple[str, int | str]] = [*CHANNEL_OPTIONS]
        if self._tls is None:
            if stays_here(self.target):
                options.append(("grpc.enable_http_proxy", 0))  # it would carry the token away, unencrypted
            return grpc.aio.insecure_channel(self.target, options=options)
        if self._tls.server_name is not None:
            options.append(("grpc.ssl_target_name_override", self._tls.server_name))
        credentials = grpc.ssl_channel_credentials(self._tls.ca, self._tls.key, self._tls.certificate)
        return grpc.aio.secure_channel(self.target, credentials, options=options)


class _Checked(Generic[Result]):
    """A stream that knows which token opened it."""

    def __init__(self, transport: Transport, token: str | None, stream: Stream[Result]) -> None:
        self._transport = transport
        self._token = token
        self._stream = stream

    async def read(self) -> Result | None:
        try:
            return await self._stream.read()
        except grpc.aio.AioRpcError as error:
            raise self._transport.error_from(error, self._token) from None

    def cancel(self) -> None:
        self._stream.cancel()


@dataclass(frozen=True, slots=True)
class Caller:
    """A transport, and on whose behalf calls go through it. What every handle holds."""

    transport: Transport
    auth_context: bytes | None = None

    async def call(self, call: Call[Result], timeout: float | None = None) -> Result:
        return await self.transport.call(call, auth_context=self.auth_context, timeout=timeout)
