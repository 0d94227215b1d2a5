"""The access tokens of a person: made, listed, taken back. Each is shown once and never stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stateward_server.auth.revocations import Revocations
from stateward_server.auth.secrets import Secrets, token_digest
from stateward_server.model.limits import AccessLimits
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import mint
from stateward_server.model.org import AccessToken, User
from stateward_server.orgs.refusals import absent, check, check_room, checked_text
from stateward_server.ports.access import AccessTokens
from stateward_server.ports.clock import Clock, Entropy


class Accounts:
    """The tokens of every person; each call names its own."""

    def __init__(
        self, store: AccessTokens, secrets: Secrets, clock: Clock, entropy: Entropy, revocations: Revocations
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._entropy = entropy
        self._revocations = revocations
        self._limits = AccessLimits()

    async def create(self, user: User, display_name: str, request: RequestRecord | None) -> AccessToken:
        """Raises InvalidArgument (INVALID_FIELD), ResourceExhausted (ACCESS_FULL)."""
        name = checked_text(display_name, "display_name", self._limits.display_characters)
        token = AccessToken(mint("sat", self._entropy.token_bytes(16)), user.id, name, self._clock.now_ms())
        digest = token_digest(self.secret(token.id))
        request = request and replace(request, outcome=token.id)
        most = self._limits.access_tokens
        check_room(await self._store.create_token(token, digest, most, request), most)
        return token

    def secret(self, token: str) -> str:
        """Return the token itself, by its id."""
        return self._secrets.access_token(token)

    async def list(self, user: User, after: str, limit: int) -> Sequence[AccessToken]:
        return await self._store.list_tokens(user.id, after, limit)

    async def get(self, user: User, token: str) -> AccessToken:
        """Raises NotFound (ACCESS_TOKEN_NOT_FOUND)."""
        found = await self._store.find_token(token_digest(self.secret(token)))
        if found is None or found[1].id != user.id:
            raise absent("ACCESS_TOKEN_NOT_FOUND", token)
        return found[0]

    async def delete(self, user: User, token: str, request: RequestRecord | None) -> None:
        """Raises NotFound (ACCESS_TOKEN_NOT_FOUND)."""
        check(await self._store.delete_token(user.id, token, request), "ACCESS_TOKEN_NOT_FOUND", token)
        self._revocations.revoke(token)
