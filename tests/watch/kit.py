"""A world to watch: a memory store, a hub, and machine authorisers and readers that do what a test says."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Generic, TypeVar

import pytest

from stateward_server.model.errors import PermissionDenied, StatewardError, no_instance
from stateward_server.model.frame import Changes, Draining, Frame, MachineFrame, Progress, Snapshot
from stateward_server.model.ledger import Cause, Commit, Committed, Instance, InstanceKey, Transition
from stateward_server.model.machine import Machine
from stateward_server.model.names import OrgId, VersionId, instance_name, machine_name
from stateward_server.model.step import Status, View
from stateward_server.ports.store import Loaded, StoreIdentity
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy, settle
from stateward_server.watch.hub import Hub
from stateward_server.watch.many import Ended
from stateward_server.watch.readers import Readers
from stateward_server.watch.sources import Sources
from stateward_server.watch.tokens import ResumeTokens
from stateward_server.watch.watch import Watch

ORG = OrgId("org_a")
MACHINE = machine_name("m")
KEY = InstanceKey(ORG, MACHINE, instance_name("i"))
VERSION = VersionId("ver_1")
AUTH = '{"sub":"alice"}'
MODES = pytest.mark.parametrize("every", [True, False])

_ROUNDS = 500
"""More turns of the loop than a stream needs from one frame to the next."""

Verdict = Callable[[Instance, Transition, str], bool]


def transition(
    revision: int,
    *,
    epoch: int = 1,
    size: int = 100,
    public: str | None = None,
    tags: tuple[str, ...] = (),
    status: Status = Status.ACTIVE,
) -> Transition:
    """A transition whose snapshot has `size` characters. The index `tag` finds it by its tags."""
    view = View(f'"s{revision}"', (f"s{revision}",), tags, public, status, settled=True)
    snapshot = "{}".ljust(size)
    indexes = frozenset(("tag", tag) for tag in tags)
    return Transition(
        revision, epoch, revision, Cause.EVENT, '{"type":"go"}', snapshot, view, VERSION, None, indexes
    )


def allow(_instance: Instance, _transition: Transition, _auth_json: str) -> bool:
    return True


class PausingStore(MemoryStore):
    """Lets the test act before and after everything a stream reads."""

    pause: Callable[[], object] | None = None

    async def history(self, uid, after, limit):
        self._pause()
        page = await super().history(uid, after, limit)
        self._pause()
        return page

    async def oldest_revision(self, uid):
        self._pause()
        oldest = await super().oldest_revision(uid)
        self._pause()
        return oldest

    async def list_instances(self, org, machine, after, limit):
        self._pause()
        page = await super().list_instances(org, machine, after, limit)
        self._pause()
        return page

    async def changes_after(self, org, machine, position, limit):
        self._pause()
        page = await super().changes_after(org, machine, position, limit)
        self._pause()
        return page

    def forget_before(self, uid: int, revision: int) -> None:
        """Cut history off, as a later version of the store may do."""
        record = self._records[uid]  # type: ignore[index]  # a uid is an int
        record.history[:] = [each for each in record.history if each.revision >= revision]

    def _pause(self) -> None:
        if self.pause is not None:
            self.pause()


class World:
    """One store with one instance, and the watch room over it."""

    def __init__(self, *, buffer_bytes: int = 4_000_000, epoch: int = 1) -> None:
        self.clock = ManualClock(0)
        self.store = PausingStore(clock=self.clock, entropy=SeededEntropy())
        self.hub = Hub(self.clock, buffer_bytes=buffer_bytes)
        self.verdict: Verdict = allow
        self.asked: list[tuple[int, str]] = []
        self.epoch = epoch
        self.instance: Instance | None = None
        self.last: Transition | None = None
        self.unpublished: list[Transition] = []
        self.readers = Readers(self.may_read)
        self.watch = self.reopened("store-1")

    def sources(self, store_id: str = "store-1", key: bytes = b"k" * 32) -> Sources:
        """What streams draw from, in a run of the server of `epoch`, over a store of that id."""
        identity = StoreIdentity(store_id, self.epoch)
        tokens = ResumeTokens(key)
        return Sources(self.hub, self.store, self.store, identity, self.read, self.readers, tokens)

    def reopened(self, store_id: str) -> Watch:
        """The watch room as after a restart."""
        return Watch(self.sources(store_id))

    def restart(self) -> None:
        """Another run of the server over the same store: nobody watches, and the hub knows nothing."""
        self.epoch += 1
        self.hub = Hub(self.clock)
        self.readers = Readers(self.may_read)
        self.watch = self.reopened("store-1")

    def copy(self) -> dict[str, object]:
        """A copy of the store as it is now."""
        return copy.deepcopy({key: value for key, value in vars(self.store).items() if key != "_identity"})

    def restore(self, saved: dict[str, object]) -> None:
        """Another run of the server, over a copy taken earlier."""
        vars(self.store).update(copy.deepcopy(saved))
        self.restart()

    def prune(self) -> None:
        """Forget all history that may be forgotten."""
        now(self.store.prune(0, 1 << 62, 1 << 30))

    async def may_read(self, instance: Instance, entry: Transition, auth_json: str) -> bool:
        self.asked.append((entry.revision, auth_json))
        self.store._pause()
        await asyncio.sleep(0)
        return self.verdict(instance, entry, auth_json)

    async def read(self, key: InstanceKey, auth_json: str) -> Loaded:
        self.store._pause()
        loaded = await self.store.load(key)
        await asyncio.sleep(0)
        self.store._pause()
        if loaded is None:
            raise no_instance(key.machine, key.name)
        if not self.verdict(loaded.instance, loaded.last, auth_json):
            raise PermissionDenied("REJECTED_BY_MACHINE_AUTHORIZER", "no")
        return loaded

    # ------------------------------------------------------------------ what the engine would do

    def create(self, *, size: int = 100) -> Instance:
        """Create the instance: revision 1."""
        now(self.store.create_machine(Machine(ORG, MACHINE, None, 0), None))
        uid = now(self.store.allocate_uid())
        self.instance = Instance(uid, KEY, VERSION, 0)
        self.last = None
        self.commit(size=size)
        self.publish()
        return self.instance

    def commit(self, count: int = 1, **kind: Any) -> None:
        """Make transitions durable, each in a commit of its own, and tell nobody yet."""
        for _ in range(count):
            self.commit_batch(1, **kind)

    def commit_batch(self, count: int, **kind: Any) -> None:
        """Make transitions durable in one commit."""
        assert self.instance is not None
        base = self.last.revision if self.last else 0
        entries = tuple(transition(base + 1 + n, epoch=self.epoch, **kind) for n in range(count))
        [result] = now(self.store.apply([Commit(self.instance, base, entries, (), ())]))
        assert isinstance(result, Committed)
        self.last = entries[-1]
        self.unpublished.extend(entries)

    def publish(self) -> None:
        """Tell the hub what has been made durable."""
        assert self.instance is not None
        if self.unpublished:
            self.hub.publish(self.instance, tuple(self.unpublished), now(self.store.position()))
            self.unpublished = []

    def step(self, count: int = 1, **kind: Any) -> None:
        """Commit and publish, one by one."""
        for _ in range(count):
            self.commit(**kind)
            self.publish()

    def delete(self) -> None:
        assert self.instance is not None
        self.publish()
        position = now(self.store.delete_instance(self.instance.uid, None))
        self.hub.publish(self.instance, (), position)

    # ------------------------------------------------------------------ what a subscriber would do

    def stream(
        self, *, every: bool = True, token: str = "", auth: str = AUTH, watch: Watch | None = None
    ) -> Reader[Frame]:
        return Reader((watch or self.watch).stream(KEY, auth, every=every, token=token))


T = TypeVar("T")
F = TypeVar("F", Frame, MachineFrame, tuple[InstanceKey, Frame | Ended])


class Reader(Generic[F]):
    """Reads a stream a frame at a time, and tells when it is quiet."""

    def __init__(self, frames: AsyncGenerator[F, None]) -> None:
        self._frames: AsyncGenerator[F, None] = frames
        self._next: asyncio.Future[F] | None = None
        self.token = ""

    async def read(self) -> F | None:
        """Return the next frame, or None when everything rests without one. Raises what the stream raises."""
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._frames))
        for _ in range(_ROUNDS):
            if self._next.done():
                break
            await asyncio.sleep(0)
        if not self._next.done():
            return None
        frame, self._next = self._next, None
        self.token = getattr(frame.result(), "token", "") or self.token
        return frame.result()

    async def all(self) -> list[F]:
        """Return the frames up to where the stream is quiet."""
        frames = []
        while (frame := await self.read()) is not None:
            frames.append(frame)
        return frames

    async def close(self) -> None:
        if self._next is not None:
            self._next.cancel()
            await settle(5)
        async with aclosing(self._frames):
            pass


def nudge(world: World) -> None:
    """A sign of life is due on every stream."""
    for slot in world.hub._slots:
        for buffer in slot:
            buffer.nudge()


def revisions(frames: list[Frame]) -> list[int]:
    """The revisions that frames of states carry, in order."""
    found: list[int] = []
    for frame in frames:
        match frame:
            case Snapshot():
                found.append(frame.transition.revision)
            case Changes():
                assert frame.transitions
                found.extend(each.revision for each in frame.transitions)
            case _:
                assert isinstance(frame, Progress | Draining)
    return found


def now(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, which is all there is in the memory store."""
    try:
        work.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("it waits")


async def refused(world: World, **how: object) -> StatewardError:
    """Return what a stream is refused with, before it has told anything."""
    reader = world.stream(**how)  # type: ignore[arg-type]  # passed through
    with pytest.raises(StatewardError) as caught:
        await reader.read()
    assert world.hub.count == 0
    return caught.value
