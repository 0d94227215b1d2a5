"""Frames of the watch room as messages of the subscription service."""

from __future__ import annotations

from typing import assert_never

from google.rpc import code_pb2, status_pb2

from stateward.v1 import subscription_service_pb2 as pb
from stateward_server.api import convert, convert_index
from stateward_server.api.paths import instance_path
from stateward_server.api.status import message_of
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.frame import (
    Change,
    Changed,
    Changes,
    Draining,
    Entered,
    Filter,
    Frame,
    Idle,
    Left,
    MachineFrame,
    Page,
    Progress,
    Snapshot,
    Stirred,
)
from stateward_server.model.ledger import InstanceKey
from stateward_server.model.limits import ApiLimits
from stateward_server.watch.many import Ended

_MAX_FILTER = ApiLimits().filter_terms

_EVERY: dict[int, bool] = {
    pb.WATCH_MODE_UNSPECIFIED: False,
    pb.WATCH_MODE_LATEST: False,
    pb.WATCH_MODE_EVERY_TRANSITION: True,
}


def is_every(mode: int) -> bool:
    """Tell whether a mode carries every transition. Raises InvalidArgument (INVALID_FIELD)."""
    every = _EVERY.get(mode)
    if every is None:
        raise InvalidArgument("INVALID_FIELD", f"mode {mode} is not known", field="mode")
    return every


def chosen(message: pb.InstanceFilter) -> Filter:
    """Return the filter. Raises InvalidArgument (INVALID_FIELD)."""
    if max(len(message.states), len(message.tags), len(message.indexes)) > _MAX_FILTER:
        raise InvalidArgument(
            "INVALID_FIELD",
            f"a filter names at most {_MAX_FILTER} states, tags and conditions on indexes",
            field="filter",
        )
    conditions = frozenset(map(convert_index.condition, message.indexes))
    return Filter(frozenset(message.states), frozenset(message.tags), conditions)


def response(frame: Frame, epoch: int) -> pb.WatchInstanceResponse:
    """A frame of WatchInstance."""
    message = pb.WatchInstanceResponse(resume_token=frame.token, epoch=epoch)
    _fill(message, frame)
    return message


def many_response(key: InstanceKey, frame: Frame | Ended, epoch: int) -> pb.WatchInstancesResponse:
    """A frame of WatchInstances."""
    message = pb.WatchInstancesResponse(name=instance_path(key.machine, key.name), epoch=epoch)
    if isinstance(frame, Ended):
        ok = status_pb2.Status(code=code_pb2.OK)
        message.ended.status.CopyFrom(message_of(frame.error) if frame.error else ok)
    else:
        message.resume_token = frame.token
        _fill(message, frame)
    return message


def machine_response(frame: MachineFrame, epoch: int) -> pb.WatchMachineResponse:
    """A frame of WatchMachine."""
    message = pb.WatchMachineResponse(resume_token=frame.token, epoch=epoch)
    match frame:
        case Page():
            entries = (convert.instance(each.instance, each.transition) for each in frame.entries)
            message.snapshot.instances.extend(entries)
            message.snapshot.complete = frame.complete
        case Stirred():
            message.changes.changes.extend(_change(each) for each in frame.changes)
        case Idle():
            message.progress.SetInParent()
        case Draining():
            message.draining.SetInParent()
        case _:
            assert_never(frame)
    return message


def _fill(message: pb.WatchInstanceResponse | pb.WatchInstancesResponse, frame: Frame) -> None:
    match frame:
        case Snapshot():
            message.snapshot.CopyFrom(convert.state(frame.transition))
        case Changes():
            message.changes.states.extend(convert.state(each) for each in frame.transitions)
        case Progress():
            message.progress.revision = frame.revision
        case Draining():
            message.draining.SetInParent()
        case _:
            assert_never(frame)


def _change(change: Change) -> pb.MachineChange:
    match change:
        case Entered(entry):
            name = instance_path(entry.instance.key.machine, entry.instance.key.name)
            return pb.MachineChange(name=name, entered=convert.state(entry.transition))
        case Changed(entry):
            name = instance_path(entry.instance.key.machine, entry.instance.key.name)
            return pb.MachineChange(name=name, changed=convert.state(entry.transition))
        case Left(instance, revision):
            name = instance_path(instance.key.machine, instance.key.name)
            return pb.MachineChange(name=name, left=pb.WatchLeft(revision=revision))
        case _:
            assert_never(change)
