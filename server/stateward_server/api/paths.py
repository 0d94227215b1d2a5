"""Resource names of the API, such as `machines/m/instances/i`, taken apart and put together.

None is taken into more parts than a name has: some come from callers whom nobody knows, in megabytes.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

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

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def parse_machine(path: str, field: str) -> MachineName:
    """`machines/{machine}`. Raises InvalidArgument (INVALID_NAME)."""
    parts = path.split("/", 2)
    if len(parts) != 2 or parts[0] != "machines":
        raise _bad(path, field, "machines/{machine}")
    return machine_name(parts[1])


def parse_instance(path: str, field: str, org: OrgId) -> InstanceKey:
    """`machines/{machine}/instances/{instance}`. Raises InvalidArgument (INVALID_NAME)."""
    parts = path.split("/", 4)
    if len(parts) != 4 or parts[0] != "machines" or parts[2] != "instances":
        raise _bad(path, field, "machines/{machine}/instances/{instance}")
    return InstanceKey(org, machine_name(parts[1]), instance_name(parts[3]))


def parse_version(path: str, field: str) -> tuple[MachineName, VersionId]:
    """`machines/{machine}/versions/{version}`. Raises InvalidArgument (INVALID_NAME)."""
    parts = path.split("/", 4)
    if len(parts) != 4 or parts[0] != "machines" or parts[2] != "versions":
        raise _bad(path, field, "machines/{machine}/versions/{version}")
    return machine_name(parts[1]), version_id(parts[3])


def parse_timer(path: str, field: str, org: OrgId) -> tuple[InstanceKey, str]:
    """`machines/{machine}/instances/{instance}/timers/{timer}`, the last part percent-encoded."""
    owner, slash, timer = path.rpartition("/timers/")
    if not slash or not timer or "/" in timer:
        raise _bad(path, field, "machines/{machine}/instances/{instance}/timers/{timer}")
    return parse_instance(owner, field, org), unquote(timer)


def parse_letter(path: str, field: str, org: OrgId) -> tuple[InstanceKey, int]:
    """`machines/{machine}/instances/{instance}/deadLetters/{dead_letter}`."""
    owner, slash, number = path.rpartition("/deadLetters/")
    if not slash or not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise _bad(path, field, "machines/{machine}/instances/{instance}/deadLetters/{dead_letter}")
    return parse_instance(owner, field, org), int(number)


def parse_id(path: str, field: str, collection: str) -> str:
    """`{collection}/{id}`, such as `keys/sbk_…`. Raises InvalidArgument (INVALID_NAME)."""
    head, slash, name = path.partition("/")
    if head != collection or not slash or not _ID.fullmatch(name):
        raise _bad(path, field, f"{collection}/{{id}}")
    return name


def parse_token_provider(path: str, field: str) -> tuple[OrgId, str]:
    """`orgs/{org}/tokenProviders/{service}`."""
    parts = path.split("/", 4)
    if len(parts) != 4 or parts[0] != "orgs" or parts[2] != "tokenProviders":
        raise _bad(path, field, "orgs/{org}/tokenProviders/{service}")
    return OrgId(parse_id("/".join(parts[:2]), field, "orgs")), parse_id("/".join(parts[2:]), field, parts[2])


def machine_path(machine: MachineName) -> str:
    return f"machines/{machine}"


def version_path(machine: MachineName, version: VersionId) -> str:
    return f"machines/{machine}/versions/{version}"


def instance_path(machine: MachineName, instance: InstanceName) -> str:
    return f"machines/{machine}/instances/{instance}"


def timer_path(key: InstanceKey, timer: str) -> str:
    return f"{instance_path(key.machine, key.name)}/timers/{quote(timer, safe='')}"


def letter_path(key: InstanceKey, letter: int) -> str:
    return f"{instance_path(key.machine, key.name)}/deadLetters/{letter}"


def _bad(path: str, field: str, form: str) -> InvalidArgument:
    return InvalidArgument("INVALID_NAME", f"{field} is {path[:300]!r}, it must be {form}", field=field)
