"""Key sets of identity providers (JWKS, RFC 7517): fetched when needed, kept for a while, shared by all.

A set is fresh for as long as its server says, within bounds. A key id that is not in it causes one more
fetch, as providers publish a new key before they use it. Fetches of one address keep a distance, whoever
asks, so that tokens with invented key ids do not become requests; until the next one it is not known whether
such a key is new, and the caller is asked to come again. When an address cannot be read, the keys of before
are used for some hours: a provider's bad day should not be everyone's.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, OrderedDict
from dataclasses import dataclass

import structlog

from stateward_server.auth.verification import PublicKey, fits, read_jwk
from stateward_server.model.errors import Unavailable
from stateward_server.model.names import OrgId
from stateward_server.ports.clock import Clock
from stateward_server.ports.fetch import Fetch, FetchFailed

FRESH_S = 600
"""How long a set is fresh whose server says nothing."""
FRESH_LEAST_S, FRESH_MOST_S = 60, 3_600
STALE_MS = 6 * 3_600_000
"""How long after its last fetch a set is used when it cannot be fetched again."""
PAUSE_MS = 10_000
"""Distance between two fetches of one address."""
MAX_KEYS = 32
"""Keys of one set."""
MAX_SETS = 256
MAX_FETCHES = 8
"""Fetches under way at once, of all addresses."""
MAX_FETCHES_EACH = 2
"""Those that one organisation has caused: its slow addresses must not keep the others from theirs."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SetKey:
    """One key of a set; None where it is silent."""

    kid: str | None
    algorithm: str | None
    key: PublicKey

    def serves(self, kid: str | None, algorithm: str) -> bool:
        return kid in (None, self.kid) and self.algorithm in (None, algorithm) and fits(algorithm, self.key)


@dataclass(slots=True, eq=False)
class _Set:
    """What is known of one address."""

    keys: tuple[SetKey, ...] = ()
    fetched_ms: int | None = None
    fresh_until_ms: int = 0
    tried_ms: int | None = None
    fetching: asyncio.Task[bool] | None = None

    def pause_left(self, now_ms: int) -> int:
        """Milliseconds until the next fetch may begin. A clock that was set back delays nothing."""
        if self.tried_ms is None or now_ms < self.tried_ms:
            return 0
        return max(0, self.tried_ms + PAUSE_MS - now_ms)

    def usable(self, now_ms: int) -> bool:
        return self.fetched_ms is not None and now_ms < self.fetched_ms + STALE_MS


class KeySets:
    """Finds the key of a token. Bounded in addresses, keys, and fetches."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._sets: OrderedDict[str, _Set] = OrderedDict()
        self._fetching: Counter[OrgId] = Counter()

    def objection(self, url: str) -> str | None:
        """Say why a set at this address would never be fetched; None when it may be."""
        return self._fetch.objection(url)

    async def find(self, org: OrgId, url: str, kid: str | None, algorithm: str) -> PublicKey | None:
        """Return the key for a token of this key id and algorithm; None when the set has not exactly one.

        Raises Unavailable (IDENTITY_PROVIDER_UNAVAILABLE) when no set could be had, or none new enough to say
        that it lacks the key.
        """
        known = self._known(url)
        current = known.fresh_until_ms <= self._clock.now_ms() and await self._refresh(org, url, known)
        found = self._pick(known, kid, algorithm)
        if not found and not current:
            current = await self._refresh(org, url, known)
            found = self._pick(known, kid, algorithm)
        now = self._clock.now_ms()
        if not current and (not found or not known.usable(now)):
            raise Unavailable(
                "IDENTITY_PROVIDER_UNAVAILABLE",
                "the keys of the identity provider cannot be read now: try again",
                retry_after=max(1.0, known.pause_left(now) / 1000),
            )
        return found[0].key if len(found) == 1 else None

    def _known(self, url: str) -> _Set:
        known = self._sets.setdefault(url, _Set())
        self._sets.move_to_end(url)
        if len(self._sets) > MAX_SETS:
            self._sets.popitem(last=False)
        return known

    def _pick(self, known: _Set, kid: str | None, algorithm: str) -> list[SetKey]:
        return [key for key in known.keys if key.serves(kid, algorithm)]

    async def _refresh(self, org: OrgId, url: str, known: _Set) -> bool:
        """Fetch the set, or wait for whoever is at it; do nothing while it is too early for another.

        Return whether the set was read.
        """
        if known.fetching is None:
            if known.pause_left(self._clock.now_ms()) or not self._has_room(org):
                return False
            known.tried_ms = self._clock.now_ms()
            self._fetching[org] += 1
            known.fetching = asyncio.create_task(self._load(org, url, known))
        # A caller who gives up leaves the fetch to the others.
        return await asyncio.shield(known.fetching)

    def _has_room(self, org: OrgId) -> bool:
        return self._fetching.total() < MAX_FETCHES and self._fetching[org] < MAX_FETCHES_EACH

    async def _load(self, org: OrgId, url: str, known: _Set) -> bool:
        try:
            document = await self._fetch.fetch(url)
            known.keys = read_set(document.body)
        except (FetchFailed, ValueError) as error:
            log.warning("key_set_unreadable", url=url, reason=str(error), keys_kept=len(known.keys))
            return False
        else:
            now = self._clock.now_ms()
            age_s = FRESH_S if document.max_age_s is None else document.max_age_s
            known.fetched_ms = now
            known.fresh_until_ms = now + min(max(age_s, FRESH_LEAST_S), FRESH_MOST_S) * 1000
            return True
        finally:
            self._fetching[org] -= 1
            if not self._fetching[org]:
                del self._fetching[org]
            known.fetching = None


def read_set(body: bytes) -> tuple[SetKey, ...]:
    """Return the usable keys of a JWKS; those for other uses are left out. Raises ValueError."""
    try:
        document = json.loads(body)
        listed = list(document["keys"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError("it is not a key set, which is a JSON object with a list of keys") from None
    if len(listed) > MAX_KEYS:
        raise ValueError(f"the key set has {len(listed)} keys, {MAX_KEYS} are allowed")
    return tuple(key for entry in listed if isinstance(entry, dict) and (key := _set_key(entry)) is not None)


def _set_key(jwk: dict[str, object]) -> SetKey | None:
    kid, algorithm, key = jwk.get("kid"), jwk.get("alg"), read_jwk(jwk)
    if key is None or not isinstance(kid, str | None) or not isinstance(algorithm, str | None):
        return None
    return SetKey(kid, algorithm, key)
