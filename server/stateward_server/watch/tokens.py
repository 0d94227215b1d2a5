"""Resume tokens: where in which history a subscriber stands, signed so that only ours are believed.

Form: base64url(JSON [format, store id, uid, revision, epoch of that revision, mode]) "." base64url(MAC),
the MAC being the first 16 bytes of HMAC-SHA-256. A token holds no secret and grants nothing.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.names import InstanceUid

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the history of one instance, and the mode it was reached in."""

    store_id: str
    uid: InstanceUid
    revision: int
    epoch: int
    every: bool


class ResumeTokens:
    """Writes and reads tokens with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._last: tuple[Position, str] | None = None

    def encode(self, position: Position) -> str:
        # A thousand subscribers of one instance ask for the same token in a row.
        if self._last is not None and self._last[0] == position:
            return self._last[1]
        fields = [
            _FORMAT,
            position.store_id,
            position.uid,
            position.revision,
            position.epoch,
            int(position.every),
        ]
        body = urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode())
        token = f"{body.decode()}.{urlsafe_b64encode(self._mac(body)).decode()}"
        self._last = (position, token)
        return token

    def decode(self, token: str) -> Position:
        """Raises InvalidArgument (RESUME_TOKEN_INVALID) for anything `encode` did not write."""
        body, _, mac = token.encode("utf-8", "replace").partition(b".")
        try:
            genuine = hmac.compare_digest(urlsafe_b64decode(mac), self._mac(body))
            fields = json.loads(urlsafe_b64decode(body)) if genuine else None
        except ValueError:
            fields = None
        if fields is None or fields[0] != _FORMAT:
            raise invalid("is not one of this server's")
        _, store_id, uid, revision, epoch, every = fields
        return Position(store_id, InstanceUid(uid), revision, epoch, bool(every))

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:16]


def invalid(why: str) -> InvalidArgument:
    return InvalidArgument("RESUME_TOKEN_INVALID", f"the resume token {why}: subscribe without one")
