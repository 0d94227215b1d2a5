"""`stateward.v1` is public, too: its stubs must work for whoever wants the bare contract without asyncio.

The channel is grpcio-testing's: it has no network, and it checks requests against the method's descriptor.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc_testing  # type: ignore[import-untyped] # it has no stubs
import pytest

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

SERVICES = [
    (machine_service_pb2, machine_service_pb2_grpc),
    (instance_service_pb2, instance_service_pb2_grpc),
    (subscription_service_pb2, subscription_service_pb2_grpc),
    (dead_letter_service_pb2, dead_letter_service_pb2_grpc),
    (limits_service_pb2, limits_service_pb2_grpc),
]
METHODS = [
    pytest.param(getattr(stubs, f"{service.name}Stub"), messages, method, id=method.name)
    for messages, stubs in SERVICES
    for service in messages.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


@pytest.fixture
def channel() -> grpc_testing.Channel:
    services = [
        service for messages, _ in SERVICES for service in messages.DESCRIPTOR.services_by_name.values()
    ]
    return grpc_testing.channel(services, grpc_testing.strict_fake_time(0))


@pytest.mark.parametrize(("stub", "messages", "method"), METHODS)
def test_a_stub_speaks_the_contract(channel: Any, stub: Any, messages: Any, method: Any) -> None:
    request = getattr(messages, method.input_type.name)()
    response = getattr(messages, method.output_type.name)()
    call = getattr(stub(channel), method.name)
    with ThreadPoolExecutor(1) as client:
        if method.client_streaming:
            received = client.submit(lambda: list(call(iter([request]))))
            _, rpc = channel.take_stream_stream(method)
            taken = rpc.take_request()
            rpc.requests_closed()
            rpc.send_response(response)
            rpc.terminate((), grpc.StatusCode.OK, "")
            assert received.result() == [response]
        elif method.server_streaming:
            received = client.submit(lambda: list(call(request)))
            _, taken, rpc = channel.take_unary_stream(method)
            rpc.send_response(response)
            rpc.terminate((), grpc.StatusCode.OK, "")
            assert received.result() == [response]
        else:
            answer = client.submit(call, request, metadata=(("authorization", "Bearer t"),))
            metadata, taken, rpc = channel.take_unary_unary(method)
            rpc.terminate(response, (), grpc.StatusCode.OK, "")
            assert answer.result() == response
            assert ("authorization", "Bearer t") in metadata
    assert taken == request
