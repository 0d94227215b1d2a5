"""Who is calling, once it is known."""

from __future__ import annotations

from dataclasses import dataclass, field

from stateward_server.model.errors import InvalidArgument, PermissionDenied
from stateward_server.model.names import OrgId
from stateward_server.model.org import Role, User

NEVER = 1 << 62
NO_ORG = OrgId("")


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: one organisation, what it may do, and what the machine's authorisers see of it."""

    org: OrgId
    """NO_ORG for a person who belongs to none, or to several and has named none."""
    scopes: frozenset[str]
    auth_json: str
    """The authContext: a JSON object, `{}` for a person who acts for nobody."""
    subject: str
    """Whose credential it is, for logs: the id of a key or a user. Never a secret."""
    user: User | None = None
    """The person, if it is one."""
    role: Role | None = None
    """The person's role in the organisation."""
    expires_ms: int = field(default=NEVER, compare=False)
    """When the credential is over, in Unix milliseconds: an open stream ends then."""
    rests_on: frozenset[str] = frozenset()
    """Names of what it would not be without: see `auth/revocations.py`."""

    def require(self, scope: str) -> None:
        """Raise PermissionDenied (SCOPE_MISSING) unless the caller holds `scope`."""
        if scope not in self.scopes:
            if self.org == NO_ORG:
                raise InvalidArgument(
                    "ORG_NOT_CHOSEN",
                    "this call is about one organisation: name one that you belong to in 'stateward-org'",
                )
            raise PermissionDenied("SCOPE_MISSING", f"this call needs the scope {scope!r}", scope=scope)

    def person(self) -> User:
        """Return the caller, who must be a person. Raises PermissionDenied (PERSON_REQUIRED)."""
        if self.user is None:
            raise PermissionDenied(
                "PERSON_REQUIRED", "this call is for people: use an access token, not one that a key signed"
            )
        return self.user


NOBODY = Principal(NO_ORG, frozenset(), "{}", "nobody")
"""A caller without a token, where that is allowed."""
