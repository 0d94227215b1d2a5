"""Who is calling, once it is known."""

from __future__ import annotations

from dataclasses import dataclass, field

from stateward_server.model.errors import PermissionDenied
from stateward_server.model.names import OrgId

NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: one organisation, what it may do, and what the machine's authorisers see of it."""

    org: OrgId
    scopes: frozenset[str]
    auth_json: str
    """The authContext: a JSON object, `{}` for an administrator who acts for nobody."""
    subject: str
    """Whose credential it is, for logs: a key id or `admin`. Never a secret."""
    expires_ms: int = field(default=NEVER, compare=False)
    """When the credential is over, in Unix milliseconds: an open stream ends then."""

    def require(self, scope: str) -> None:
        """Raise PermissionDenied (SCOPE_MISSING) unless the caller holds `scope`."""
        if scope not in self.scopes:
            raise PermissionDenied("SCOPE_MISSING", f"this call needs the scope {scope!r}", scope=scope)
