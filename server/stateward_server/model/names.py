"""Names and ids: their types, their grammar, and how a new id is minted from 16 random bytes.

Called by every room that accepts or creates a name; does no I/O and draws no randomness itself.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from typing import NewType

from stateward_server.model.errors import InvalidArgument

OrgId = NewType("OrgId", str)
"""`org_` and the base64url of a UUID's bytes."""
MachineName = NewType("MachineName", str)
InstanceName = NewType("InstanceName", str)
VersionId = NewType("VersionId", str)
"""`ver_` and the base64url of a UUID's bytes."""
InstanceUid = NewType("InstanceUid", int)
"""The ledger's own number of an instance: never reused, never shown."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ID = re.compile(r"(org|ver|sbk)_[A-Za-z0-9_-]{22}")


def machine_name(text: str) -> MachineName:
    """Check a machine's name. Raises InvalidArgument (INVALID_NAME)."""
    return MachineName(_checked(text, "machine"))


def instance_name(text: str) -> InstanceName:
    """Check an instance's name. Raises InvalidArgument (INVALID_NAME)."""
    return InstanceName(_checked(text, "instance"))


def index_name(text: str) -> str:
    """Check the name of an index. Raises InvalidArgument (INVALID_NAME)."""
    return _checked(text, "index")


def version_id(text: str) -> VersionId:
    """Check a machine version's id. Raises InvalidArgument (INVALID_NAME)."""
    if not _ID.fullmatch(text) or not text.startswith("ver_"):
        raise InvalidArgument("INVALID_NAME", f"{text[:140]!r} is not a version id (ver_…)", field="version")
    return VersionId(text)


def mint(prefix: str, random16: bytes) -> str:
    """Return `prefix_` followed by the 22 base64url characters of 16 random bytes."""
    return f"{prefix}_{urlsafe_b64encode(random16).decode().rstrip('=')}"


def _checked(text: str, kind: str) -> str:
    if not _NAME.fullmatch(text):
        raise InvalidArgument(
            "INVALID_NAME",
            f"{text[:140]!r} is not a valid {kind} name: use 1 to 128 letters, digits, '-' or '_'",
            field=kind,
        )
    return text
