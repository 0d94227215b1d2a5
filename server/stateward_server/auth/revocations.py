"""Taking access back: whoever remembers a principal, or serves one, hears at once that it is over.

What a principal rests on has a name: a key's or an access token's id, or `place` for a person's place in an
organisation. The order that makes it sure: the store forgets first, then everyone hears of it. The id of a
user names what is remembered of them, on which nothing rests: it may change without harm to what is open.
"""

from __future__ import annotations

from collections.abc import Callable

from stateward_server.model.names import OrgId

Listener = Callable[[str], None]
"""Takes the name of what is no more. Must not fail."""


class Revocations:
    """Tells all listeners."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self.count = 0
        """How many there have been: whoever looks something up can tell whether it may have changed since."""

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def revoke(self, name: str) -> None:
        """Let everyone know that whatever rests on `name` is over."""
        self.count += 1
        for listener in self._listeners:
            listener(name)


def place(org: OrgId, user: str) -> str:
    """Return the name of a person's place in an organisation."""
    return f"{org}/{user}"
