"""Signing keys: made with scopes that their maker holds, listed, revoked at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from stateward_server.auth.revocations import Revocations
from stateward_server.auth.secrets import Secrets
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import AccessLimits
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import OrgId, mint
from stateward_server.model.org import Key
from stateward_server.model.principal import Principal
from stateward_server.orgs.refusals import absent, check, check_grant, check_room, checked_text
from stateward_server.ports.access import Keys as KeyRows
from stateward_server.ports.clock import Clock, Entropy


class Keys:
    """The keys of every organisation; each call names its own."""

    def __init__(
        self, store: KeyRows, secrets: Secrets, clock: Clock, entropy: Entropy, revocations: Revocations
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._entropy = entropy
        self._revocations = revocations
        self._limits = AccessLimits()

    async def create(
        self, by: Principal, display_name: str, scopes: Iterable[str], request: RequestRecord | None
    ) -> Key:
        """Raises InvalidArgument (INVALID_FIELD), PermissionDenied (SCOPE_MISSING), ResourceExhausted."""
        wanted = tuple(sorted(set(scopes)))
        if not wanted:
            raise InvalidArgument(
                "INVALID_FIELD", "say what the key is for: a use, or scopes", field="scopes"
            )
        check_grant(by, wanted)
        key = Key(
            mint("sbk", self._entropy.token_bytes(16)),
            by.org,
            checked_text(display_name, "display_name", self._limits.display_characters),
            wanted,
            self._clock.now_ms(),
        )
        request = request and replace(request, outcome=key.id)
        check_room(await self._store.create_key(key, self._limits.keys, request), self._limits.keys)
        return key

    def secret(self, key: str) -> str:
        """Return the secret of a key, by its id."""
        return self._secrets.signing_secret(key)

    async def get(self, org: OrgId, key: str) -> Key:
        """Raises NotFound (KEY_NOT_FOUND)."""
        found = await self._store.get_key(key)
        if found is None or found.org != org:
            raise absent("KEY_NOT_FOUND", key)
        return found

    async def list(self, org: OrgId, after: str, limit: int) -> Sequence[Key]:
        return await self._store.list_keys(org, after, limit)

    async def revoke(self, org: OrgId, key: str, request: RequestRecord | None) -> None:
        """Raises NotFound (KEY_NOT_FOUND)."""
        check(await self._store.delete_key(org, key, request), "KEY_NOT_FOUND", key)
        self._revocations.revoke(key)
