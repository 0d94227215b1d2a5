from __future__ import annotations

import re
from typing import Any

import pytest
from tests.sdk.fakes import Watched, WatchResponse, changes, snapshot, state

from stateward import DeadlineExceeded, InstanceEnded, InstanceNotFound
from stateward.v1 import subscription_service_pb2


def became(revision: int, value: str, *tags: str, ended: bool = False) -> WatchResponse:
    return WatchResponse(
        resume_token=f"after-{revision}",
        changes=subscription_service_pb2.StateChanges(
            states=[state(revision, value, tags=list(tags), ended=ended)]
        ),
    )


@pytest.mark.parametrize(
    ("asked", "revision"),
    [
        ({"state": "paid"}, 2),
        ({"tag": "busy"}, 3),
        ({"done": True}, 4),
        ({"predicate": lambda state: state.revision >= 3}, 3),
        ({"tag": "busy", "predicate": lambda state: state.revision >= 1}, 3),
        ({"state": "on"}, 1),
    ],
)
async def test_the_first_state_that_fits_is_returned(server, instance, asked: Any, revision) -> None:
    watched = Watched(
        [snapshot(1), became(2, "paid"), became(3, "sent", "busy"), became(4, "end", ended=True)]
    )
    server.will("WatchInstance", watched)
    assert (await instance.wait_for(**asked)).revision == revision
    await watched.closed.wait()
    (request,) = server.requests("WatchInstance")
    assert request.mode == subscription_service_pb2.WATCH_MODE_EVERY_TRANSITION


async def test_time_runs_out(server, instance) -> None:
    watched = Watched([snapshot(1)])
    server.will("WatchInstance", watched)
    with pytest.raises(DeadlineExceeded, match=re.escape("toggle/s1> did not get there within 0.02 s")):
        await instance.wait_for(state="paid", timeout=0.02)
    await watched.closed.wait()


async def test_an_end_without_it_is_an_error(server, instance) -> None:
    server.will("WatchInstance", Watched([snapshot(1), changes(2, end_at=2)]))
    with pytest.raises(InstanceEnded, match="ended without getting there"):
        await instance.wait_for(state="paid")


async def test_a_predicates_own_error_is_its_own(server, instance) -> None:
    def broken(_: object) -> bool:
        raise TimeoutError("mine")

    watched = Watched([snapshot(1)])
    server.will("WatchInstance", watched)
    with pytest.raises(TimeoutError, match="mine"):
        await instance.wait_for(predicate=broken, timeout=60)
    await watched.closed.wait()


async def test_refusals_surface(server, instance) -> None:
    import grpc
    from tests.sdk.fakes import Refusal

    server.will("WatchInstance", Refusal(grpc.StatusCode.NOT_FOUND, "INSTANCE_NOT_FOUND"))
    with pytest.raises(InstanceNotFound):
        await instance.wait_for(done=True)


async def test_it_needs_something_to_wait_for(server, instance) -> None:
    with pytest.raises(TypeError, match="needs a state, a tag, done=True or a predicate"):
        await instance.wait_for(timeout=1)
    assert not server.received
