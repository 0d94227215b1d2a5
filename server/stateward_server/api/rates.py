"""How often a caller may call, and how often an address may call without showing who it is.

Both count in token buckets that hold some seconds' worth, so that a burst passes and a flood does not. All of
it is in memory, bounded, and forgotten at a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv4Address, ip_address, ip_network
from urllib.parse import unquote

from stateward_server.model.errors import ResourceExhausted
from stateward_server.model.limits import RateLimits
from stateward_server.model.principal import Principal
from stateward_server.ports.clock import Clock

_BURST_S = 2
_BRAKE_S = 10
_KEPT = 10_000


class Buckets:
    """A bucket for each name, full at first. Of too many, the one unused for longest is full again."""

    def __init__(self, per_second: int, seconds: int, kept: int = _KEPT) -> None:
        """A bucket holds what is allowed in so many seconds; `kept` of them are remembered."""
        self.per_second = per_second
        self._room = seconds * per_second * 1000
        self._kept = kept
        # When each is full again. Times are in milliseconds times `per_second`, which makes one call 1000.
        self._full_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, name: str, now_ms: int) -> float:
        """Return after how many seconds the bucket holds one; 0.0 if it does now."""
        return max(0, self._next(name, now_ms) - self._room) / self.per_second / 1000

    def take(self, name: str, now_ms: int) -> None:
        """Take one."""
        self._full_at[name] = now_ms * self.per_second + self._next(name, now_ms)
        self._full_at.move_to_end(name)
        if len(self._full_at) > self._kept:
            self._full_at.popitem(last=False)

    def _next(self, name: str, now_ms: int) -> int:
        """Return how long the bucket would need to be full if one more were taken."""
        missing = self._full_at.get(name, 0) - now_ms * self.per_second
        # No bucket lacks more than it can hold, unless the clock was set back.
        return min(max(missing, 0), self._room) + 1000


class Rates:
    """How often each organisation and each key may call."""

    def __init__(self, limits: RateLimits, clock: Clock) -> None:
        self._clock = clock
        self._orgs = Buckets(limits.org_per_second, _BURST_S) if limits.org_per_second else None
        self._keys = Buckets(limits.key_per_second, _BURST_S) if limits.key_per_second else None

    @classmethod
    def of(cls, limits: RateLimits, clock: Clock) -> Rates | None:
        """Return what these limits ask for; None where they ask for nothing."""
        return cls(limits, clock) if limits.org_per_second or limits.key_per_second else None

    def count(self, who: Principal) -> None:
        """Count one call. Raises ResourceExhausted (RATE_LIMITED), and then it is not counted."""
        now_ms, key = self._clock.now_ms(), f"{who.org}/{who.subject}"
        if self._keys is not None and (wait := self._keys.wait(key, now_ms)):
            raise _limited("this key", self._keys.per_second, wait)
        if self._orgs is not None and (wait := self._orgs.wait(who.org, now_ms)):
            raise _limited("this organisation", self._orgs.per_second, wait)
        if self._keys is not None:
            self._keys.take(key, now_ms)
        if self._orgs is not None:
            self._orgs.take(who.org, now_ms)

    async def pace(self, who: Principal) -> None:
        """Count one request on a stream as soon as that is allowed.

        A refusal would end the stream, and whoever has many requests would make all of them again.
        """
        while True:
            try:
                return self.count(who)
            except ResourceExhausted as refusal:
                wait_ms = round((refusal.retry_after or 0) * 1000)
            await self._clock.sleep_until(self._clock.now_ms() + max(wait_ms, 1))


class Brake:
    """How often an address may call without showing who it is: tokens known to be good always pass."""

    def __init__(self, limits: RateLimits, clock: Clock) -> None:
        self._clock = clock
        self._failures = _brake(limits.failures_per_second)
        self._open = _brake(limits.open_per_second)

    @property
    def idle(self) -> bool:
        """Whether no address has failed, so that there is nothing to check."""
        return not self._failures

    def check(self, peer: str) -> None:
        """Raise ResourceExhausted (RATE_LIMITED) where nothing more of this peer shall be looked at."""
        if self._failures is not None:
            _check(self._failures, network_of(peer), self._clock, "invalid tokens from this address")

    def failed(self, peer: str) -> None:
        """Count a token, or another proof, that did not hold."""
        if self._failures is not None:
            self._failures.take(network_of(peer), self._clock.now_ms())

    def count(self, peer: str) -> None:
        """Count a call that needs no token. Raises ResourceExhausted (RATE_LIMITED)."""
        if self._open is not None:
            network = network_of(peer)
            _check(self._open, network, self._clock, "calls without a token from this address")
            self._open.take(network, self._clock.now_ms())


def network_of(peer: str) -> str:
    """Return the address in a gRPC peer such as `ipv4:10.0.0.7:123`; of IPv6 the /64, often one host's."""
    kind, _, rest = unquote(peer).partition(":")
    try:
        address = ip_address(rest.rpartition(":")[0].strip("[]").partition("%")[0])
    except ValueError:
        return kind
    if isinstance(address, IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))


def _brake(per_second: int) -> Buckets | None:
    return Buckets(per_second, _BRAKE_S) if per_second else None


def _check(buckets: Buckets, name: str, clock: Clock, what: str) -> None:
    if wait := buckets.wait(name, clock.now_ms()):
        raise _limited(what, buckets.per_second, wait)


def _limited(what: str, per_second: int, wait: float) -> ResourceExhausted:
    return ResourceExhausted(
        "RATE_LIMITED",
        f"{what}: more than {per_second} a second, slow down",
        retry_after=wait,
        limit=per_second,
    )
