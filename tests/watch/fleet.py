"""A machine with many instances to watch, on top of the world of one."""

from __future__ import annotations

from tests.watch.kit import AUTH, MACHINE, ORG, VERSION, Reader, World, now, transition

from stateward_server.model.frame import (
    Change,
    Changed,
    Entered,
    Filter,
    Left,
    MachineFrame,
    Page,
    Stirred,
)
from stateward_server.model.index import Comparison, IndexCondition
from stateward_server.model.ledger import Commit, Committed, Instance, InstanceKey, Transition
from stateward_server.model.machine import Machine
from stateward_server.model.names import instance_name
from stateward_server.model.step import Status
from stateward_server.watch.machine import MachineWatch

ALL = Filter()
HOT = Filter(tags=frozenset({"hot"}))
INDEXED = Filter(indexes=frozenset({IndexCondition("tag", Comparison.EQUAL, "hot")}))
"""The same by an index."""


class Fleet(World):
    """Instances by name. What is durable is published at once, or in order by `publish` when told to wait."""

    def __init__(self, *, buffer_bytes: int = 4_000_000, epoch: int = 1) -> None:
        super().__init__(buffer_bytes=buffer_bytes, epoch=epoch)
        self.alive: dict[str, tuple[Instance, Transition]] = {}
        self.waiting: list[tuple[Instance, tuple[Transition, ...], int]] = []
        now(self.store.create_machine(Machine(ORG, MACHINE, None, 0), None))

    def put(
        self,
        name: str = "a",
        *tags: str,
        size: int = 100,
        public: str | None = None,
        publish: bool = True,
        status: Status = Status.ACTIVE,
    ) -> None:
        """Create the instance, or move it on; it has these tags then."""
        if name in self.alive:
            instance, last = self.alive[name]
            base = last.revision
        else:
            instance, base = Instance(now(self.store.allocate_uid()), key(name), VERSION, 0), 0
        entry = transition(base + 1, epoch=self.epoch, size=size, public=public, tags=tags, status=status)
        [result] = now(self.store.apply([Commit(instance, base, (entry,), (), ())]))
        assert isinstance(result, Committed)
        self.alive[name] = instance, entry
        self._tell(instance, (entry,), result.position, publish=publish)

    def remove(self, name: str = "a", *, publish: bool = True) -> None:
        instance, _ = self.alive.pop(name)
        position = now(self.store.delete_instance(instance.uid, None))
        self._tell(instance, (), position, publish=publish)

    def publish(self) -> None:
        """Tell the hub what it has not been told."""
        waiting, self.waiting = self.waiting, []
        for instance, transitions, position in waiting:
            self.hub.publish(instance, transitions, position)

    def watching(
        self, chosen: Filter = ALL, *, token: str = "", auth: str = AUTH, store_id: str = "store-1"
    ) -> Reader[MachineFrame]:
        watch = MachineWatch(self.sources(store_id))
        return Reader(watch.stream(ORG, MACHINE, auth, chosen, token))

    def _tell(
        self, instance: Instance, transitions: tuple[Transition, ...], position: int, *, publish: bool
    ) -> None:
        self.waiting.append((instance, transitions, position))
        if publish:
            self.publish()


def key(name: str) -> InstanceKey:
    return InstanceKey(ORG, MACHINE, instance_name(name))


def told(frames: list[MachineFrame]) -> list[str]:
    """What frames say, as `+a1` entered (or in a page), `~a2` changed, `-a3` left; quiet ones nothing."""
    found: list[str] = []
    for frame in frames:
        if isinstance(frame, Page):
            found.extend(f"+{each.instance.key.name}{each.transition.revision}" for each in frame.entries)
        elif isinstance(frame, Stirred):
            assert frame.changes
            found.extend(map(_told, frame.changes))
    return found


def apply(frames: list[MachineFrame], members: dict[str, int]) -> None:
    """Keep a client's picture: which instances it believes to match, and at which revision."""
    for each in told(frames):
        name, revision = each[1], int(each[2:])
        if each[0] == "-":
            members.pop(name, None)
        else:
            assert revision > members.get(name, 0)
            members[name] = revision


def _told(change: Change) -> str:
    match change:
        case Entered(entry):
            return f"+{entry.instance.key.name}{entry.transition.revision}"
        case Changed(entry):
            return f"~{entry.instance.key.name}{entry.transition.revision}"
        case Left(instance, revision):
            return f"-{instance.key.name}{revision}"
