"""Anonymous sessions: token exchange in which everybody may say who they are.

The setup and its names are those of State Backed. The client signs its own subject token, and the key is the
organisation's id, which is no secret. So the token proves nothing, and machines see `auth: "anonymous"`.
"""

from __future__ import annotations

from stateward_server.auth.scopes import PRODUCTION
from stateward_server.auth.seal import ProviderKeys
from stateward_server.model.names import OrgId, mint
from stateward_server.model.org import (
    AnonymousAccess,
    IdentityProvider,
    Key,
    TokenProvider,
    identity_provider_id,
)
from stateward_server.ports.clock import Entropy

SERVICE = "anonymous-statebacked-dev"

_SAID = '{"sid.$":"$.sid","did.$":"$.did"}'
_GIVEN = '{"sid.$":"$.sid","did.$":"$.did","auth":"anonymous"}'


class Anonymous:
    """Makes the records that let people in without an account."""

    def __init__(self, seals: ProviderKeys, entropy: Entropy) -> None:
        self._seals = seals
        self._entropy = entropy

    def access(self, org: OrgId, now_ms: int) -> AnonymousAccess:
        """Return them with a new key."""
        key = mint("sbk", self._entropy.token_bytes(16))
        place = identity_of(org)
        return AnonymousAccess(
            Key(key, org, "anonymous sessions", tuple(sorted(PRODUCTION)), now_ms),
            IdentityProvider(
                identity_provider_id(place, place),
                org,
                place,
                place,
                ("HS256",),
                None,
                self._seals.seal(org.encode(), org, place, place),
                _SAID,
                now_ms,
            ),
            TokenProvider(org, SERVICE, key, _GIVEN, now_ms),
        )


def identity_of(org: OrgId) -> str:
    """Return the issuer, and audience, of the tokens that anonymous clients sign."""
    return f"https://{org}.anonymous.auth.statebacked.dev"
