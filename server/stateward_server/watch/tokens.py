"""Resume tokens: where in which history a subscriber stands, signed so that only ours are believed.

Form: base64url(JSON [kind, …fields]) "." base64url(MAC), the MAC being the first 16 bytes of HMAC-SHA-256.
A token holds no secret and grants nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TypeVar

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.frame import Filter

P = TypeVar("P", "Position", "MachinePosition")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the history of one instance, the epoch of that revision, and the mode it was reached in."""

    store_id: str
    uid: int
    revision: int
    epoch: int
    every: bool


@dataclass(frozen=True, slots=True)
class MachinePosition:
    """A place in the ledger's order, as one watch of a machine reached it; `watched` names that watch.

    `epoch` is that of the run that wrote the token, so everything at or before `position` is of that epoch
    or an older one. `position` -1 is the beginning: the snapshot was not complete.
    """

    store_id: str
    watched: str
    position: int
    epoch: int


_compact = json.JSONEncoder(separators=(",", ":")).encode
_KINDS: dict[type[Position | MachinePosition], int] = {Position: 1, MachinePosition: 2}


class ResumeTokens:
    """Writes and reads tokens with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._last: tuple[Position | MachinePosition, str] | None = None

    def encode(self, position: Position | MachinePosition) -> str:
        # A thousand subscribers of one instance ask for the same token in a row.
        if self._last is not None and self._last[0] == position:
            return self._last[1]
        values = (getattr(position, field) for field in position.__slots__)
        fields = [_KINDS[type(position)], *values]
        body = urlsafe_b64encode(_compact(fields).encode())
        token = f"{body.decode()}.{urlsafe_b64encode(self._mac(body)).decode()}"
        self._last = (position, token)
        return token

    def decode(self, token: str, form: type[P]) -> P:
        """Raises InvalidArgument (RESUME_TOKEN_INVALID) for anything `encode` did not write for this form."""
        body, _, mac = token.encode("utf-8", "replace").partition(b".")
        try:
            genuine = hmac.compare_digest(urlsafe_b64decode(mac), self._mac(body))
            fields = json.loads(urlsafe_b64decode(body)) if genuine else None
        except ValueError:
            fields = None
        if fields is None or fields[0] != _KINDS[form]:
            raise invalid("is not one of this server's for such a stream")
        return form(*fields[1:])

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:16]


def watched(org: str, machine: str, chosen: Filter) -> str:
    """Name a watch of a machine by what it watches."""
    conditions = sorted([each.index, each.comparison.value, each.value] for each in chosen.indexes)
    # Without conditions as it was before there were any, so that older tokens stay good.
    what = json.dumps(
        [org, machine, sorted(chosen.states), sorted(chosen.tags), *([conditions] if conditions else [])]
    )
    return hashlib.blake2b(what.encode(), digest_size=16).hexdigest()


def invalid(why: str) -> InvalidArgument:
    return InvalidArgument("RESUME_TOKEN_INVALID", f"the resume token {why}: subscribe without one")
