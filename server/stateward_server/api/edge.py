"""What every RPC passes, in order: log, error translation, size, authentication, rate, scope, parsing, audit.

Only administrative calls, and calls for somebody else, are in the audit log (see `auth/audited.py`).
Health and reflection pass untouched. An RPC that has no scope in `auth/scopes.py` is refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from stateward_server.api.caller import Context, caller
from stateward_server.api.rates import Brake, Rates
from stateward_server.api.records import Record, Records
from stateward_server.api.status import status_of
from stateward_server.api.streams import Streams
from stateward_server.auth.audited import ADMINISTRATIVE
from stateward_server.auth.authenticator import Authenticator, BadToken, acting
from stateward_server.auth.scopes import BY_METHOD, Door
from stateward_server.engine.refusals import no_host, no_store
from stateward_server.model.errors import (
    Internal,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    StatewardError,
    Unauthenticated,
)
from stateward_server.model.limits import ApiLimits
from stateward_server.model.principal import NOBODY, Principal
from stateward_server.ports.clock import Entropy
from stateward_server.ports.host import HostLost
from stateward_server.ports.store import StoreFault

log = structlog.get_logger()

MAX_REQUEST_BYTES = ApiLimits().request_bytes
AUTH_CONTEXT_KEY = "stateward-auth-context-bin"
ORG_KEY = "stateward-org"

_FAILED_PROOFS = frozenset({"INVITATION_INVALID", "SUBJECT_TOKEN_REJECTED"})
"""What an open call is refused with when the proof it brings does not hold."""

_Details = grpc.HandlerCallDetails
_Handler = Any
"""An RPC's handler: gRPC's stubs type it for the blocking server only."""
_Parse = Callable[[bytes], Any]


class Edge:
    """Puts itself between a server and its services."""

    def __init__(
        self,
        authenticator: Authenticator,
        entropy: Entropy,
        streams: Streams,
        records: Records,
        *,
        rates: Rates | None = None,
        brake: Brake | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._entropy = entropy
        self._streams = streams
        self._records = records
        self._rates = rates
        self._brake = brake

    def guard(self, server: grpc.aio.Server) -> Any:
        """Return what the generated `add_…_to_server` functions take for a server, with every method wrapped.

        An interceptor would do the same at several times the cost, as gRPC asks it anew for every call.
        """
        return _Guarded(server, self._wrap)

    def _wrap(self, method: str, handler: _Handler) -> _Handler:
        # Bytes come in here unparsed, so that nobody's are parsed before it is known whose they are.
        if handler.request_streaming:
            serve = self._streaming(method, handler.stream_stream, handler.request_deserializer)
            return grpc.stream_stream_rpc_method_handler(serve, None, _written)
        if handler.response_streaming:
            serve = self._streaming(method, handler.unary_stream, handler.request_deserializer)
            return grpc.unary_stream_rpc_method_handler(serve, None, _written)
        call = self._unary(method, handler.unary_unary, handler.request_deserializer)
        return grpc.unary_unary_rpc_method_handler(call, None, handler.response_serializer)

    def _unary(
        self, method: str, serve: Callable[[Any, Any], Awaitable[Any]], parse: _Parse
    ) -> Callable[[bytes, Any], Awaitable[Any]]:
        audited = method in ADMINISTRATIVE

        async def call(raw: bytes, context: Context) -> Any:
            line = _Line(method)
            try:
                await self._admit(line, raw, context)
                request = _parsed(raw, parse)
                if audited or line.acting:
                    await self._record(line, request, context)
                return line.answered(await serve(request, context))
            except BaseException as error:  # noqa: BLE001 - _explain raises again what must not be swallowed
                refusal = self._explain(error, line)
                if refusal.reason in _FAILED_PROOFS and self._brake is not None:
                    self._brake.failed(context.peer())
                if audited or line.acting:
                    self._record_refusal(line, refusal, raw, parse, context)
                line.write()  # before the caller can know of it
                await context.abort_with_status(status_of(refusal))
            finally:
                line.write()

        return call

    def _streaming(
        self, method: str, serve: Callable[[Any, Any], AsyncGenerator[Any, None]], parse: _Parse
    ) -> Callable[[bytes | AsyncIterator[bytes], Any], Awaitable[None]]:
        async def call(raw: bytes | AsyncIterator[bytes], context: Context) -> None:
            line = _Line(method)
            first = raw if isinstance(raw, bytes) else b""
            with self._streams.serving() as stream:
                try:
                    stream.principal = who = await self._admit(line, first, context)
                    request = (
                        _parsed(raw, parse) if isinstance(raw, bytes) else self._each_parsed(raw, parse, who)
                    )
                    if line.acting:
                        await self._record(line, request, context)
                    async with aclosing(serve(request, context)) as responses:
                        async for response in responses:
                            await stream.send(context, response)
                except BaseException as error:  # noqa: BLE001 - _explain raises what must not be swallowed
                    refusal = self._explain(stream.cause(error), line)
                    if line.acting:
                        self._record_refusal(line, refusal, first, parse, context)
                    line.write()  # before the caller can know of it
                    await context.abort_with_status(status_of(refusal))
                finally:
                    line.write()

        return call

    async def _admit(self, line: _Line, raw: bytes, context: Context) -> Principal:
        """Return who calls, if they may; leave with the line what is known of them in any case."""
        _check_size(raw)
        bearer, act_as, org = _credentials(context)
        line.acting = act_as is not None
        need = BY_METHOD.get(line.method)
        if need is Door.OPEN and self._brake is not None:
            # What such a call brings is a proof like a token, and guessed at like one.
            self._brake.check(context.peer())
            if not bearer:
                self._brake.count(context.peer())
        if need is Door.OPEN and not bearer:
            # Nobody speaks for nobody else, and has no log to be in.
            line.acting = False
            line.principal = principal = NOBODY
        else:
            line.principal = principal = await self._authenticate(bearer, org, context)
            if self._rates is not None:
                self._rates.count(principal)
            if act_as is not None:
                line.principal = principal = acting(principal, act_as)
            _check_need(need, principal)
        caller.set(principal)
        return principal

    async def _authenticate(self, bearer: str, org: str, context: Context) -> Principal:
        brake = self._brake
        if brake is None:
            return await self._authenticator.authenticate(bearer, org)
        if not (brake.idle or self._authenticator.knows(bearer, org)):
            brake.check(context.peer())
        try:
            return await self._authenticator.authenticate(bearer, org)
        except BadToken as error:
            if error.reason == "TOKEN_INVALID":
                brake.failed(context.peer())
            raise

    async def _record(self, line: _Line, request: Any, context: Context) -> None:
        """Have the call on record before it takes effect."""
        who = line.principal
        assert who is not None  # noqa: S101 - it was let in
        line.record = await self._records.begin(line.method, who, request, context.peer(), acting=line.acting)

    def _record_refusal(
        self, line: _Line, refusal: StatewardError, raw: bytes, parse: _Parse, context: Context
    ) -> None:
        """Note a call that was not let in, if it is known whose organisation it was for."""
        who = refusal.claimed if isinstance(refusal, BadToken) else line.principal
        if line.record is None and who and isinstance(refusal, Unauthenticated | PermissionDenied):
            request = _parsed_if_sound(raw, parse)
            self._records.refused(
                line.method, who, request, context.peer(), refusal.reason, acting=line.acting
            )

    async def _each_parsed(
        self, requests: AsyncIterator[bytes], parse: _Parse, who: Principal
    ) -> AsyncIterator[Any]:
        async for raw in requests:
            _check_size(raw)
            if self._rates is not None:
                await self._rates.pace(who)
            yield _parsed(raw, parse)

    def _explain(self, error: BaseException, line: _Line) -> StatewardError:
        """Return the refusal for an error; re-raise what must not be swallowed."""
        if isinstance(error, StatewardError):
            line.outcome = error.reason
            return error
        if isinstance(error, StoreFault | HostLost):
            log.error("rpc_failed", method=line.method, error=repr(error))
            return self._explain(no_store() if isinstance(error, StoreFault) else no_host(), line)
        if not isinstance(error, Exception) or isinstance(error, grpc.aio.AbortError):
            line.outcome = "CANCELLED" if isinstance(error, asyncio.CancelledError) else "ABORTED"
            raise error
        error_id = self._entropy.token_bytes(8).hex()
        line.outcome = "INTERNAL"
        log.error("rpc_crashed", method=line.method, error_id=error_id, exc_info=error)
        return Internal(
            "INTERNAL", f"the server met an error of its own (error id {error_id})", error_id=error_id
        )


def _credentials(context: Context) -> tuple[str, bytes | None, str]:
    """Return the token, the auth context to use instead of its claims, and the organisation that is meant."""
    bearer, act_as, org = "", None, ""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization" and isinstance(value, str) and value[:7].lower() == "bearer ":
            bearer = value[7:]
        elif key == AUTH_CONTEXT_KEY and isinstance(value, bytes):
            act_as = value
        elif key == ORG_KEY and isinstance(value, str):
            org = value
    return bearer, act_as, org


def _check_need(need: str | Door | None, principal: Principal) -> None:
    if need is None:
        raise PermissionDenied("SCOPE_MISSING", "this call is not open to anyone")
    if isinstance(need, str):
        principal.require(need)
    elif need is Door.PERSON:
        principal.person()


def _check_size(raw: bytes) -> None:
    if len(raw) > MAX_REQUEST_BYTES:
        raise ResourceExhausted(
            "REQUEST_TOO_LARGE",
            f"the request has {len(raw)} bytes, {MAX_REQUEST_BYTES} are allowed",
            limit_bytes=MAX_REQUEST_BYTES,
        )


def _written(response: Any) -> bytes:
    """Return a response's bytes; one that many subscribers get comes written."""
    written: bytes = response if isinstance(response, bytes) else response.SerializeToString()
    return written


def _parsed(raw: bytes, parse: _Parse) -> Any:
    try:
        return parse(raw)
    except DecodeError:
        raise InvalidArgument(
            "INVALID_FIELD", "the request's bytes are not the message this call takes", field="request"
        ) from None


def _parsed_if_sound(raw: bytes, parse: _Parse) -> Any:
    try:
        return parse(raw)
    except DecodeError:
        return None


class _Guarded:
    """Passes the handlers of a service on, wrapped."""

    def __init__(self, server: grpc.aio.Server, wrap: Callable[[str, _Handler], _Handler]) -> None:
        self._server = server
        self._wrap = wrap

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """The same handlers follow by name."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, _Handler]) -> None:
        wrapped = {name: self._wrap(f"/{service}/{name}", handler) for name, handler in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, wrapped),))


class _Line:
    """The one log line of an RPC, and its entry in the audit log if it has one; written once."""

    __slots__ = ("acting", "method", "outcome", "principal", "record", "started", "written")

    def __init__(self, method: str) -> None:
        self.method = method
        self.outcome = "OK"
        self.principal: Principal | None = None
        self.acting = False
        self.record: Record | None = None
        self.started = time.perf_counter_ns()
        self.written = False

    def answered(self, response: Any) -> Any:
        if self.record is not None:
            self.record.answered(response)
        return response

    def write(self) -> None:
        if self.written:
            return
        self.written = True
        if self.record is not None:
            self.record.close(self.outcome)
        who = {"org": self.principal.org, "subject": self.principal.subject} if self.principal else {}
        elapsed_ms = (time.perf_counter_ns() - self.started) // 1000 / 1000
        log.info("rpc_served", method=self.method, outcome=self.outcome, elapsed_ms=elapsed_ms, **who)
