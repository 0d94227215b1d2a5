"""What an organisation's audit log says of a call: who, what, when, for whom, and what became of it.

Never what was sent or answered, and nothing secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from stateward_server.model.names import OrgId


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One call."""

    id: str
    """`aud_` and 22 characters."""
    org: OrgId
    """Whose log it is in; NO_ORG while that is not known."""
    time_ms: int
    """When the call came, in Unix milliseconds."""
    subject: str
    """The id of a key or a user; blank for a call without a token."""
    method: str
    """Service and RPC, such as `KeyService.CreateKey`."""
    resource: str
    """What the call is about, by its resource name; blank where it names nothing."""
    acting: bool
    """Whether an administrator's token spoke for somebody else."""
    sub: str
    """The claim of that name in the caller's auth context, or blank."""
    sid: str
    """The same."""
    peer: str
    """The address the call came from."""
    outcome: str
    """OK or an error reason; blank while the call runs, and for ever if the server was killed meanwhile."""


@dataclass(frozen=True, slots=True)
class AuditOutcome:
    """What became of a call whose entry is written already."""

    entry: AuditEntry
    """As it was written."""
    org: OrgId
    resource: str
    outcome: str


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries of an organisation are wanted; blank is no condition."""

    org: OrgId
    subject: str = ""
    method: str = ""
    from_ms: int = 0
    until_ms: int = 1 << 62
    """Not included."""
