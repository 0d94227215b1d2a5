"""The subscription service: requests checked, watches opened, frames as the contract writes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
from google.rpc import error_details_pb2
from tests.watch.fleet import Fleet
from tests.watch.kit import nudge

from stateward.v1 import instance_pb2
from stateward.v1 import subscription_service_pb2 as pb
from stateward_server.api.caller import caller
from stateward_server.api.subscriptions import SubscriptionServicer
from stateward_server.model.errors import InvalidArgument, NotFound, PermissionDenied
from stateward_server.model.names import OrgId
from stateward_server.model.principal import Principal
from stateward_server.query.query import Query
from stateward_server.testing.clock import settle
from stateward_server.watch.machine import MachineWatch

A = "machines/m/instances/a"
LATEST, EVERY = pb.WATCH_MODE_LATEST, pb.WATCH_MODE_EVERY_TRANSITION
EPOCH = 7


@pytest.fixture
def fleet() -> Fleet:
    fleet = Fleet()
    fleet.put("a", "hot", public='{"n":1}')
    return fleet


@pytest.fixture
def servicer(fleet: Fleet) -> Iterator[SubscriptionServicer]:
    before = caller.set(Principal(OrgId("org_a"), frozenset(), '{"sub":"alice"}', "admin"))
    query = Query(fleet.store, fleet.store, fleet.store, fleet.store)
    yield SubscriptionServicer(fleet.watch, MachineWatch(fleet.sources()), query, EPOCH)
    caller.reset(before)


class Responses:
    """Reads a stream of responses until it is quiet."""

    def __init__(self, stream: Any, kind: type[Any]) -> None:
        self._stream = stream
        self._kind = kind
        self._next: asyncio.Future[Any] | None = None

    async def read(self) -> Any:
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._stream))
        await settle()
        if not self._next.done():
            return None
        read, self._next = self._next.result(), None
        return self._kind.FromString(read) if isinstance(read, bytes) else read

    async def close(self) -> None:
        if self._next is not None:
            self._next.cancel()
            await settle()
        await self._stream.aclose()


def watch(servicer: SubscriptionServicer, **request: Any) -> Responses:
    message = pb.WatchInstanceRequest(**{"name": A, **request})
    return Responses(servicer.WatchInstance(message, cast(Any, None)), pb.WatchInstanceResponse)


# ------------------------------------------------------------------ one instance


@pytest.mark.parametrize("mode", [pb.WATCH_MODE_UNSPECIFIED, LATEST, EVERY])
async def test_frames_are_a_snapshot_and_changes(fleet: Fleet, servicer: SubscriptionServicer, mode: Any):
    reader = watch(servicer, mode=mode)
    first = await reader.read()
    assert first.WhichOneof("frame") == "snapshot"
    assert (first.epoch, first.snapshot.revision, first.snapshot.public_context_json) == (7, 1, '{"n":1}')
    fleet.put("a")
    fleet.put("a")
    second = await reader.read()
    assert second.WhichOneof("frame") == "changes"
    assert [each.revision for each in second.changes.states] == ([2, 3] if mode == EVERY else [3])
    assert second.resume_token != first.resume_token
    await reader.close()
    again = watch(servicer, mode=mode, resume_token=first.resume_token)
    assert (await again.read()).changes.states[-1].revision == 3
    await again.close()
    assert fleet.hub.count == 0


async def test_quiet_and_last_frames_carry_tokens_too(fleet: Fleet, servicer: SubscriptionServicer):
    reader = watch(servicer)
    await reader.read()
    nudge(fleet)
    progress = await reader.read()
    assert (progress.WhichOneof("frame"), progress.progress.revision) == ("progress", 1)
    fleet.hub.drain()
    draining = await reader.read()
    assert draining.WhichOneof("frame") == "draining"
    assert progress.resume_token == draining.resume_token != ""
    with pytest.raises(StopAsyncIteration):
        await reader.read()


async def test_a_frame_for_many_subscribers_is_written_once(fleet: Fleet, servicer: SubscriptionServicer):
    streams = [servicer.WatchInstance(pb.WatchInstanceRequest(name=A), cast(Any, None)) for _ in range(3)]
    for stream in streams:
        await anext(stream)
    fleet.put("a")
    frames = [await anext(stream) for stream in streams]
    assert isinstance(frames[0], bytes)
    assert all(frame is frames[0] for frame in frames)
    for stream in streams:
        await cast(Any, stream).aclose()


async def test_frames_of_different_length_to_the_same_place_are_not_mixed_up(
    fleet: Fleet, servicer: SubscriptionServicer
):
    ahead, behind = watch(servicer, mode=EVERY), watch(servicer, mode=EVERY)
    await ahead.read()
    await behind.read()
    fleet.put("a")
    await ahead.read()
    fleet.put("a")
    assert [each.revision for each in (await ahead.read()).changes.states] == [3]
    assert [each.revision for each in (await behind.read()).changes.states] == [2, 3]
    await ahead.close()
    await behind.close()


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        ({"name": "a"}, "INVALID_NAME", "name"),
        ({"mode": 9}, "INVALID_FIELD", "mode"),
        ({"resume_token": "x"}, "RESUME_TOKEN_INVALID", None),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(
    fleet: Fleet, servicer: SubscriptionServicer, request_: dict[str, Any], reason: str, field: str | None
):
    with pytest.raises(InvalidArgument) as refused:
        await watch(servicer, **request_).read()
    assert refused.value.reason == reason
    assert refused.value.metadata.get("field") == field
    assert fleet.hub.count == 0


# ------------------------------------------------------------------ many instances


class Requests:
    """What a client says on its side of the stream, when it says it."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[pb.WatchInstancesRequest | None] = asyncio.Queue()

    def add(self, name: str = A, **kind: Any) -> None:
        self._said.put_nowait(pb.WatchInstancesRequest(add=pb.WatchAdd(name=name, **kind)))

    def remove(self, name: str = A) -> None:
        self._said.put_nowait(pb.WatchInstancesRequest(remove=pb.WatchRemove(name=name)))

    def nothing(self) -> None:
        self._said.put_nowait(pb.WatchInstancesRequest())

    def done(self) -> None:
        self._said.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[pb.WatchInstancesRequest]:
        while (request := await self._said.get()) is not None:
            yield request


@pytest.fixture
async def many(fleet: Fleet, servicer: SubscriptionServicer) -> AsyncIterator[tuple[Requests, Responses]]:
    requests = Requests()
    stream = servicer.WatchInstances(cast(Any, requests), cast(Any, None))
    responses = Responses(stream, pb.WatchInstancesResponse)
    yield requests, responses
    await responses.close()
    assert fleet.hub.count == 0


async def test_frames_of_many_name_their_instance(fleet: Fleet, many: tuple[Requests, Responses]):
    requests, responses = many
    requests.add(mode=EVERY)
    first = await responses.read()
    assert (first.name, first.epoch, first.snapshot.revision) == (A, 7, 1)
    fleet.put("b")
    requests.add("machines/m/instances/b")
    assert (await responses.read()).name == "machines/m/instances/b"
    fleet.put("a")
    changed = await responses.read()
    assert (changed.name, changed.changes.states[0].revision) == (A, 2)
    assert changed.resume_token


async def test_a_removed_watch_ends_well(many: tuple[Requests, Responses]):
    requests, responses = many
    requests.add()
    await responses.read()
    requests.remove()
    ended = await responses.read()
    assert (ended.WhichOneof("frame"), ended.ended.status.code, ended.resume_token) == ("ended", 0, "")


async def test_a_refused_watch_ends_with_the_status_it_would_have_alone(many: tuple[Requests, Responses]):
    requests, responses = many
    requests.add("machines/m/instances/none")
    ended = await responses.read()
    assert (ended.name, ended.ended.status.code) == ("machines/m/instances/none", 5)
    info = error_details_pb2.ErrorInfo()
    assert [each.Unpack(info) for each in ended.ended.status.details] == [True]
    assert (info.reason, info.domain) == ("INSTANCE_NOT_FOUND", "stateward")


async def test_a_client_that_asks_for_no_more_keeps_what_it_has(
    fleet: Fleet, many: tuple[Requests, Responses]
):
    requests, responses = many
    requests.add()
    requests.done()
    await responses.read()
    fleet.put("a")
    assert (await responses.read()).changes.states[0].revision == 2


@pytest.mark.parametrize(
    ("nonsense", "reason", "field"),
    [
        (lambda requests: requests.nothing(), "INVALID_FIELD", "action"),
        (lambda requests: requests.add("a"), "INVALID_NAME", "add.name"),
        (lambda requests: requests.add(mode=9), "INVALID_FIELD", "mode"),
        (lambda requests: requests.remove("a"), "INVALID_NAME", "remove.name"),
    ],
)
async def test_nonsense_ends_the_stream(
    many: tuple[Requests, Responses], nonsense: Any, reason: str, field: str
):
    requests, responses = many
    requests.add()
    await responses.read()
    nonsense(requests)
    with pytest.raises(InvalidArgument) as refused:
        await responses.read()
    assert (refused.value.reason, refused.value.metadata) == (reason, {"field": field})


async def test_a_fault_while_requests_are_read_is_not_swallowed(servicer: SubscriptionServicer):
    async def broken() -> AsyncIterator[pb.WatchInstancesRequest]:
        for request in (None, pb.WatchInstancesRequest()):
            await asyncio.sleep(0)
            if request is None:
                raise RuntimeError("a bug")
            yield request

    responses = Responses(servicer.WatchInstances(broken(), cast(Any, None)), pb.WatchInstancesResponse)
    with pytest.raises(RuntimeError, match="a bug"):
        await responses.read()


# ------------------------------------------------------------------ a machine


def watch_machine(servicer: SubscriptionServicer, **request: Any) -> Responses:
    message = pb.WatchMachineRequest(**{"parent": "machines/m", **request})
    return Responses(servicer.WatchMachine(message, cast(Any, None)), pb.WatchMachineResponse)


async def test_a_machines_frames_are_pages_and_changes(fleet: Fleet, servicer: SubscriptionServicer):
    reader = watch_machine(servicer, filter=pb.InstanceFilter(tags=["hot"]))
    page = await reader.read()
    assert (page.WhichOneof("frame"), page.epoch, page.snapshot.complete) == ("snapshot", 7, True)
    [instance] = page.snapshot.instances
    assert (instance.name, instance.state.revision) == (A, 1)
    seen = []
    for tags in (["hot"], [], ["hot"]):
        fleet.put("a", *tags)
        [change] = (await reader.read()).changes.changes
        assert change.name == A
        seen.append((change.WhichOneof("change"), getattr(change, change.WhichOneof("change")).revision))
    fleet.remove("a")
    [gone] = (await reader.read()).changes.changes
    seen.append((gone.WhichOneof("change"), gone.left.revision))
    assert seen == [("changed", 2), ("left", 3), ("entered", 4), ("left", 0)]
    nudge(fleet)
    assert (await reader.read()).WhichOneof("frame") == "progress"
    fleet.hub.drain()
    assert (await reader.read()).WhichOneof("frame") == "draining"
    await reader.close()


async def test_a_machine_that_is_not_there_cannot_be_watched(fleet: Fleet, servicer: SubscriptionServicer):
    with pytest.raises(NotFound) as refused:
        await watch_machine(servicer, parent="machines/none").read()
    assert refused.value.reason == "MACHINE_NOT_FOUND"
    assert fleet.hub.count == 0


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"parent": "m"}, "INVALID_NAME"),
        ({"filter": pb.InstanceFilter(states=["s"] * 101)}, "INVALID_FIELD"),
        ({"filter": pb.InstanceFilter(tags=["t"] * 101)}, "INVALID_FIELD"),
        ({"resume_token": "x"}, "RESUME_TOKEN_INVALID"),
    ],
)
async def test_a_watch_of_a_machine_that_makes_no_sense_is_refused(
    fleet: Fleet, servicer: SubscriptionServicer, request_: dict[str, Any], reason: str
):
    with pytest.raises(InvalidArgument) as refused:
        await watch_machine(servicer, **request_).read()
    assert refused.value.reason == reason
    assert fleet.hub.count == 0


async def test_choosing_by_an_index_needs_the_scope_to_read_indexes(servicer: SubscriptionServicer):
    condition = instance_pb2.IndexCondition(index="owner", value="ann")
    request = pb.WatchMachineRequest(parent="machines/m", filter=pb.InstanceFilter(indexes=[condition]))
    with pytest.raises(PermissionDenied) as caught:
        await anext(servicer.WatchMachine(request, cast(Any, None)))
    assert caught.value.metadata == {"scope": "indexes.read"}
