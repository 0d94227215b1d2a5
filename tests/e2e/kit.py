"""What the tests of whole servers share: machines to publish, names nobody has used, calls below the SDK."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.servers import Server

from stateward import Client, Machine, MachineExists
from stateward.v1 import (
    instance_service_pb2_grpc,
    machine_service_pb2_grpc,
    subscription_service_pb2_grpc,
)

MACHINES = Path(__file__).with_name("machines")
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
DESKS = {"v4": MACHINES / "desk.v4.ts", "v5": MACHINES / "desk.v5.ts"}
OPEN = "export const allowRead = () => true, allowWrite = () => true;\n"
"""Authorisers for machines whose authorisers are not the point."""

_names = itertools.count(1)


def unused(prefix: str) -> str:
    """Return a name that no other test of this run has."""
    return f"{prefix}-{next(_names)}"


async def published(client: Client, module: Path | str, name: str | None = None) -> Machine:
    """Create a machine with one version."""
    machine = client.machine(name or unused("machine"))
    await machine.create()
    await machine.upload(module, language="typescript")
    return machine


async def shared(client: Client, module: Path) -> Machine:
    """Return the machine that the tests of one server share: each uses instances of its own."""
    machine = client.machine(module.name.replace(".", "-"))
    try:
        await machine.create()
    except MachineExists:
        return machine
    await machine.upload(module)
    return machine


@dataclass(frozen=True, slots=True)
class Raw:
    """The services as the wire has them, for what the SDK would not let through. Calls need `metadata`."""

    machines: Any
    instances: Any
    subscriptions: Any
    metadata: tuple[tuple[str, str | bytes], ...]

    def acting_as(self, auth: object) -> tuple[tuple[str, str | bytes], ...]:
        """Return the metadata of somebody with these claims."""
        return (*self.metadata, ("stateward-auth-context-bin", json.dumps(auth).encode()))


@asynccontextmanager
async def raw(server: Server) -> AsyncIterator[Raw]:
    """Connect without the SDK."""
    # Neither the client's own limits nor its retries shall hide what the server does.
    options = (("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0))
    async with grpc.aio.insecure_channel(server.grpc, options=options) as channel:
        yield Raw(
            machine_service_pb2_grpc.MachineServiceStub(channel),
            instance_service_pb2_grpc.InstanceServiceStub(channel),
            subscription_service_pb2_grpc.SubscriptionServiceStub(channel),
            (("authorization", f"Bearer {server.profile['token']}"),),
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a call was refused with."""

    code: str
    reason: str
    metadata: dict[str, str]


def refusal(error: grpc.aio.AioRpcError) -> Refusal:
    """Read the one ErrorInfo that every refusal carries."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # the stubs know the blocking calls only
    assert status is not None, error
    infos = [detail for detail in status.details if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    assert len(infos) == 1, error
    info = error_details_pb2.ErrorInfo()
    infos[0].Unpack(info)
    assert info.domain == "stateward"
    return Refusal(error.code().name, info.reason, dict(info.metadata))


async def census(client: Client) -> dict[str, Any]:
    """Return everything the server holds, as far as an administrator can see it."""
    found: dict[str, Any] = {}
    async for machine in client.machines():
        handle = client.machine(machine.name)
        found[machine.name] = {
            "current": machine.current_version,
            "versions": [version.id async for version in handle.versions()],
            "instances": {
                info.name: [
                    (each.revision, each.cause, json.dumps(each.event))
                    async for each in handle.instance(info.name).transitions()
                ]
                async for info in handle.instances()
            },
        }
    return found
