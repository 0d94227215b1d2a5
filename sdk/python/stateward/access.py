"""Who may do what, as values. They are immutable and know nothing of the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from .state import Json


class Role(Enum):
    """What a member may do."""

    OWNER = "owner"
    """Everything."""
    DEVELOPER = "developer"
    """Publish machines, create instances and send events; nothing that concerns who may come in."""
    VIEWER = "viewer"
    """Look."""
    UNKNOWN = "unknown"
    """Something that this version of the SDK does not know."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a caller is, and what it may do."""

    org: str | None
    """The organisation, `org_…`; None for a person who belongs to none, or to several and named none."""
    subject: str
    """`users/…` for a person, `keys/…` for whoever has a token that a key signed."""
    display_name: str
    """What a person is called."""
    role: Role | None
    """A person's role in the organisation."""
    scopes: tuple[str, ...]
    """What the caller may do there, sorted."""
    auth_context: dict[str, Json] = field(hash=False)
    """What machines see as the auth context."""
    expire_time: datetime | None
    """When the token expires, in UTC; None for one that does not."""
