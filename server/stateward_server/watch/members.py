"""What one watch of a machine remembers: which instances it has shown, and up to which revision at first.

Bounded: of what it has forgotten, the log tells whether it was shown. Where the log has been cut off as
well, the answer is that nobody knows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from stateward_server.model.ledger import Instance, Transition
from stateward_server.model.names import InstanceUid
from stateward_server.ports.store import Ledger, Loaded

Visible = Callable[[Instance, Transition], Awaitable[bool]]

_REMEMBERED = 65_536


class Members:
    """The instances of a machine as one subscriber has seen them."""

    def __init__(self, ledger: Ledger, visible: Visible) -> None:
        self._ledger = ledger
        self._visible = visible
        self._known: OrderedDict[InstanceUid, bool] = OrderedDict()
        self._listed: dict[InstanceUid, int] = {}
        self._whole = True
        """What is not known was never shown."""

    def note_listed(self, loaded: Loaded, *, visible: bool) -> None:
        """Remember what the first pages have looked at."""
        self._listed[loaded.instance.uid] = loaded.last.revision
        if visible:
            self.set(loaded.instance.uid, member=True)

    def listed(self, uid: InstanceUid) -> int:
        """Return up to which revision the first pages have looked at it."""
        return self._listed.get(uid, 0)

    def end_of_list(self) -> None:
        """All that happened while the first pages were read has been seen."""
        self._listed.clear()

    def forget_all(self) -> None:
        """Begin in the middle: what was shown before is not known."""
        self._whole = False

    def set(self, uid: InstanceUid, *, member: bool) -> None:
        """Remember whether it is shown now."""
        if self._whole and not member:
            self._known.pop(uid, None)
            return
        self._known[uid] = member
        self._known.move_to_end(uid)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
            self._whole = False

    async def was(self, instance: Instance, revision: int) -> bool | None:
        """Tell whether it was shown just before that revision; None if that cannot be known."""
        known = self._known.get(instance.uid)
        if known is not None:
            return known
        if self._whole or revision <= 1:
            return False
        found = await self._ledger.history(instance.uid, revision - 2, 1)
        if not found or found[0].revision != revision - 1:
            return None
        return await self._visible(instance, found[0])

    def delete(self, uid: InstanceUid, *, certain: bool) -> bool:
        """Forget a deleted instance; tell whether it was shown, or, unless `certain`, may have been."""
        was = self._known.get(uid)
        self.set(uid, member=False)
        return (not self._whole and not certain) if was is None else was
