"""Resource names of the API, such as `machines/m/instances/i`, taken apart and put together."""

from __future__ import annotations

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.ledger import InstanceKey
from stateward_server.model.names import (
    InstanceName,
    MachineName,
    OrgId,
    VersionId,
    instance_name,
    machine_name,
    version_id,
)


def parse_machine(path: str, field: str) -> MachineName:
    """`machines/{machine}`. Raises InvalidArgument (INVALID_NAME)."""
    parts = path.split("/")
    if len(parts) != 2 or parts[0] != "machines":
        raise _bad(path, field, "machines/{machine}")
    return machine_name(parts[1])


def parse_instance(path: str, field: str, org: OrgId) -> InstanceKey:
    """`machines/{machine}/instances/{instance}`. Raises InvalidArgument (INVALID_NAME)."""
    parts = path.split("/")
    if len(parts) != 4 or parts[0] != "machines" or parts[2] != "instances":
        raise _bad(path, field, "machines/{machine}/instances/{instance}")
    return InstanceKey(org, machine_name(parts[1]), instance_name(parts[3]))


def parse_version(path: str, field: str) -> tuple[MachineName, VersionId]:
    """`machines/{machine}/versions/{version}`. Raises InvalidArgument (INVALID_NAME)."""
    parts = path.split("/")
    if len(parts) != 4 or parts[0] != "machines" or parts[2] != "versions":
        raise _bad(path, field, "machines/{machine}/versions/{version}")
    return machine_name(parts[1]), version_id(parts[3])


def machine_path(machine: MachineName) -> str:
    return f"machines/{machine}"


def version_path(machine: MachineName, version: VersionId) -> str:
    return f"machines/{machine}/versions/{version}"


def instance_path(machine: MachineName, instance: InstanceName) -> str:
    return f"machines/{machine}/instances/{instance}"


def _bad(path: str, field: str, form: str) -> InvalidArgument:
    return InvalidArgument("INVALID_NAME", f"{field} is {path[:300]!r}, it must be {form}", field=field)
