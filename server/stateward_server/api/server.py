"""The gRPC server: services, health, reflection, and channel options that suit long quiet streams."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from stateward.v1 import (
    access_service_pb2_grpc,
    account_service_pb2_grpc,
    audit_service_pb2_grpc,
    dead_letter_service_pb2_grpc,
    identity_provider_service_pb2_grpc,
    instance_service_pb2_grpc,
    key_service_pb2_grpc,
    limits_service_pb2_grpc,
    machine_service_pb2_grpc,
    member_service_pb2_grpc,
    org_service_pb2_grpc,
    subscription_service_pb2_grpc,
    token_provider_service_pb2_grpc,
    token_service_pb2_grpc,
)
from stateward_server.api.credentials import credentials_of
from stateward_server.api.edge import Edge
from stateward_server.tls import Certificates

_MODULES = {
    "AccessService": access_service_pb2_grpc,
    "AccountService": account_service_pb2_grpc,
    "AuditService": audit_service_pb2_grpc,
    "DeadLetterService": dead_letter_service_pb2_grpc,
    "IdentityProviderService": identity_provider_service_pb2_grpc,
    "InstanceService": instance_service_pb2_grpc,
    "KeyService": key_service_pb2_grpc,
    "LimitsService": limits_service_pb2_grpc,
    "MachineService": machine_service_pb2_grpc,
    "MemberService": member_service_pb2_grpc,
    "OrgService": org_service_pb2_grpc,
    "SubscriptionService": subscription_service_pb2_grpc,
    "TokenService": token_service_pb2_grpc,
    "TokenProviderService": token_provider_service_pb2_grpc,
}
"""The generated module of every service."""

SERVICES = tuple(f"stateward.v1.{name}" for name in _MODULES)

_OPTIONS = (
    # Above MAX_REQUEST_BYTES, so that the edge can answer an oversize request with a reason.
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    # A token and an auth context of 16 KiB each, the latter in base64.
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.absolute_max_metadata_size", 64 * 1024),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Clients may ping as often as ours do.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_concurrent_streams", 100_000),
    # Who has not finished the handshake by then only holds a connection; the default is two minutes.
    ("grpc.server_handshake_timeout_ms", 20_000),
)


class ApiServer:
    """A grpc.aio server with a health service that follows its life."""

    def __init__(self, edge: Edge, servicers: Iterable[object], *, keepalive_s: int = 30) -> None:
        """A connection quiet for `keepalive_s` is pinged, and given up after two thirds of that again."""
        alive = (
            ("grpc.keepalive_time_ms", keepalive_s * 1000),
            ("grpc.keepalive_timeout_ms", keepalive_s * 2000 // 3),
            # Without it an unanswered ping is waited for a minute, whatever the line above says.
            ("grpc.http2.ping_timeout_ms", keepalive_s * 2000 // 3),
        )
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(options=(*_OPTIONS, *alive))
        guarded = edge.guard(self._server)
        self._names: list[str] = []
        for servicer in servicers:
            for name, module in _MODULES.items():
                if isinstance(servicer, getattr(module, f"{name}Servicer")):
                    getattr(module, f"add_{name}Servicer_to_server")(servicer, guarded)
                    self._names.append(f"stateward.v1.{name}")
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    def bind(self, address: str, certificates: Certificates | None = None) -> int:
        """Bind HOST:PORT, in plaintext without certificates, and return the port.

        Raises OSError when the address cannot be had.
        """
        try:
            if certificates is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, credentials_of(certificates))
        except RuntimeError:
            raise OSError(
                f"cannot listen on {address}: is another server running? Or name another address (grpc)"
            ) from None

    async def start(self) -> None:
        await self._server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop_taking(self) -> None:
        """Tell health watchers that this server is going away."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give those in flight `grace_s` seconds, then cut them."""
        await self._server.stop(grace_s)
