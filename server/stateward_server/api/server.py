"""The gRPC server: services, health, reflection, and channel options that suit long quiet streams."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from stateward.v1 import (
    dead_letter_service_pb2,
    dead_letter_service_pb2_grpc,
    instance_service_pb2,
    instance_service_pb2_grpc,
    limits_service_pb2,
    limits_service_pb2_grpc,
    machine_service_pb2,
    machine_service_pb2_grpc,
    subscription_service_pb2,
    subscription_service_pb2_grpc,
)
from stateward_server.api.credentials import credentials_of
from stateward_server.api.edge import Edge
from stateward_server.api.instances import InstanceServicer
from stateward_server.api.letters import DeadLetterServicer
from stateward_server.api.limits import LimitsServicer
from stateward_server.api.machines import MachineServicer
from stateward_server.api.subscriptions import SubscriptionServicer
from stateward_server.tls import Certificates

SERVICES = (
    machine_service_pb2.DESCRIPTOR.services_by_name["MachineService"].full_name,
    instance_service_pb2.DESCRIPTOR.services_by_name["InstanceService"].full_name,
    subscription_service_pb2.DESCRIPTOR.services_by_name["SubscriptionService"].full_name,
    dead_letter_service_pb2.DESCRIPTOR.services_by_name["DeadLetterService"].full_name,
    limits_service_pb2.DESCRIPTOR.services_by_name["LimitsService"].full_name,
)

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

    def __init__(
        self,
        edge: Edge,
        *,
        machines: MachineServicer,
        instances: InstanceServicer,
        subscriptions: SubscriptionServicer,
        letters: DeadLetterServicer,
        limits: LimitsServicer,
        keepalive_s: int = 30,
    ) -> None:
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
        machine_service_pb2_grpc.add_MachineServiceServicer_to_server(machines, guarded)
        instance_service_pb2_grpc.add_InstanceServiceServicer_to_server(instances, guarded)
        subscription_service_pb2_grpc.add_SubscriptionServiceServicer_to_server(subscriptions, guarded)
        dead_letter_service_pb2_grpc.add_DeadLetterServiceServicer_to_server(letters, guarded)
        limits_service_pb2_grpc.add_LimitsServiceServicer_to_server(limits, guarded)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
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
            raise OSError(f"cannot listen on {address}: is another server running?") from None

    async def start(self) -> None:
        await self._server.start()
        for name in ("", *SERVICES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop_taking(self) -> None:
        """Tell health watchers that this server is going away."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give those in flight `grace_s` seconds, then cut them."""
        await self._server.stop(grace_s)
